"""Chapters of an episode: the creator's own where there are any, else cuts and titles made from its text.

Chapters cover the units in order, without gaps or overlaps, and every time is one that the file states:

* A creator's chapter keeps its title and its times. It begins with the unit that starts nearest to it.
* A generated chapter starts when its first unit starts. Where that unit has no time of its own (a sentence
  inside a speaker's turn, say), it starts with the turn, so that nothing of it is missed; what comes before
  the first time of the file starts then. Two chapters that would so start at the same time are one, and so
  are two of which the second would start before the first, because the clock jumps back.
"""

from __future__ import annotations

import logging
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Protocol

from lexiscope.text.transcript import Mark, Transcript, Unit

__all__ = ["Chapter", "Segmenter", "Titler", "make_chapters"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chapter:
    """A stretch of an episode with a title."""

    first_unit: int  # index into the transcript's units
    last_unit: int  # the same, inclusive; first_unit - 1 where the creator's chapter has no words
    title: str
    start: float | None  # seconds; None: the file does not say
    end: float | None  # seconds; None: the file does not say
    generated: bool  # cut and named by this program, not by the episode's creator
    url: str = ""
    image: str = ""
    hidden: bool = False  # not in the table of contents


class Segmenter(Protocol):
    """Cuts an episode into chapters."""

    def cuts(self, transcript: Transcript) -> list[int]:
        """First units of the chapters, ascending, from 0."""


class Titler(Protocol):
    """Names chapters."""

    def titles(self, transcript: Transcript, cuts: Sequence[int]) -> list[str]:
        """One title for each chapter that begins at a cut; none is empty."""


def make_chapters(
    transcript: Transcript, segmenter: Segmenter | None = None, titler: Titler | None = None
) -> list[Chapter]:
    """Give an episode its chapters.

    Args:
        transcript: the episode. Where it has marks, they become the chapters, all of them and nothing else.
        segmenter: decides where chapters begin; None takes the bundled one.
        titler: names them; None takes phrases from the text.

    Returns:
        Chapters that cover all units in order, without gaps or overlaps.
    """
    if transcript.marks:
        return _published(transcript)
    if not transcript.units:
        return []
    if segmenter is None:
        from lexiscope.text.segmentation import Segmenter as Bundled

        segmenter = Bundled.bundled()
    if titler is None:
        from lexiscope.text.titles import ExtractiveTitler

        titler = ExtractiveTitler()
    cuts = _playable(transcript, segmenter.cuts(transcript))
    return _generated(transcript, cuts, titler.titles(transcript, cuts))


def _playable(transcript: Transcript, cuts: Sequence[int]) -> list[int]:
    """Keep the cuts that a listener can tell apart: as many as have ascending times, if there are times."""
    units = transcript.units
    inner = sorted({cut for cut in cuts if 0 < cut < len(units)})
    first = _stated_start(units, 0)
    if first is None:
        return [0, *inner]
    timed = next(number for number, unit in enumerate(units) if unit.start is not None)
    later = [cut for cut in inner if cut > timed]
    starts = [start for cut in later if (start := _stated_start(units, cut)) is not None]
    kept = _longest_ascending(
        [(start, cut) for start, cut in zip(starts, later, strict=True) if start > first]
    )
    if any(start < first for start in starts) or len(kept) < len(
        {start for start in starts if start > first}
    ):
        log.warning(
            "%s: its times jump back, so some chapters cannot be told apart by them", transcript.title
        )
    return [0, *kept]


def _longest_ascending(pairs: Sequence[tuple[float, int]]) -> list[int]:
    """The cuts of the longest row whose times ascend; of two at the same time, the first."""
    best: list[list[int]] = []
    for place, (start, cut) in enumerate(pairs):
        rows = [best[before] for before in range(place) if pairs[before][0] < start]
        best.append([*max(rows, key=len, default=[]), cut])
    return max(best, key=len, default=[])


def _generated(transcript: Transcript, cuts: Sequence[int], titles: Sequence[str]) -> list[Chapter]:
    units = transcript.units
    starts = [_stated_start(units, cut) for cut in cuts]
    lasts = [*(cut - 1 for cut in cuts[1:]), len(units) - 1]
    ends = [*starts[1:], units[-1].end]
    return [
        Chapter(first, last, title, start, _after(start, end), True)
        for first, last, title, start, end in zip(cuts, lasts, titles, starts, ends, strict=True)
    ]


def _stated_start(units: Sequence[Unit], number: int) -> float | None:
    """When a unit starts; without a time of its own, when the last one before it does, else the next."""
    around = (*units[number::-1], *units[number + 1 :])
    return next((unit.start for unit in around if unit.start is not None), None)


def _published(transcript: Transcript) -> list[Chapter]:
    """The creator's chapters, each with the units that are spoken in it."""
    marks = sorted(transcript.marks, key=lambda mark: mark.start)
    firsts = _first_units(transcript, marks)
    last_end = transcript.units[-1].end if transcript.units else None
    nexts = [*(mark.start for mark in marks[1:]), last_end]
    chapters = [
        Chapter(
            first,
            until - 1,
            mark.title.strip() or f"Chapter {number}",
            mark.start,
            _after(mark.start, after if mark.end is None else mark.end),
            False,
            mark.url,
            mark.image,
            mark.hidden,
        )
        for number, (mark, (first, until), after) in enumerate(
            zip(marks, pairwise([*firsts, len(transcript.units)]), nexts, strict=True), 1
        )
    ]
    return [replace(chapters[0], first_unit=0), *chapters[1:]]


def _first_units(transcript: Transcript, marks: Sequence[Mark]) -> list[int]:
    """The unit that begins nearest to each mark; ascending, from 0, so that every unit has a chapter."""
    stated = [(unit.start, number) for number, unit in enumerate(transcript.units) if unit.start is not None]
    if not stated:
        return _shares(transcript, marks)
    # A clock that jumps back must not take units out of their order.
    times = [*accumulate((start for start, _ in stated), max), transcript.units[-1].end or math.inf]
    numbers = [*(number for _, number in stated), len(transcript.units)]
    firsts = [0]
    for mark in marks[1:]:
        place = min(bisect_left(times, mark.start), len(stated))
        if place and mark.start - times[place - 1] < times[place] - mark.start:
            end = transcript.units[numbers[place - 1]].end
            place -= end is None or end > mark.start  # else that unit is over before the chapter begins
        firsts.append(max(numbers[place], firsts[-1]))
    return firsts


def _shares(transcript: Transcript, marks: Sequence[Mark]) -> list[int]:
    """Share out units without times by the lengths of the chapters: people talk at an even pace."""
    log.warning(
        "%s: the transcript has no times; its words are shared out by the lengths of the creator's chapters",
        transcript.title,
    )
    lengths = [after.start - mark.start for mark, after in pairwise(marks)]
    typical = sorted(lengths)[len(lengths) // 2] if lengths else 1.0
    final = marks[-1].end
    lengths.append(typical if final is None else max(0.0, final - marks[-1].start))
    reached = [0.0, *accumulate(lengths)]
    spoken = [0, *accumulate(len(unit.text.split()) for unit in transcript.units)]
    scale = spoken[-1] / reached[-1] if reached[-1] else 0.0
    return [bisect_left(spoken, moment * scale, hi=len(transcript.units)) for moment in reached[:-1]]


def _after(start: float | None, end: float | None) -> float | None:
    """An end that is after its start, or None: the clock jumps back."""
    return end if end is not None and (start is None or end > start) else None
