from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.errors import InvalidValue, LexiscopeError, UnreadableSource
from lexiscope.text.chapter_files import read_chapter_file, read_chapter_json, read_chapter_vtt
from lexiscope.text.chapter_lines import read_lines
from lexiscope.text.chapter_writing import ChapterFormat, write_chapters
from lexiscope.text.chapters import Chapter
from lexiscope.text.id3 import read_id3, write_id3
from lexiscope.text.transcript import Mark, one_line

FORMATS: tuple[ChapterFormat, ...] = ("json", "vtt", "text", "id3")
# 100 frames of silence: MPEG 1, layer III, 128 kbit/s, 44.1 kHz, 417 bytes a frame, 2.6 seconds.
MP3 = (b"\xff\xfb\x90\x00" + bytes(413)) * 100


def chapter(title: str, start: float | None, end: float | None = None, **rest: object) -> Chapter:
    return replace(Chapter(0, 0, title, start, end, generated=False), **rest)  # type: ignore[arg-type]


@pytest.fixture
def mp3(tmp_path: Path) -> Path:
    path = tmp_path / "episode.mp3"
    path.write_bytes(MP3)
    return path


# Chapters as they may be published: in order, every title a line of words.
titles = (
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
    .map(one_line)
    .filter(bool)
)


@st.composite
def published(draw: st.DrawFn, *, whole: bool = False) -> list[Chapter]:
    times = sorted(
        draw(st.sets(st.integers(0, 100_000_000 if not whole else 90_000), min_size=1, max_size=8))
    )
    scale = 1 if whole else 1000
    ends = [*times[1:], None]
    hidden = st.booleans()
    links = st.sampled_from(["", "https://example.com/ä?b=1#c"])
    return [
        chapter(
            draw(titles), start / scale, None if end is None or draw(st.booleans()) else end / scale,
            url=draw(links), image=draw(links), hidden=draw(hidden),
        )
        for start, end in zip(times, ends, strict=True)
    ]  # fmt: skip


def as_mark(one: Chapter) -> Mark:
    assert one.start is not None
    return Mark(one.start, one.title, one.end, one.url, one.image, one.hidden)


# --- Reading


def test_podcasting_json(caplog: pytest.LogCaptureFixture) -> None:
    entries = [
        {"startTime": 168, "title": "Aids", "img": "https://x.y/a", "url": "https://x.y", "endTime": 170.5},
        {"startTime": 0, "title": None, "img": None, "url": None, "toc": None},
        {"startTime": 260.25, "title": "News"},
        {"startTime": 260.25, "title": "News"},  # twice
        {"startTime": 4826, "toc": False, "location": {"name": "Paris", "geo": "geo:42.3,-70.9"}},
        {"startTime": "01:30:00", "title": "News", "endTime": 3},
        {"startTime": None, "title": "Nowhere"},
        {"startTime": -1, "title": "Before"},
        {"title": "Unsaid"},
        "nonsense",
    ]  # fmt: skip
    with caplog.at_level(logging.WARNING, "lexiscope"):
        marks = read_chapter_json(json.dumps({"version": "1.1.0", "chapters": entries}), "x.chapters.json")
    assert marks == [
        Mark(0.0, ""),
        Mark(168.0, "Aids", 170.5, "https://x.y", "https://x.y/a"),
        Mark(260.25, "News"),
        Mark(4826.0, "", hidden=True),
        Mark(5400.0, "News"),
    ]
    assert "4 chapters have no readable start" in caplog.text


def test_podlove_json() -> None:
    entries = [{"start": "00:01:00.500", "title": "A", "href": "https://x.y", "image": ""}]
    assert read_chapter_json(json.dumps(entries)) == [Mark(60.5, "A", url="https://x.y")]


@pytest.mark.parametrize("text", ["", "{", '{"chapters": {}}', "[[" * 100_000, '"chapters"', "9" * 5000])
def test_json_that_is_no_chapters(text: str) -> None:
    with pytest.raises(UnreadableSource, match=r"^a\.json: .*JSON") as caught:
        read_chapter_json(text, "a.json")
    assert "\n" not in str(caught.value)


def test_vtt_chapters(tmp_path: Path) -> None:
    path = tmp_path / "a.chapters.vtt"
    path.write_text("WEBVTT\n\n1\n00:10.000 --> 00:20.000\nNews &amp; <i>views</i>: today\n")
    assert read_chapter_file(path) == [Mark(10.0, "News & views: today", 20.0)]


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text(st.sampled_from('{}[]":,1.-e chaptersTmioWEBV>\n'))))
def test_whatever_the_text_it_is_read_or_refused(text: str) -> None:
    for read in (read_chapter_json, read_chapter_vtt):
        for whole in (text, "WEBVTT\n\n" + text, f'{{"chapters": [{{"startTime": {text}}}]}}'):
            try:
                marks = read(whole)
            except LexiscopeError as error:
                assert "\n" not in str(error)
            else:
                assert marks == sorted(marks, key=lambda mark: mark.start)
    starts = [mark.start for mark in read_lines(text)]
    assert starts == sorted(set(starts)) and len(starts) != 1


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["startTime", "title", "endTime", "toc", "url", "img"]), inner)
        ),
    )
)
def test_whatever_the_chapters_hold(value: object) -> None:
    for mark in read_chapter_json(
        json.dumps({"chapters": [value, {"startTime": value}, {"startTime": 1, "title": value}]})
    ):
        assert 0 <= mark.start < float("inf") and (mark.end is None or mark.end > mark.start)
        mark.title.encode()


# --- Descriptions


@pytest.mark.parametrize(
    "description",
    [
        "About us.\n\n00:00 Intro\n12:30 News\n1:02:03 End",  # hours only midway
        "(00:00:00) Intro\n(00:12:30) News\n(01:02:03) End\nThanks to 3 of you",
        "[0:00] - Intro\n[12:30] – News\n[1:02:03] — End",
        "Intro – 0:00\nNews (12:30)\nEnd: 1:02:03",
        "• 00:00 | Intro\n• 12:30 | News\n• 01:02:03 | End",
        "1. 00:00 Intro\n2. 12:30 News\n3. 1:02:03 End",
    ],
)
def test_lines_of_a_description(description: str) -> None:
    assert read_lines(description) == [Mark(0.0, "Intro"), Mark(750.0, "News"), Mark(3723.0, "End")]


def test_spans_in_a_description() -> None:
    assert read_lines("00:00-00:20 A\n00:20 - 00:50 B") == [Mark(0.0, "A", 20.0), Mark(20.0, "B", 50.0)]


@pytest.mark.parametrize(
    "description",
    [
        "00:00 Intro",  # one is none
        "10:00 A\n05:00 B",
        "05:00 A\n05:00 B",
        "We met at 10:30 in the morning\nand went home at 11:00 or so",
        "00:00\n05:00\n10:00",
        "00:75 A\n01:99 B",
        "2024-01-02 10:00:00 A 1\nx",
    ],
)
def test_times_that_are_no_chapters(description: str) -> None:
    assert read_lines(description) == []


def test_opening_hours_after_the_end_of_the_episode() -> None:
    assert read_lines("10:00 Doors\n18:00:00 Talk", until=3600.0) == []


@pytest.mark.parametrize("piece", ["-", "1. ", "->", ": ", " -", "1:11", "( "])
def test_long_lines_take_no_time(piece: str) -> None:
    line = (piece * 300)[:290]  # backtracking over every way to split the line would never end
    assert read_lines(f"{line}\n{line}1:00\n{line}1:00 x") == []


# --- Writing


def test_json_has_the_published_shape() -> None:
    chapters = [
        chapter("Intro", 0.0),
        chapter("", 168.5, 170.0, image="https://x.y/a.jpg", url="https://x.y", hidden=True),
    ]
    assert json.loads(write_chapters(chapters, "json", title="Seven")) == {
        "version": "1.2.0",
        "title": "Seven",
        "chapters": [
            {"startTime": 0, "title": "Intro"},
            {
                "startTime": 168.5,
                "endTime": 170,
                "title": "Chapter 2",
                "img": "https://x.y/a.jpg",
                "url": "https://x.y",
                "toc": False,
            },
        ],
    }


def test_vtt_and_text() -> None:
    chapters = [
        chapter("A <b> --> & c", 0.0),
        chapter("\nEnd\n", 3661.9),
        chapter("Secret", 3700.0, hidden=True),
    ]
    vtt = write_chapters(chapters, "vtt")
    assert vtt.split("\n")[:6] == [
        "WEBVTT",
        "",
        "1",
        "00:00:00.000 --> 01:01:01.900",
        "A &lt;b&gt; --&gt; &amp; c",
        "",
    ]
    assert write_chapters(chapters, "text") == "(00:00:00) A <b> --> & c\n(01:01:01) End\n"


@settings(deadline=None)
@given(published())
def test_json_comes_back(chapters: list[Chapter]) -> None:
    assert read_chapter_json(write_chapters(chapters, "json")) == [as_mark(one) for one in chapters]


@settings(deadline=None)
@given(published())
def test_vtt_comes_back(chapters: list[Chapter]) -> None:
    marks = read_chapter_vtt(write_chapters(chapters, "vtt"))
    shown = [one for one in chapters if not one.hidden]
    assert [(mark.start, mark.title) for mark in marks] == [(one.start, one.title) for one in shown]
    assert all(one.end in (None, mark.end) for one, mark in zip(shown, marks, strict=True))
    if chapters and not chapters[-1].hidden:
        assert marks[-1].end == chapters[-1].end  # nothing is made up for the last


@settings(deadline=None)
@given(published(whole=True))
def test_text_comes_back(chapters: list[Chapter]) -> None:
    chapters = [replace(one, title=f"About {number}", hidden=False) for number, one in enumerate(chapters)]
    marks = read_lines(write_chapters(chapters, "text"))
    assert [(mark.start, mark.title) for mark in marks] == (
        [(one.start, one.title) for one in chapters] if len(chapters) > 1 else []
    )


@settings(max_examples=50, deadline=None)
@given(published())
def test_id3_comes_back(tmp_path_factory: pytest.TempPathFactory, chapters: list[Chapter]) -> None:
    path = tmp_path_factory.mktemp("id3") / "a.id3"
    path.write_bytes(write_chapters(chapters, "id3"))
    marks = read_id3(path)
    if all(one.hidden for one in chapters):
        chapters = [
            replace(one, hidden=False) for one in chapters
        ]  # an empty table of contents lists nothing
    ends = [
        one.end or (after.start if after else None)
        for one, after in zip(chapters, [*chapters[1:], None], strict=True)
    ]
    assert marks == [replace(as_mark(one), end=end) for one, end in zip(chapters, ends, strict=True)]


@pytest.mark.parametrize("form", FORMATS)
def test_generated_chapters_are_never_taken_for_the_creators(form: ChapterFormat, tmp_path: Path) -> None:
    chapters = [chapter("A", 0.0, generated=True), chapter("B", 9.0, generated=True)]
    content = write_chapters(chapters, form)
    path = tmp_path / "a"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if form in ("json", "vtt"):
        assert b"generated" in path.read_bytes() and read_chapter_file(path) == []
    elif form == "id3":
        assert b"generated" in path.read_bytes() and read_id3(path) == []


@pytest.mark.parametrize("form", ["json", "vtt", "id3"])
@pytest.mark.parametrize(
    ("chapters", "words"),
    [
        ([chapter("A", 0.0), chapter("B", None)], "chapter 2 has no start time"),
        (
            [chapter("A", 80.0), chapter("B", 10.0)],
            r"chapter 2 starts at 00:00:10, before the one before \(00:01:20\)",
        ),
    ],
)
def test_times_that_would_be_wrong_are_refused(
    form: ChapterFormat, chapters: list[Chapter], words: str
) -> None:
    with pytest.raises(InvalidValue, match=words):
        write_chapters(chapters, form)
    assert write_chapters(chapters, "text") == "A\nB\n"


def test_times_beyond_a_format_and_formats_beyond_us() -> None:
    with pytest.raises(InvalidValue, match="100:00:00"):
        write_chapters([chapter("A", 360_000.0)], "vtt")
    with pytest.raises(InvalidValue, match="later than ID3"):
        write_chapters([chapter("A", 2.0**32)], "id3")
    with pytest.raises(InvalidValue, match="'yaml'"):
        write_chapters([], "yaml")  # type: ignore[call-overload]


def test_chapters_that_start_together_have_length_in_vtt() -> None:
    marks = read_chapter_vtt(write_chapters([chapter("A", 1.0), chapter("B", 1.0), chapter("C", 2.0)], "vtt"))
    assert marks == [Mark(1.0, "A", 2.0), Mark(1.0, "B", 2.0), Mark(2.0, "C")]


# --- ID3


@pytest.mark.parametrize("version", [3, 4])
def test_an_mp3_keeps_its_other_tags(mp3: Path, version: int) -> None:
    from mutagen.id3 import COMM, ID3, TDRC, TIT2, TYER

    tag = ID3()
    tag.add(TIT2(encoding=1, text=["Épisode"]))
    tag.add(COMM(encoding=1, lang="deu", desc="", text=["Grüße"]))
    tag.add(TYER(encoding=0, text=["2024"]) if version == 3 else TDRC(encoding=0, text=["2024-02-03"]))
    tag.save(mp3, v2_version=version)
    before = mp3.read_bytes()
    out = mp3.with_name("out.mp3")
    write_id3([chapter("Old", 0.0)], out, audio=mp3)
    write_id3([chapter("Ä", 0.5, url="https://x.y"), chapter("B", 1.25, hidden=True)], out, audio=out)
    assert read_id3(out)[0] == Mark(0.5, "Ä", 1.25, "https://x.y")
    assert read_id3(out)[1].hidden and read_id3(out)[1].end == pytest.approx(2.6, abs=0.1)
    found = ID3(out, translate=False)
    assert found.version[1] == version
    assert str(found["TIT2"]) == "Épisode" and str(found["COMM::deu"]) == "Grüße"
    assert str(found["TYER" if version == 3 else "TDRC"]) == ("2024" if version == 3 else "2024-02-03")
    assert out.read_bytes().endswith(MP3) and mp3.read_bytes() == before
    assert sorted(path.name for path in mp3.parent.iterdir()) == ["episode.mp3", "out.mp3"]


def test_who_may_read_the_audio_may_read_it_with_chapters(tmp_path: Path, mp3: Path) -> None:
    mp3.chmod(0o444)
    write_id3([chapter("A", 0.0)], tmp_path / "out.mp3", audio=mp3)
    assert (tmp_path / "out.mp3").stat().st_mode & 0o777 == 0o644


def test_audio_that_takes_no_chapters(tmp_path: Path, mp3: Path) -> None:
    wrong = tmp_path / "a.mp3"
    wrong.write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(500))
    with pytest.raises(UnreadableSource, match="is no MP3"):
        write_id3([chapter("A", 0.0)], tmp_path / "out.mp3", audio=wrong)
    with pytest.raises(UnreadableSource, match=r"gone\.mp3"):
        write_id3([chapter("A", 0.0)], tmp_path / "out.mp3", audio=tmp_path / "gone.mp3")
    with pytest.raises(InvalidValue, match=r"nowhere"):
        write_id3([chapter("A", 0.0)], tmp_path / "nowhere" / "out.mp3", audio=mp3)
    with pytest.raises(InvalidValue, match="no start"):
        write_id3([chapter("A", None)], tmp_path / "out.mp3", audio=mp3)
    assert not (tmp_path / "out.mp3").exists()


def test_an_mp3_without_chapters(mp3: Path) -> None:
    assert read_id3(mp3) == []


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_tag_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(write_chapters([chapter("A", 0.0, url="https://x.y"), chapter("B", 9.0)], "id3")[:260])
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("id3") / "a.id3"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        marks = read_id3(path)
    except UnreadableSource as error:
        assert "\n" not in str(error)
    else:
        assert all(mark.end is None or mark.end > mark.start for mark in marks)
