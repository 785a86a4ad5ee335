"""Chapters inside an MP3: the CHAP and CTOC frames of ID3v2.

A chapter's title is its `TIT2` sub-frame, its link `WXXX`, its picture's address an `APIC` of the kind `-->`.
Chapters that no table of contents (`CTOC`) lists are hidden. Chapters that this program generated carry a
`TXXX:generated`.

https://id3.org/id3v2-chapters-1.0
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lexiscope.errors import InvalidValue, UnreadableSource, printable
from lexiscope.text.chapter_files import tidy
from lexiscope.text.chapter_times import check_times, spans
from lexiscope.text.chapters import Chapter
from lexiscope.text.transcript import Mark

if TYPE_CHECKING:
    from mutagen.id3 import CHAP, ID3

__all__ = ["id3_tag", "read_id3", "write_id3"]

_UNKNOWN = 0xFFFFFFFF  # what a time or offset is that is not given; else milliseconds
_UTF8 = 3
_TOP_LEVEL, _ORDERED = 2, 1
_FRONT_COVER = 3


def read_id3(path: str | Path) -> list[Mark]:
    """Read the chapters of an MP3, or of a file that is only a tag.

    Returns:
        The chapters by start, in whole milliseconds; empty if the file has none, or only generated ones.

    Raises:
        UnreadableSource: the file cannot be opened, or its tag is damaged.
    """
    from mutagen.id3 import ID3, ID3NoHeaderError

    with _clear_errors(path):
        try:
            tag = ID3(os.fspath(path))
        except ID3NoHeaderError:
            return []
        contents = tag.getall("CTOC")
        listed = {child for frame in contents for child in frame.child_element_ids}
        marks = [
            _mark(frame, hidden=bool(listed) and frame.element_id not in listed)
            for frame in tag.getall("CHAP")
            if "TXXX:generated" not in frame.sub_frames
        ]
    return tidy(marks, printable(path))


def id3_tag(chapters: Sequence[Chapter]) -> bytes:
    """Write chapters as an ID3v2.4 tag of its own, without audio.

    Args:
        chapters: with starts, in order.

    Raises:
        InvalidValue: a chapter has no start, starts before the one before it, or after 49 days.
    """
    from mutagen.id3 import ID3

    tag = ID3()
    _put(tag, chapters, _UNKNOWN)
    file = io.BytesIO()
    tag.save(file)
    return file.getvalue()


def write_id3(chapters: Sequence[Chapter], out: str | Path, *, audio: str | Path) -> None:
    """Write an MP3 with chapters; other tags stay, chapters that it had are replaced.

    The file is written aside and then put in place, so that an interruption leaves what was there.

    Args:
        chapters: with starts, in order. The last ends with the audio where its own end is unknown.
        out: the file to write; may be the audio itself.
        audio: the MP3.

    Raises:
        UnreadableSource: the audio is no MP3, or cannot be read.
        InvalidValue: the file cannot be written, or the times as `id3_tag` says.
    """
    import mutagen
    from mutagen.mp3 import MP3

    with _clear_errors(audio, "is no MP3 that can be read"):
        found = mutagen.File(os.fspath(audio))
    if not isinstance(found, MP3):
        raise UnreadableSource(
            f"{printable(audio)}: is no MP3, and only an MP3 takes ID3 chapters; convert it first"
        )
    if found.tags is None:
        found.add_tags()
    _put(found.tags, chapters, round(found.info.length * 1000))
    # Players that know only ID3v2.3 go on reading what they could read before.
    version = 3 if found.tags.version[:2] == (2, 3) else 4
    if version == 3:
        found.tags.update_to_v23()
    folder = Path(out).resolve().parent
    try:
        with _aside(folder) as copy:
            shutil.copyfile(audio, copy)
            found.tags.save(copy, v2_version=version)
            # The file aside was for its owner alone; who may read the audio may read it with chapters.
            os.chmod(copy, stat.S_IMODE(os.stat(audio).st_mode) | stat.S_IWUSR)
            os.replace(copy, out)
    except (OSError, mutagen.MutagenError) as error:
        raise InvalidValue(f"{printable(out)}: cannot be written ({error}); choose another place") from None


def _put(tag: ID3, chapters: Sequence[Chapter], length: int) -> None:
    """Replace the chapters of a tag."""
    from mutagen.id3 import APIC, CHAP, CTOC, TIT2, TXXX, WXXX, CTOCFlags

    check_times(chapters, "ID3", limit=_UNKNOWN / 1000)
    for frame_id in ("CHAP", "CTOC"):
        tag.delall(frame_id)
    listed = []
    for number, (chapter, (start, end)) in enumerate(zip(chapters, spans(chapters, length), strict=True)):
        parts = [TIT2(encoding=_UTF8, text=[chapter.title])]
        if chapter.url:
            parts.append(WXXX(encoding=_UTF8, desc="chapter url", url=chapter.url))
        if chapter.image:
            parts.append(
                APIC(encoding=_UTF8, mime="-->", type=_FRONT_COVER, desc="", data=chapter.image.encode())
            )
        if chapter.generated:
            parts.append(TXXX(encoding=_UTF8, desc="generated", text=["lexiscope"]))
        name = f"chp{number}"
        tag.add(CHAP(element_id=name, start_time=start, end_time=min(end, _UNKNOWN), sub_frames=parts))
        if not chapter.hidden:
            listed.append(name)
    flags = CTOCFlags(_TOP_LEVEL | _ORDERED)
    tag.add(CTOC(element_id="toc", flags=flags, child_element_ids=listed, sub_frames=[]))


def _mark(frame: CHAP, *, hidden: bool) -> Mark | None:
    if frame.start_time == _UNKNOWN:
        return None
    parts = frame.sub_frames
    title = next((str(part) for part in parts.getall("TIT2")), "")
    url = next((part.url for part in parts.getall("WXXX")), "")
    image = next(
        (part.data.decode("utf-8", "replace") for part in parts.getall("APIC") if part.mime == "-->"), ""
    )
    end = None if frame.end_time == _UNKNOWN else frame.end_time / 1000
    return Mark(frame.start_time / 1000, title, end, url, image, hidden)


@contextlib.contextmanager
def _aside(folder: Path) -> Iterator[str]:
    """Name a file in a folder that is gone afterwards, unless it was moved."""
    handle, name = tempfile.mkstemp(suffix=".mp3", dir=folder)
    os.close(handle)
    try:
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


@contextlib.contextmanager
def _clear_errors(path: str | Path, problem: str = "its ID3 tag cannot be read") -> Iterator[None]:
    """Say in one line what keeps a tag from being read."""
    from mutagen import MutagenError

    try:
        yield
    except (MutagenError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UnreadableSource(f"{printable(path)}: {problem} ({reason}); check the file") from None
