"""Write chapters: Podcasting 2.0 chapters JSON 1.2.0, WebVTT, lines for a description, an ID3 tag.

A time is never made up, and never written where players would take it for another: chapters without starts,
or with starts that go backwards, are refused in all formats that live by their times, and become lines
without times in the one that does not.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, overload

from lexiscope.errors import InvalidValue
from lexiscope.text.chapter_files import GENERATED_NOTE, OPEN_END
from lexiscope.text.chapter_times import check_times, clock, in_order, spans
from lexiscope.text.chapters import Chapter
from lexiscope.text.id3 import id3_tag
from lexiscope.text.transcript import one_line

__all__ = ["ChapterFormat", "write_chapters"]

ChapterFormat = Literal["json", "vtt", "text", "id3"]
"""Podcasting 2.0 chapters 1.2.0; WebVTT; `(hh:mm:ss) Title` lines; the bytes of an ID3v2.4 tag."""


@overload
def write_chapters(
    chapters: Sequence[Chapter], form: Literal["json", "vtt", "text"], *, title: str = ...
) -> str: ...
@overload
def write_chapters(chapters: Sequence[Chapter], form: Literal["id3"], *, title: str = ...) -> bytes: ...
@overload
def write_chapters(chapters: Sequence[Chapter], form: ChapterFormat, *, title: str = ...) -> str | bytes: ...
def write_chapters(chapters: Sequence[Chapter], form: ChapterFormat, *, title: str = "") -> str | bytes:
    """Write the chapters of an episode.

    Generated chapters are labelled as such in all formats but the text, whose lines go into descriptions:
    `"generated": true` in JSON, a NOTE in WebVTT, a `TXXX:generated` frame in ID3. Hidden chapters are left
    out of WebVTT and text, which cannot say that they are.

    Args:
        chapters: in order.
        form: json, vtt, text or id3; `text.id3.write_id3` puts chapters into an MP3.
        title: of the episode, for the JSON.

    Returns:
        The content of a file: text, or bytes for id3.

    Raises:
        InvalidValue: the format is unknown; a chapter has no start, starts before the one before it, or is
            beyond what the format can hold.
    """
    named = [
        replace(chapter, title=one_line(chapter.title) or f"Chapter {number}")
        for number, chapter in enumerate(chapters, 1)
    ]
    if form == "json":
        return _json(named, one_line(title))
    if form == "vtt":
        return _vtt(named)
    if form == "text":
        return _text(named)
    if form == "id3":
        return id3_tag(named)
    raise InvalidValue(f"chapters cannot be written as {form!r}; choose json, vtt, text or id3")


def _json(chapters: Sequence[Chapter], title: str) -> str:
    check_times(chapters, "JSON")
    entries = [_entry(chapter) for chapter in chapters]
    whole = {"version": "1.2.0"} | ({"title": title} if title else {}) | {"chapters": entries}
    return json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _entry(chapter: Chapter) -> dict[str, Any]:
    """One chapter object, in the order of the published examples, without what is unknown."""
    times = {"startTime": chapter.start, "endTime": chapter.end}
    entry: dict[str, Any] = {
        key: int(time) if time == int(time) else time for key, time in times.items() if time is not None
    }
    texts = {"title": chapter.title, "img": chapter.image, "url": chapter.url}
    entry |= {key: one_line(text) for key, text in texts.items() if text}
    if chapter.hidden:
        entry["toc"] = False
    if chapter.generated:
        entry["generated"] = True
    return entry


def _vtt(chapters: Sequence[Chapter]) -> str:
    import webvtt

    check_times(chapters, "WebVTT", limit=OPEN_END)
    cues = [
        webvtt.Caption(
            _stamp(start), _stamp(end), html.escape(chapter.title, quote=False), identifier=str(number)
        )
        for number, (chapter, (start, end)) in enumerate(
            zip(chapters, spans(chapters, round(OPEN_END * 1000)), strict=True), 1
        )
        if not chapter.hidden
    ]
    notes = [GENERATED_NOTE] if any(chapter.generated for chapter in chapters) else []
    return webvtt.WebVTT(captions=cues, header_comments=notes).content + "\n"


def _stamp(milliseconds: int) -> str:
    return f"{clock(milliseconds // 1000)}.{milliseconds % 1000:03}"


def _text(chapters: Sequence[Chapter]) -> str:
    """Lines with the times of all, or of none."""
    timed = in_order(chapters)
    return "".join(
        f"({clock(chapter.start or 0.0)}) {chapter.title}\n" if timed else f"{chapter.title}\n"
        for chapter in chapters
        if not chapter.hidden
    )
