"""WebVTT and SubRip (SRT): cues with a start, an end and some lines of text."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator

from lexiscope.errors import UnreadableSource
from lexiscope.text.speakers import name_turns
from lexiscope.text.transcript import Unit, seconds

__all__ = ["is_srt", "is_vtt", "read_srt", "read_vtt"]

log = logging.getLogger(__name__)

_ARROW = re.compile(r"^[^\n]*\d[^\n]*-->", re.MULTILINE)
_SRT_HEAD = re.compile(r"\s*(?:\d+\s*\n)?\s*\d+:\d+:\d+[,.]\d+\s*-->")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_INNER_TIME = re.compile(r"<(?:\d+:)?\d+:\d+\.\d+>")
_TAG = re.compile(r"</?(?:[cibuv]|rt|ruby|lang|font|s)(?:[.\s][^>]*)?>|<[\d:.]+>|\{\\[^}]*\}", re.IGNORECASE)
_NOTE = re.compile(r"^(title|url|audio)\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)
# A description goes on to the next field, or to the end of the comment: it may list chapters, line by line.
_DESCRIPTION = re.compile(
    r"^description\s*:\s*(.+?)\s*(?=\Z|^(?:title|url|audio)\s*:)", re.IGNORECASE | re.MULTILINE | re.DOTALL
)


def is_vtt(text: str) -> bool:
    """Tell whether a text is WebVTT by its first line."""
    return re.match(r"\s*WEBVTT(?:\s|$)", text) is not None


def is_srt(text: str) -> bool:
    """Tell whether a text is SubRip by its first cue."""
    return _SRT_HEAD.match(text) is not None


def read_vtt(text: str, name: str) -> tuple[list[Unit], dict[str, str]]:
    """Read WebVTT: voice tags are speakers; `NOTE title: …` and the like say what the episode is.

    A file that breaks off is read as far as it goes; cues that cannot be read are counted in the log.

    Returns:
        The units, and what is known of `title`, `description`, `url` and `audio`.

    Raises:
        UnreadableSource: it is no WebVTT.
    """
    import webvtt
    from webvtt.errors import MalformedFileError

    try:
        captions = webvtt.from_string(text.lstrip())
    except MalformedFileError:
        raise UnreadableSource(f"{name}: does not begin with WEBVTT; export the transcript again") from None
    _log_unread(text, len(captions.captions), name)
    about = dict(
        _notes([*captions.header_comments, *(note for cue in captions.captions for note in cue.comments)])
    )
    if header := text.lstrip().partition("\n")[0].removeprefix("WEBVTT").strip(" -–—\t"):
        about.setdefault("title", header)
    cues = [(seconds(cue.start), seconds(cue.end), cue.raw_text) for cue in captions.captions]
    if _INNER_TIME.search(text):
        cues = list(_unroll(cues))
    return name_turns(unit for cue in cues for unit in _voices(*cue)), about


def read_srt(text: str, name: str) -> tuple[list[Unit], dict[str, str]]:
    """Read SubRip; "Ada: …" at the beginning of cues becomes the speaker.

    A file that breaks off is read as far as it goes; cues that cannot be read are counted in the log.
    """
    import srt

    cues = list(srt.parse(text, ignore_errors=True))
    _log_unread(text, len(cues), name)
    units = [
        Unit(_plain(cue.content), None, cue.start.total_seconds(), cue.end.total_seconds()) for cue in cues
    ]
    return name_turns(units), {}


def _voices(start: float | None, end: float | None, raw: str) -> Iterator[Unit]:
    """Split a cue at its voice tags: two people who speak in one cue are two units with its times."""
    parts = _VOICE.split(raw)  # text before the first voice, then name, text, name, text, …
    if before := _plain(parts[0]).strip(" -\n"):
        yield Unit(before, None, start, end)
    for voice, words in zip(parts[1::2], parts[2::2], strict=True):
        yield Unit(_plain(words), html.unescape(voice).strip() or None, start, end)


def _unroll(
    cues: list[tuple[float | None, float | None, str]],
) -> Iterator[tuple[float | None, float | None, str]]:
    """Undo roll-up captions, as YouTube makes them: each cue repeats the last line of the one before."""
    shown: str | None = None
    for start, end, raw in cues:
        lines = [line for line in raw.split("\n") if _plain(line).strip()]
        fresh = lines[1:] if lines and _plain(lines[0]).strip() == shown else lines
        if lines:
            shown = _plain(lines[-1]).strip()
        if fresh:
            yield start, end, "\n".join(fresh)


def _plain(raw: str) -> str:
    """Take the markup out of a cue's text."""
    return html.unescape(_TAG.sub("", raw))


def _notes(comments: list[str]) -> Iterator[tuple[str, str]]:
    for comment in comments:
        for key, value in _NOTE.findall(comment):
            yield key.lower(), " ".join(value.split())
        for value in _DESCRIPTION.findall(comment):
            yield "description", value


def _log_unread(text: str, read: int, name: str) -> None:
    """Say how many cues were lost: a file is never cut off in silence."""
    if (lost := len(_ARROW.findall(text)) - read) > 0:
        log.warning("%s: %d cues could not be read; the file may be half-written", name, lost)
