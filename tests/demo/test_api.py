"""The HTTP API, each address with what it is for and with what it must refuse."""

import base64
import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

EPISODE = """WEBVTT

NOTE title: {title}

00:00:01.000 --> 00:00:09.000
<v Ann>The {word} is what we talk about today, from the beginning to the end.

00:01:05.000 --> 00:01:09.500
<v Ben>Nobody knows the {word} better than you do.
"""


def picture(color=(200, 30, 30), size=(64, 48), kind="PNG", **more):
    written = io.BytesIO()
    Image.new("RGB", size, color).save(written, kind, **more)
    return written.getvalue()


def encoded(data):
    return base64.b64encode(data).decode()


def bomb():
    """A PNG of 20,000 × 10,000 pixels in a few hundred bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 20_000, 10_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def refused(answer, status, *said):
    """The answer is a refusal in the one shape, in one line."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error", "detail"} and all(isinstance(one, str) and one for one in body.values())
    assert "\n" not in body["detail"]
    for word in said:
        assert word in body["detail"]
    return body


def found(api, **asked):
    answer = api.post("/search", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["hits"]


def add(api, *files):
    return api.post("/documents", files=[("files", file) for file in files])


@pytest.fixture(autouse=True)
def still_alive(api):
    """Whatever a test sends, the server answers afterwards and has lost nothing of what was there."""
    before = api.get("/health").json()
    yield
    after = api.get("/health").json()
    assert after["status"] == "ok"
    assert after["pictures"] >= min(12, before["pictures"])


def test_health_and_metrics(api):
    health = api.get("/health").json()
    assert health["status"] == "ok" and health["pictures"] >= 12 and health["chapters"] > 0
    text = api.get("/metrics").text
    assert f'lexiscope_documents{{kind="image"}} {float(health["pictures"])}' in text
    assert 'lexiscope_requests_total{method="GET",route="/health",status="200"}' in text


def test_words_find_and_the_shares_add_up(api):
    hits = found(api, text="a rocket taking off into the sky", kind="image", k=5)
    assert len(hits) <= 5 and {hit["kind"] for hit in hits} == {"image"}
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)
    for hit in hits:
        parts = [match["query"] * match["document"] for match in hit["explain"]]
        assert sum(parts) == pytest.approx(hit["score"], rel=1e-3)
        assert sum(match["share"] for match in hit["explain"]) == pytest.approx(1, abs=1e-3)


def test_kinds_and_k(api):
    assert {hit["kind"] for hit in found(api, text="astronaut", kind="chapter")} == {"chapter"}
    assert len(found(api, text="astronaut sky", k=1)) == 1


def test_edits_change_the_answer(api):
    asked = {"text": "rocket sky", "kind": "image"}
    plain = found(api, **asked)
    muted = found(api, **asked, weights={"sky": 0})
    assert all("sky" not in {match["word"] for match in hit["explain"]} for hit in muted)
    raised = found(api, **asked, weights={"sky": 3})
    sky = {match["word"]: match["query"] for match in plain[0]["explain"]}["sky"]
    assert {match["word"]: match["query"] for match in raised[0]["explain"]}["sky"] > 2 * sky
    forbidden = found(api, **asked, forbid=["sky"])
    assert plain[0]["id"] not in {hit["id"] for hit in forbidden}


def test_the_balance_between_a_picture_and_words(api):
    image = encoded(picture())
    asked = {"image": image, "text": "rocket sky", "kind": "image"}
    alone = found(api, text="rocket sky", kind="image")
    assert [hit["id"] for hit in found(api, **asked, balance=1)] == [hit["id"] for hit in alone]
    only_picture = found(api, image=image, kind="image")
    assert [hit["id"] for hit in found(api, **asked, balance=0)] == [hit["id"] for hit in only_picture]


def test_like_a_document_and_a_data_url(api):
    first = found(api, text="rocket sky", kind="image")[0]
    alike = found(api, like=first["id"], kind="image")
    assert alike and first["id"] not in {hit["id"] for hit in alike}
    shown = api.get(f"/documents/{first['id']}/picture?size=large").content
    itself = found(api, image="data:image/jpeg;base64," + encoded(shown), kind="image")
    assert itself[0]["id"] == first["id"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "no question"),
        ({"text": "   "}, "no question"),
        ({"text": "boat " * 10_000}, "5000"),
        ({"text": "boat", "k": 0}, "k"),
        ({"text": "boat", "k": 101}, "k"),
        ({"text": "boat", "k": 10**400}, "k"),
        ({"text": "boat", "kind": "video"}, "kind"),
        ({"text": "boat", "balance": 1.5}, "balance"),
        ({"text": "boat", "color": "red"}, "color"),
        ({"text": "boat", "weights": {"two words": 1}}, "one word"),
        ({"text": "boat", "weights": {"boat": -1}}, "0 to 100"),
        ({"text": "boat", "weights": {"boat": 1e300}}, "0 to 100"),
        ({"text": "boat", "forbid": ["w"] * 65}, "forbid"),
        ({"text": 7}, "text"),
        ({"image": "%%%"}, "base64"),
        ({"image": ""}, "empty"),
        ({"image": "é"}, "base64"),
        ({"image": encoded(b"text")}, "is no picture"),
        ({"like": -1}, "like"),
        ({"like": 2**200}, "like"),
    ],
)
def test_questions_that_are_none(api, asked, said):
    refused(api.post("/search", json=asked), 422, said)


def test_a_picture_and_a_document_at_once(api):
    refused(api.post("/search", json={"image": encoded(picture()), "like": 0}), 422, "one of them")
    refused(api.post("/search", json={"like": 2**61}), 404)


@pytest.mark.parametrize(
    "text",
    [
        "😀🚀",
        "كلب على الشاطئ",
        "שלום",
        "\u202eboat",
        "a\u0000b",
        "<img src=x onerror=alert(1)>",
        "a" * 5000,
        "的" * 5000,
    ],
)
def test_odd_questions_are_questions(api, text):
    assert api.post("/search", json={"text": text}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"text": "boat", "balance": NaN}',
        b'{"text": "boat", "balance": Infinity}',
        b'{"text": "boat", "weights": {"boat": NaN}}',
        b'{"text": "boat", "weights": {"boat": -Infinity}}',
        b'{"text": "boat", "k": 1e400}',
        b'{"text": "boat", "k": ' + b"9" * 5000 + b"}",
        b'{"like": ' + b"9" * 5000 + b"}",
        b'{"text": "\\ud800"}',
        b"[" * 100_000,
        b'{"text": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
)
@pytest.mark.parametrize("path", ["/search", "/embed_sparse", "/documents"])
def test_bodies_that_are_no_json_or_no_numbers(api, path, body):
    answer = api.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    refused(answer, answer.status_code)


def test_embed_has_the_shape_of_text_embeddings_inference(api):
    body = {
        "inputs": "a dog on the beach",
        "truncate": None,
        "truncation_direction": "Right",
        "prompt_name": None,
    }
    rows = api.post("/embed_sparse", json=body).json()
    assert len(rows) == 1 and {"index", "value"} <= set(rows[0][0])
    assert {"dog", "beach"} <= {one["token"] for one in rows[0]}
    both = api.post("/embed_sparse", json={"inputs": ["a dog on the beach", "a boat"]}).json()
    assert len(both) == 2
    assert [one["index"] for one in both[0]] == [one["index"] for one in rows[0]]
    np.testing.assert_allclose([o["value"] for o in both[0]], [o["value"] for o in rows[0]], rtol=1e-3)
    asked = api.post("/embed_sparse", json={"inputs": "a dog on the beach", "prompt_name": "query"}).json()
    assert {"dog", "beach"} <= {one["token"] for one in asked[0]}
    refused(api.post("/embed_sparse", json={"inputs": "boat", "prompt_name": "other"}), 422, "prompt_name")


def test_embed_pictures_in_both_ways(api):
    red, blue = picture(), picture((0, 0, 220))
    by_json = api.post("/embed_sparse", json={"images": [encoded(red), encoded(blue)]}).json()
    files = [("images", ("a.png", red)), ("images", ("b.png", blue))]
    by_form = api.post("/embed_sparse", files=files).json()
    assert len(by_json) == 2 and by_json == by_form and by_json[0] != by_json[1]
    mixed = api.post("/embed_sparse", json={"inputs": "boat", "images": [encoded(red)]}).json()
    assert len(mixed) == 2
    assert [one["index"] for one in mixed[1]] == [one["index"] for one in by_json[0]]


def test_embed_refuses(api):
    refused(api.post("/embed_sparse", json={"inputs": []}), 422, "nothing to encode")
    refused(api.post("/embed_sparse", json={"inputs": ["a"] * 33}), 413, "32")
    refused(api.post("/embed_sparse", json={"images": [encoded(b"no")]}), 422, "images.0")
    refused(api.post("/embed_sparse", files=[("pictures", ("a.png", picture()))]), 422, "images")
    refused(api.post("/embed_sparse", json={"images": [encoded(bomb())]}), 422, "million pixels")
    many = [("images", (f"{n}.png", b"x")) for n in range(40)]
    assert api.post("/embed_sparse", files=many).status_code in {400, 413}


@pytest.mark.parametrize("inputs", ["", ["boat", ""], "  "])
def test_an_empty_text_is_refused_as_there(api, inputs):
    refused(api.post("/embed_sparse", json={"inputs": inputs}), 422, "empty")


def test_add_find_and_delete(api, index):
    transcript = EPISODE.format(title="Sealing Wax", word="zeppelin")
    answer = add(
        api,
        ("green.png", picture((0, 200, 0))),
        ("wax.vtt", transcript.encode()),
        ("bad.png", b"\x89PNG\r\n\x1a\nno"),
    )
    assert answer.status_code == 200
    body = answer.json()
    assert (body["added"], [one["name"] for one in body["skipped"]]) == (2, ["bad.png"])
    files = index.with_name("index.files")
    assert sorted(path.name for path in files.iterdir()) == ["green.png", "wax.vtt"]
    hit = found(api, text="zeppelin", kind="chapter")[0]
    assert hit["episode"] == "Sealing Wax" and "zeppelin" in hit["utterance"]["text"]
    again = add(api, ("wax.vtt", transcript.encode())).json()
    assert (again["added"], again["unchanged"]) == (0, 1)
    while hits := [
        one for one in found(api, text="zeppelin", kind="chapter") if one["episode"] == "Sealing Wax"
    ]:
        assert api.delete(f"/documents/{hits[0]['id']}").json() == {"deleted": 1}
    assert [path.name for path in files.iterdir()] == ["green.png"]
    refused(api.delete(f"/documents/{hit['id']}"), 404)


def test_another_file_of_the_same_name_is_another_document(api, index):
    before = api.get("/health").json()["pictures"]
    add(api, ("same.png", picture((1, 2, 3))))
    add(api, ("same.png", picture((200, 2, 3))))
    assert api.get("/health").json()["pictures"] == before + 2
    kept = {path.name for path in index.with_name("index.files").iterdir()}
    assert {"same.png", "same-2.png"} <= kept


def test_add_as_json(api):
    documents = [
        {"name": "talk.vtt", "text": EPISODE.format(title="Talk", word="xylophone")},
        {"name": "grey.png", "data": encoded(picture((90, 90, 90)))},
    ]
    body = api.post("/documents", json={"documents": documents}).json()
    assert (body["added"], body["skipped"]) == (2, [])
    assert found(api, text="xylophone", kind="chapter")


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 64


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("text.jpg", b"this is text", "no picture"),
        ("drawing.svg", SVG, "no picture"),
        ("photo.heic", HEIC, "JPEG"),
        ("photo.jpg", HEIC, "HEIC"),
        ("empty.png", b"", "empty"),
        ("empty.vtt", b"", "empty"),
        ("bomb.png", bomb(), "million pixels"),
        ("program.exe", b"MZ\x90\x00", "no picture"),
        ("cut.jpg", picture(kind="JPEG", size=(300, 300))[:400], "damaged"),
        ("binary.vtt", bytes(range(256)) * 8, ""),
        ("deep.json", b"[" * 100_000, ""),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_kept(api, index, name, content, said):
    files = index.with_name("index.files")
    before = sorted(files.iterdir()) if files.is_dir() else []
    refused(add(api, (name, content)), 422, name, said)
    assert (sorted(files.iterdir()) if files.is_dir() else []) == before


@pytest.mark.parametrize("name", ["rows.parquet", "rows.bin"])
def test_a_data_set_that_names_files_of_this_machine_is_not_taken(api, tmp_path, name):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "secret.png").write_bytes(picture((9, 9, 9)))
    table = pa.table(
        {"image": [{"bytes": None, "path": str(tmp_path / "secret.png")}], "captions": [["secret"]]}
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    refused(add(api, (name, (tmp_path / "rows.parquet").read_bytes())), 422, "lexiscope index")


def test_a_feed_that_names_files_of_this_machine_is_not_taken(api):
    feed = """<?xml version="1.0"?><rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel>
    <title>T</title><item><title>E</title><podcast:transcript url="../../secret.vtt" type="text/vtt"/></item>
    </channel></rss>"""
    refused(add(api, ("feed.xml", feed.encode())), 422, "lexiscope index")


def test_a_moving_gif_is_its_first_frame(api):
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    written = io.BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:])
    assert add(api, ("moving.gif", written.getvalue())).json()["added"] == 1


@pytest.mark.parametrize(
    "name",
    ["../../../etc/evil.png", "..\\..\\evil.png", "/etc/evil.png", "a/../../evil.png", "evil\u0000.png"],
)
def test_no_name_leads_out_of_the_folder(api, index, name):
    files = index.with_name("index.files")
    data = encoded(picture(tuple(name.encode()[:3])))
    outside = {path for path in index.parent.rglob("*") if path.is_file()}
    assert api.post("/documents", json={"documents": [{"name": name, "data": data}]}).status_code == 200
    new = {path for path in index.parent.rglob("*") if path.is_file()} - outside
    assert all(index in path.parents or path.parent == files for path in new)
    assert any(path.parent == files and path.name.startswith("evil") for path in new | set(files.iterdir()))


def test_documents_that_are_none(api):
    refused(api.post("/documents", json={"documents": []}), 422, "documents")
    refused(api.post("/documents", json={"documents": [{"name": "a.png", "data": "%"}]}), 422, "base64")
    refused(api.post("/documents", json={"documents": [{"name": "", "text": "x"}]}), 422, "name")
    refused(api.post("/documents", files=[("wrong", ("a.png", b"x"))]), 422, "files")
    broken = api.post(
        "/documents", content=b"--x\r\nno", headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert broken.status_code in {400, 422}
    refused(broken, broken.status_code)
    nothing = api.post("/documents", content=b"", headers={"content-type": "multipart/form-data"})
    assert nothing.status_code in {400, 422}
    refused(nothing, nothing.status_code)


@pytest.mark.parametrize(
    "id", ["-1", "abc", "1.5", "99999999999999999999999", "..%2f..%2fetc%2fpasswd", "%00"]
)
@pytest.mark.parametrize(
    "path", ["/documents/{}", "/documents/{}/picture", "/documents/{}/audio", "/chapters/{}"]
)
def test_ids_that_are_none(api, id, path):
    answer = api.get(path.format(id))
    assert answer.status_code in {404, 422}
    refused(answer, answer.status_code)


def test_a_document_and_its_picture(api):
    hits = found(api, text="rocket sky", kind="image", k=50)
    hit = next(one for one in hits if one["source"].endswith("rocket.jpg"))
    body = api.get(f"/documents/{hit['id']}").json()
    assert body["kind"] == "image" and body["words"]
    small, large = (api.get(f"/documents/{hit['id']}/picture?size={size}") for size in ("small", "large"))
    assert small.headers["content-type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(small.content)).size) <= 400
    assert max(Image.open(io.BytesIO(large.content)).size) > 400
    refused(api.get(f"/documents/{hit['id']}/picture?size=huge"), 422)
    refused(api.get("/documents/4611686018427387903/picture"), 404)


def test_where_a_word_comes_from(api):
    hit = found(api, text="rocket sky", kind="image")[0]
    body = api.get(f"/documents/{hit['id']}/patches", params={"words": ["sky", "zzzz"]}).json()
    assert len(body["words"]["sky"]) == body["rows"] * body["columns"]
    assert max(body["words"]["sky"]) == 1 and min(body["words"]["sky"]) >= 0
    assert all(0 <= edge <= 1 for edge in body["box"])
    refused(api.get(f"/documents/{hit['id']}/patches"), 422, "words")
    chapter = found(api, text="astronaut", kind="chapter")[0]
    refused(api.get(f"/documents/{chapter['id']}/patches?words=sky"), 404)
    refused(api.get(f"/documents/{chapter['id']}/picture"), 404, "chapter")


def test_an_episode_in_order_with_scores(api):
    hit = found(api, text="astronaut suit", kind="chapter")[0]
    body = api.get(f"/chapters/{hit['id']}", params={"text": "astronaut suit"}).json()
    starts = [chapter["start"] for chapter in body["chapters"]]
    assert starts == sorted(starts) and len(starts) > 1
    scored = {chapter["id"]: chapter["score"] for chapter in body["chapters"]}
    assert scored[hit["id"]] == max(scored.values()) > 0
    plain = api.get(f"/chapters/{hit['id']}").json()
    assert {chapter["score"] for chapter in plain["chapters"]} == {0}
    forbidden = api.get(f"/chapters/{hit['id']}", params={"text": "astronaut suit", "forbid": "astronaut"})
    assert forbidden.status_code == 200
    picture = found(api, text="rocket", kind="image")[0]
    refused(api.get(f"/chapters/{picture['id']}"), 404, "picture")
    refused(api.get(f"/chapters/{hit['id']}", params={"text": "a" * 5001}), 422, "text")


def test_audio_beside_a_transcript_in_ranges(api, index):
    transcript = EPISODE.format(title="Sound", word="oboe")
    assert add(api, ("sound.vtt", transcript.encode())).json()["added"] == 1
    hit = found(api, text="oboe", kind="chapter")[0]
    refused(api.get(f"/documents/{hit['id']}/audio"), 404, "no audio")
    sound = bytes(range(256)) * 16
    index.with_name("index.files").joinpath("sound.mp3").write_bytes(sound)
    assert api.get(f"/chapters/{hit['id']}").json()["audio"] == f"/documents/{hit['id']}/audio"
    whole = api.get(f"/documents/{hit['id']}/audio")
    assert whole.content == sound and whole.headers["content-type"] == "audio/mpeg"
    part = api.get(f"/documents/{hit['id']}/audio", headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, sound[100:200])
    beyond = api.get(f"/documents/{hit['id']}/audio", headers={"range": "bytes=99999-"})
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    ("audio", "link"),
    [
        ("https://cdn.example/a.mp3", "https://cdn.example/a.mp3"),
        ("javascript:alert(1)", None),
        ("a.mp3", None),
        ("", None),
    ],
)
def test_where_audio_was_published_is_a_web_address_or_nothing(api, audio, link):
    said = [{"startTime": 1, "endTime": 9, "body": f"The theremin is played at {audio or 'home'} today."}]
    written = json.dumps({"title": f"Published {audio}", "audio": audio, "segments": said})
    assert add(api, (f"published{len(audio)}.json", written.encode())).json()["added"] == 1
    hits = found(api, text="theremin", kind="chapter", k=50)
    hit = next(one for one in hits if one["source"].endswith(f"published{len(audio)}.json"))
    answer = api.get(f"/chapters/{hit['id']}").json()
    assert (answer["audio"], answer["link"]) == (None, link)


def test_what_is_not_there_or_not_so(api):
    refused(api.get("/nothing"), 404)
    refused(api.get("/search"), 405, "POST")
    assert 'route="/search",status="405"' in api.get("/metrics").text
    refused(api.get("/../../etc/passwd"), 404)
    description = api.get("/openapi.json").json()
    assert {"/search", "/embed_sparse", "/documents", "/health"} <= set(description["paths"])
    assert json.dumps(description)
    assert api.get("/docs").status_code == 200


def test_a_file_that_has_gone_is_said_to_have(api, index):
    data = picture((5, 60, 90))
    add(api, ("gone.png", data))
    (index.with_name("index.files") / "gone.png").unlink()
    hits = found(api, image=encoded(data), kind="image", k=100)
    hit = next(one for one in hits if one["source"].endswith("gone.png"))
    refused(api.get(f"/documents/{hit['id']}/picture"), 422, "gone.png")
