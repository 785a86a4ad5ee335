"""What a transcript is, whichever format it came in: who said what, and when."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["Mark", "Transcript", "Unit", "mend_times", "one_line", "seconds"]

log = logging.getLogger(__name__)

# Half of a pair, as broken JSON has it, is in no encoding.
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_STAMP = re.compile(r"(?:(?:(\d+):)?(\d{1,3}):)?(\d+(?:[.,]\d*)?)")


@dataclass(frozen=True)
class Unit:
    """One utterance, as the file has it: a cue, a segment, a speaker's turn or a paragraph."""

    text: str  # spoken words; white space is single spaces
    speaker: str | None = None
    start: float | None = None  # seconds from the beginning of the recording; None: the file does not say
    end: float | None = None  # seconds, never before `start`; None: the file does not say


@dataclass(frozen=True)
class Mark:
    """A chapter as the creator of the episode published it."""

    start: float  # seconds from the beginning of the recording
    title: str  # as published, so it may be empty
    end: float | None = None  # seconds, after `start`; None: until the next mark
    url: str = ""
    image: str = ""
    hidden: bool = False  # not in the table of contents: Podcasting 2.0 `"toc": false`


@dataclass(frozen=True)
class Transcript:
    """An episode: its units in the order of the file, and what is published about it."""

    title: str
    units: tuple[Unit, ...]
    description: str = ""  # plain text; lines are kept
    url: str = ""
    audio: str = ""
    marks: tuple[Mark, ...] = ()  # the creator's chapters, by start; empty: none were published
    published: str = ""  # the date and time of publication, ISO 8601; empty: the file does not say

    @property
    def speakers(self) -> tuple[str, ...]:
        """All speakers by name, in the order in which they first speak."""
        return tuple(dict.fromkeys(unit.speaker for unit in self.units if unit.speaker))


def one_line(text: str) -> str:
    r"""Make a text safe to show, encode and store: single spaces, no control characters, valid Unicode.

    >>> one_line(" Good\n evening\x00 ")
    'Good evening'
    """
    return " ".join(_encodable(_CONTROL.sub(" ", text)).split())


def _encodable(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def seconds(value: object) -> float | None:
    """Read a time in seconds, as a number or as `[[hh:]mm:]ss[.fff]`; None where it is no time.

    >>> seconds("01:02:03.5"), seconds("2:03"), seconds(7), seconds("soon"), seconds(float("nan"))
    (3723.5, 123.0, 7.0, None, None)
    """
    if isinstance(value, str):
        found = _STAMP.fullmatch(value.strip())
        if found is None:
            return None
        hours, minutes, rest = (float((part or "0").replace(",", ".")) for part in found.groups())
        value = round(hours * 3600 + minutes * 60 + rest, 6)  # 1:22.046 is 82.046, not 82.04599…
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) and value >= 0 else None
    except OverflowError:  # a whole number of hundreds of digits
        return None


def mend_times(units: Iterable[Unit], name: str) -> tuple[Unit, ...]:
    """Drop units without words, and make times safe to use without inventing any.

    The order of the file is the order of speech, so units are never sorted: a clock that jumps back (parts
    transcribed one by one, say) would shuffle the words. Starts stay as written. An end before its own start
    is wrong for sure, and becomes None: unknown. Both are said once, in the log.

    Args:
        units: as read.
        name: of the file, for the log.
    """
    kept: list[Unit] = []
    backwards, upside_down, latest = 0, 0, 0.0
    for unit in units:
        text = " ".join(_encodable(unit.text).split())
        if not text:
            continue
        speaker, end = one_line(unit.speaker or "") or None, unit.end
        if unit.start is not None:
            backwards += unit.start < latest
            latest = unit.start
            if end is not None and end < unit.start:
                upside_down, end = upside_down + 1, None
        kept.append(replace(unit, text=text, speaker=speaker, end=end))
    if backwards:
        log.warning("%s: %d times are out of order; the order of the file is kept", name, backwards)
    if upside_down:
        log.warning("%s: %d parts end before they start; their ends are ignored", name, upside_down)
    return tuple(kept)
