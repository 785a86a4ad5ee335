from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lexiscope.episodes import EPISODES
from lexiscope.errors import UnreadableSource, printable
from lexiscope.sources import Skipped, Source, find_sources, items, source_name

VTT = "WEBVTT\n\nNOTE title: A Talk\n\n00:01.000 --> 00:02.000\n<v Ada>Good evening.\n"
TALK = "Ada: Good evening.\nBo: Hello!\nAda: Sit down.\n"
CHAPTERS = '{"version": "1.2.0", "chapters": [{"startTime": 0, "title": "Intro"}]}'
SPEECH = '{"version": "1.0.0", "segments": [{"startTime": 0, "body": "Good evening to all."}]}'


def jpeg(colour: str = "red", size: int = 16) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a person's folder of photographs and recordings looks like."""
    content: dict[str, bytes | str] = {
        "b.JPG": jpeg(),
        "a/deep/er/c.jpeg": jpeg("blue"),
        "a/no suffix": jpeg("lime"),
        "talk.vtt": VTT,
        "talk.chapters.json": CHAPTERS,
        "talk.json": SPEECH,
        "talk.txt": TALK,
        "shopping.txt": "Milk\nEggs\nFlour: two bags\n",
        "settings.json": '{"a": 1}',
        "film.mp4": b"\0\0\0\x18ftypmp42",
        "phone.heic": b"\0\0\0\x18ftypheic",
        "Thumbs.db": b"x",
        ".DS_Store": b"x",
        ".hidden/secret.jpg": jpeg(),
        "@eaDir/b.JPG": jpeg(),
        "old.index/manifest.json": "{}",
        "old.index/segments/0/rows.npy": b"x",
    }
    for name, data in content.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return tmp_path


def names(sources: list[Source], folder: Path) -> list[str]:
    return [str(source.path.relative_to(os.path.realpath(folder))) for source in sources]


# --- finding


def test_a_real_folder(folder: Path) -> None:
    sources, skipped = find_sources([folder])
    assert names(sources, folder) == [
        "a/deep/er/c.jpeg",
        "a/no suffix",
        "b.JPG",
        "talk.json",
        "talk.txt",
        "talk.vtt",
    ]
    assert [source.kind for source in sources] == ["image"] * 3 + ["transcript"] * 3
    found = {Path(entry.path).name: entry for entry in skipped}
    assert {name: entry.error for name, entry in found.items()} == {
        "film.mp4": False,
        "phone.heic": True,
        "settings.json": False,
        "shopping.txt": False,
    }
    assert "name the file itself" in found["shopping.txt"].reason
    assert all("\n" not in entry.reason for entry in skipped)


def test_what_is_named_outright(folder: Path) -> None:
    def verdict(name: str) -> Source | Skipped:
        sources, skipped = find_sources([folder / name])
        (only,) = [*sources, *skipped]
        return only

    assert verdict("shopping.txt").kind == "transcript"
    assert verdict("settings.json").kind == "transcript"  # and reading says what is wrong
    assert verdict("film.mp4").error and "no picture, transcript" in verdict("film.mp4").reason
    assert not verdict("talk.chapters.json").error and "chapters" in verdict("talk.chapters.json").reason
    assert "is an index" in verdict("old.index").reason
    assert find_sources([folder / ".hidden"])[0][0].kind == "image"
    assert verdict("none").error and "does not exist" in verdict("none").reason
    assert verdict("b.JPG/none").reason == verdict("none").reason
    with pytest.raises(UnreadableSource, match="no transcript"):
        list(items(verdict("settings.json")))


def test_each_file_once_and_names_that_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    sources, _ = find_sources(["b.JPG", folder / "a" / ".." / "b.JPG", "~/b.JPG", "."])
    assert [source.path.name for source in sources].count("b.JPG") == 1
    assert sources[0].name == source_name("b.JPG") == source_name("~/b.JPG")
    assert os.path.isabs(sources[0].path)


def test_links(folder: Path) -> None:
    (folder / "a/loop").symlink_to(folder)
    (folder / "a/self").symlink_to("self")
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    (folder / "same.jpg").symlink_to("b.JPG")
    with_links, skipped = find_sources([folder])
    assert len(with_links) == 6
    reasons = {Path(entry.path).name: entry.reason for entry in skipped if entry.error}
    assert "leads nowhere" in reasons["self"] and "leads nowhere" in reasons["gone.jpg"]
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "d.png").write_bytes(jpeg())
    (folder / "linked").symlink_to(outside)
    assert len(find_sources([folder])[0]) == 7


def test_pipes_are_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    sources, skipped = find_sources([folder])
    assert len(sources) == 6
    assert [entry.error for entry in skipped if "pipe" in Path(entry.path).name] == [False]


def test_non_utf8_names(folder: Path) -> None:
    strange = os.fsencode(folder) + b"/caf\xe9\n.jpg"
    with open(strange, "wb") as file:
        file.write(jpeg())
    with open(os.fsencode(folder) + b"/caf\xe9.pdf", "wb") as file:
        file.write(b"%PDF")
    sources, skipped = find_sources([folder])
    (source,) = [source for source in sources if "caf" in source.name]
    assert source.name.endswith("caf\\xe9\\n.jpg")
    (item,) = items(source)
    assert item.picture is not None and item.picture().size == (16, 16)
    text = "".join([item.key, item.source, item.stamp, *(entry.path for entry in skipped)])
    assert "caf\\xe9.pdf" in text and text.encode("utf-8")


def test_printable_leaves_other_names_alone() -> None:
    assert printable("Grüße aus 東京 \\x41.jpg") == "Grüße aus 東京 \\x41.jpg"
    assert printable("a\u2028b\x1b[0m") == "a\\u2028b\\x1b[0m"


def test_impossible_paths() -> None:
    sources, skipped = find_sources(["a\0b", "x" * 5000, ""])
    assert not sources and len(skipped) == 3 and all(entry.error for entry in skipped)


def test_deep_folders(tmp_path: Path) -> None:
    path = str(tmp_path)
    for _ in range(300):
        path += "/d"
        os.mkdir(path)
    Path(path, "a.jpg").write_bytes(jpeg())
    assert len(find_sources([tmp_path])[0]) == 1


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter (pytest's own are closed to them)."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def no_rights() -> Iterator[None]:
    """Be a user whom the rights of files bind, even where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(65534)
    except OSError:
        pytest.skip("cannot become another user here")
    try:
        yield
    finally:
        os.seteuid(0)


def test_folders_and_files_without_rights(open_folder: Path, request: pytest.FixtureRequest) -> None:
    for name in ("closed/a.jpg", "open/b.jpg", "open/closed.jpg", "open/closed.json"):
        (open_folder / name).parent.mkdir(exist_ok=True)
        (open_folder / name).write_bytes(jpeg())
    for name in ("closed", "open/closed.jpg", "open/closed.json"):
        (open_folder / name).chmod(0)
    request.getfixturevalue("no_rights")
    sources, skipped = find_sources([open_folder])
    assert [source.path.name for source in sources] == ["b.jpg", "closed.jpg"]
    assert {Path(entry.path).name for entry in skipped} == {"closed", "closed.json"}
    assert all(entry.error and "no permission" in entry.reason for entry in skipped)
    with pytest.raises(UnreadableSource, match=r"closed.jpg: no permission"):
        list(items(sources[1]))


def test_a_folder_that_vanishes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_scandir = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("deep"):
            raise FileNotFoundError(2, "No such file or directory")
        return true_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    sources, skipped = find_sources([folder])
    assert len(sources) == 5
    assert [entry.path for entry in skipped if entry.error and "deep" in entry.path]


# --- sniffing


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.json", SPEECH.encode("utf-16"), "transcript"),
        ("a.json", SPEECH.encode("utf-8-sig"), "transcript"),
        ("a.json", b'{"text": "' + b"word " * 500_000 + b'", "segments": []}', "transcript"),
        ("a.json", b'{"padding": "' + b"x" * ((1 << 20) - 20) + b'", "segments": []}', "transcript"),
        ("a.json", b'[{"start": 0, "end": 1, "text": "hi"}]', "transcript"),
        ("a.json", SPEECH[:20].encode(), "transcript"),
        ("a.json", CHAPTERS.encode("utf-16"), None),
        ("a.json", b'{"images": [], "annotations": [{"segmentation": []}]}', None),
        ("a.json", b"", "transcript"),
        ("a.txt", b"", "transcript"),
        ("a.txt", VTT.encode(), "transcript"),
        ("a.txt", "[00:00:01] Hello.\n[00:00:03] Bye.".encode("utf-16"), "transcript"),
        ("a.md", b"# Read me\n\nInstall it. Run it.\n\nNote: wear a hat.\n", None),
        ("a.txt", b"\0\1\2\3" * 100, None),
        ("a", b"WEBVTT\n\n", "transcript"),
        ("a.jpg_large", jpeg(), "image"),
        ("a.bin", b"PAR1", "parquet"),
        ("a.cr2", b"II*\0", None),
        ("a.pdf", b"%PDF-1.4", None),
    ],
)
def test_content_tells(tmp_path: Path, name: str, content: bytes, kind: str | None) -> None:
    (tmp_path / name).write_bytes(content)
    sources, _ = find_sources([tmp_path])
    assert [source.kind for source in sources] == ([kind] if kind else [])


# --- reading


def test_items_of_a_picture(folder: Path) -> None:
    source = Source(folder / "b.JPG", "image")
    (item,) = items(source)
    assert (item.key, item.kind, item.source, item.chapter) == (source.name, "image", source.name, None)
    assert item.picture is not None and item.picture(size_hint=4).size == (8, 8)
    (folder / "b.JPG").write_bytes(jpeg()[:200])
    with pytest.raises(UnreadableSource, match=r"b.JPG: is truncated"):
        item.picture()


def test_items_of_a_transcript(folder: Path) -> None:
    (folder / "talk.chapters.json").unlink()
    (item,) = items(Source(folder / "talk.vtt", "transcript"))
    assert item.key == f"{item.source}#chapter-0" and item.kind == "chapter" and item.picture is None
    assert item.chapter is not None and item.chapter.text == "Good evening."
    words = {"episode": "A Talk", "title": "Evening", "text": "Good evening.", "speakers": ["Ada"]}
    times = {"start": 1.0, "end": 2.0, "units": [[1.0, "Good evening."]], "generated": True}
    assert item.fields == {**words, **times} and item.chapter.turns == {"Ada": 1}
    json.dumps(item.fields)


def test_the_creators_chapters_beside_a_transcript(folder: Path) -> None:
    source = Source(folder / "talk.vtt", "transcript")
    stamp = source.stamp
    (folder / "talk.chapters.json").write_text(CHAPTERS.replace("Intro", "Supper"), encoding="utf-8")
    changed = Source(folder / "talk.vtt", "transcript")
    assert not changed.is_unchanged(stamp) and changed.is_unchanged(changed.stamp)
    (item,) = items(changed)
    assert (item.fields["title"], item.fields["start"], item.fields["generated"]) == ("Supper", 0.0, False)


def test_what_was_indexed_in_another_way_is_read_anew(folder: Path) -> None:
    source = Source(folder / "talk.txt", "transcript")
    assert source.is_unchanged(source.stamp)
    assert not source.is_unchanged(source.stamp.removesuffix(EPISODES))


FEED = """<rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><title>Show</title>
<item><title>One</title><podcast:transcript url="talk.vtt" type="text/vtt"/></item>
<item><title>Two</title><podcast:transcript url="talk.txt" type="text/plain"/></item>
</channel></rss>"""


def test_a_feed_gives_all_its_episodes_and_keeps_their_files_to_itself(folder: Path) -> None:
    (folder / "feed.xml").write_text(FEED, encoding="utf-8")
    sources, _ = find_sources([folder])
    named = {source.path.name: source.kind for source in sources}
    assert named["feed.xml"] == "feed" and "talk.vtt" not in named and "talk.txt" not in named
    (feed,) = (source for source in sources if source.kind == "feed")
    found = list(items(feed))
    assert {item.fields["episode"] for item in found} == {"One", "Two"}
    assert len({item.key for item in found}) == len(found)
    stamp = feed.stamp
    (folder / "talk.vtt").write_text(VTT + "\n00:03.000 --> 00:04.000\nMore.\n", encoding="utf-8")
    assert not Source(feed.path, "feed").is_unchanged(stamp)


@pytest.mark.parametrize("kind", ["image", "transcript", "feed", "parquet"])
def test_items_of_what_is_gone(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UnreadableSource, match="none"):
        list(items(Source(tmp_path / "none", kind)))


def test_stamps(folder: Path) -> None:
    path = folder / "b.JPG"

    def fresh() -> Source:
        return Source(path, "image")

    stamp = fresh().stamp
    assert stamp.startswith(f"{path.stat().st_size}-{path.stat().st_mtime_ns}-")
    assert next(items(fresh())).stamp == stamp and fresh().is_unchanged(stamp)
    os.utime(path, (1, 1))
    assert fresh().is_unchanged(stamp)  # touched, but the same
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    assert not fresh().is_unchanged(stamp)  # the same size, but another content
    path.write_bytes(content + b"x")
    assert not fresh().is_unchanged(stamp)
    assert not fresh().is_unchanged("nonsense")
    path.unlink()
    with pytest.raises(UnreadableSource, match="does not exist"):
        fresh().is_unchanged(stamp)


# --- Parquet


def parquet(path: Path, **columns: object) -> Source:
    pq.write_table(pa.table(columns), path, row_group_size=50)
    return Source(path, "parquet")


def test_parquet(tmp_path: Path) -> None:
    (tmp_path / "beside.jpg").write_bytes(jpeg("blue"))
    pictures = [
        {"bytes": jpeg(), "path": "x.jpg"},
        {"bytes": None, "path": "beside.jpg"},
        {"bytes": jpeg()[:300], "path": None},
        {"bytes": None, "path": None},
        None,
    ]
    ids, captions = ["one", "two", "one", None, " "], [["a", "b"], [], None, [None, "c"], ["d"]]
    source = parquet(tmp_path / "set.parquet", id=ids, image=pictures, captions=captions, more=[1] * 5)
    found = list(items(source))
    assert [item.key.rpartition("#")[2] for item in found] == ["one", "two", "row-2", "row-3", "row-4"]
    assert all(item.key.startswith(f"{source.name}#") and item.source == source.name for item in found)
    assert [item.fields["captions"] for item in found] == [["a", "b"], [], [], ["c"], ["d"]]
    opened = [item.picture for item in found if item.picture is not None]
    assert (opened[0]().size, opened[0](size_hint=4).size) == ((16, 16), (8, 8))
    assert opened[1]().getpixel((8, 8))[2] > 200
    with pytest.raises(UnreadableSource, match=r"set.parquet#row-2: is truncated"):
        opened[2]()
    for row in (3, 4):
        with pytest.raises(UnreadableSource, match="has no picture"):
            opened[row]()


def test_parquet_with_bare_columns(tmp_path: Path) -> None:
    source = parquet(tmp_path / "a.parquet", image=[jpeg()] * 2, id=[7, 8], captions=["one text", None])
    found = list(items(source))
    assert [item.key.rpartition("#")[2] for item in found] == ["7", "8"]
    assert [item.fields["captions"] for item in found] == [["one text"], []]
    assert found[0].picture is not None and found[0].picture().size == (16, 16)


def test_parquet_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = parquet(tmp_path / "a.parquet", image=[{"bytes": jpeg()}] * 500)
    read = []
    true_batches = pq.ParquetFile.iter_batches

    def batches(self: pq.ParquetFile, **options: object) -> Iterator[pa.RecordBatch]:
        for batch in true_batches(self, **options):
            read.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", batches)
    rows = items(source)
    next(rows)
    assert sum(read) < 100
    assert sum(1 for _ in rows) == 499


def test_bad_parquet(tmp_path: Path) -> None:
    texts = parquet(tmp_path / "texts.parquet", captions=["a"])
    with pytest.raises(UnreadableSource, match=r"texts.parquet: has no column `image` .* only captions"):
        list(items(texts))
    with pytest.raises(UnreadableSource, match="has no column `image`"):
        list(items(parquet(tmp_path / "numbers.parquet", image=[1, 2])))
    whole = parquet(tmp_path / "cut.parquet", image=[{"bytes": jpeg()}]).path
    data = whole.read_bytes()
    for damaged in (b"", b"PAR1", data[: len(data) // 2], data[:4] + b"\xff" * 200 + data[204:]):
        whole.write_bytes(damaged)
        with pytest.raises(UnreadableSource, match=r"cut.parquet"):
            for item in items(Source(whole, "parquet")):
                assert item.picture is not None
                item.picture()


# --- the sample episode


def test_the_sample_episode() -> None:
    path = Path(str(files("lexiscope") / "sample" / "long-way-round.vtt"))
    (source,), _ = find_sources([path])
    chapters = [item.fields for item in items(source)]
    said = [fields for fields in chapters if "Quillfeather" in fields["text"]]
    assert said and "lighthouse" in said[0]["text"]
    assert all(fields["episode"].startswith("The Long Way Round") for fields in chapters)
    starts = [fields["start"] for fields in chapters]
    assert starts == sorted(starts) and 12 * 60 < chapters[-1]["end"] <= 15 * 60
    assert 1800 <= sum(len(fields["text"].split()) for fields in chapters) <= 2200
    assert "MIT" in path.read_text(encoding="utf-8")


def test_finding_sources_needs_no_heavy_library() -> None:
    heavy = {"torch", "pyarrow", "webvtt", "numba"}
    code = f"import sys, lexiscope.sources; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
