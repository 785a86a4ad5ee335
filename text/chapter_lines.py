"""Chapters as lines of a description: `(00:12:30) Title`, `12:30 Title`, `Title – 1:02:03`.

The hours may appear only midway, where the episode reaches them.
"""

from __future__ import annotations

import re
from itertools import pairwise

from lexiscope.text.transcript import Mark, seconds

__all__ = ["read_lines"]

_TIME = r"(?:\d{1,3}:[0-5]?\d|\d{1,3}):[0-5]\d(?:[.,]\d{1,3})?"
_DASH = r"[-‐‑–—―~→>]"
_BETWEEN = rf"(?:[\s|:/@]|{_DASH})"  # a time and a title
_BULLET = r"(?:[-*•·▪►▶●○➤→#]++\s*+|\d{1,3}[.)]\s++)*+"
_OPEN, _CLOSE = r"[(\[{<【（]?\s*", r"\s*[)\]}>】）]?"
_STAMP = rf"{_OPEN}(?P<start>{_TIME})(?:\s*{_DASH}+\s*(?P<end>{_TIME}))?{_CLOSE}"
_LEADING = re.compile(rf"{_BULLET}{_STAMP}{_BETWEEN}++(?P<title>\S.*)")
_TRAILING = re.compile(rf"{_BULLET}(?P<title>\S.*?){_BETWEEN}+{_STAMP}")
_LETTER = re.compile(r"[^\W_]")
# Longer lines are prose in which a time happens to be said.
_LONGEST = 300


def read_lines(description: str, *, until: float | None = None) -> list[Mark]:
    """Find the chapters in a description.

    Lines that begin with a time are taken, else lines that end with one. They are chapters if there are two
    or more, each later than the one before, none after the end of the episode; else they are opening hours,
    scores or the like, and none is taken.

    Args:
        description: plain text, lines kept.
        until: where the episode ends, in seconds; None if unknown.

    Returns:
        The chapters in order; empty if there are none.
    """
    lines = [line.strip() for line in description.split("\n") if len(line) <= _LONGEST]
    for form in (_LEADING, _TRAILING):
        marks = [mark for line in lines if (found := form.fullmatch(line)) and (mark := _mark(found))]
        ordered = all(one.start < other.start for one, other in pairwise(marks))
        if len(marks) >= 2 and ordered and (until is None or marks[-1].start <= until):
            return marks
    return []


def _mark(found: re.Match[str]) -> Mark | None:
    title = found["title"].strip()
    start, end = seconds(found["start"]), seconds(found["end"])
    if start is None or not _LETTER.search(title):
        return None
    return Mark(start, title, end if end is not None and end > start else None)
