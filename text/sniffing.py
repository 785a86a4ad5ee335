"""Tell, from a look at a file, whether it is a transcript or a feed, without loading all of it."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Literal

from lexiscope.text.captions import is_srt, is_vtt
from lexiscope.text.decoding import decode
from lexiscope.text.feed import is_feed
from lexiscope.text.html_transcript import has_cited_turns, is_html
from lexiscope.text.plain import has_turns_or_times

__all__ = ["sniff_transcript"]

_HEAD = 65_536  # bytes of a text that are looked at
_PLAIN = frozenset({".txt", ".md", ".markdown"})
_CHUNK = 1 << 20
_SEGMENTS = re.compile(rb'"(?:segments|transcription)"\s*:')
_CHAPTERS = re.compile(rb'"chapters"\s*:')
# The lists of segments and words that have no name, and Whisper's text that comes before its segments.
_BEGINNING = re.compile(rb'\s*(?:\[\s*\{[^{}]*"(?:text|body|word)"\s*:|\{\s*"text"\s*:\s*")')


def sniff_transcript(path: str | Path) -> Literal["transcript", "feed", "chapters", "prose", "other"]:
    """Tell what a text file is: a transcript, a feed, chapters, prose without turns or times, something else.

    What is empty or breaks off counts as a transcript, so that reading it says what is wrong.

    Raises:
        OSError: it cannot be read.
    """
    suffix = PurePath(path).suffix.lower()
    if PurePath(path).name.lower().endswith(".chapters.vtt"):
        return "chapters"
    if suffix in {".vtt", ".srt"}:
        return "transcript"
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    text = decode(head)
    if not head or is_vtt(text) or is_srt(text):
        return "transcript"
    if is_feed(text):
        return "feed"
    if suffix == ".json":
        return _sniff_json(path)
    if suffix in {".html", ".htm"} or (suffix in _PLAIN and is_html(text)):
        return "transcript" if has_cited_turns(text) else "prose"
    if suffix not in _PLAIN:
        return "other"
    return "transcript" if has_turns_or_times(text) else "prose"


def _sniff_json(path: str | Path) -> Literal["transcript", "chapters", "other"]:
    """Look for the names that transcripts and chapters have in JSON."""
    chapters, last, overlap = False, b"", b""
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            # UTF-16 is half zeros; without them its names look like those of UTF-8.
            part = overlap + chunk.replace(b"\0", b"")
            if _SEGMENTS.search(part) or (
                not last and _BEGINNING.match(part.lstrip(b"\xef\xbb\xbf\xff\xfe"))
            ):
                return "transcript"
            chapters = chapters or _CHAPTERS.search(part) is not None
            last, overlap = part.rstrip()[-1:] or last, part[-64:]
    if chapters and last == b"}":
        return "chapters"
    return "other" if last in (b"}", b"]") else "transcript"
