"""Cut a transcript into passages of some 150 to 200 words, where a listener would pause.

A cut may fall between any two units, and inside a unit only if that alone is longer than a passage may be.
Each place has a price: little where the speaker changes or a sentence ends, much in the middle of a clause,
and less than nothing at a long pause, which is worth a passage that is too short. How far the length is from
what is wanted costs by its square. Of all ways to cut the whole, the cheapest is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lexiscope.text.transcript import Transcript, Unit

__all__ = ["Passage", "cut_passages"]

FloatArray = NDArray[np.float64]

_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’»)\]]*$")
_CLAUSE_END = re.compile(r"[,;:，、；：–—-]+[\"'”’»)\]]*$")
# Scripts that are written without spaces: kana, Han, Thai. Two of their letters count as a word.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LETTER = re.compile(rf"{_UNSPACED.pattern}[^\w\s「『（《“‘(\[]*")
_WORD = re.compile(r"\S+")
# A pause of this many seconds is taken for a change of subject, and is worth this much.
_LONG_PAUSE = 3.0
_PAUSE_WORTH = 0.5


@dataclass(frozen=True)
class Passage:
    """A stretch of a transcript that is found, and listened to, as one."""

    text: str  # its words, single spaces
    start: float | None  # seconds: that of its first unit, whole or in part; None if the file does not say
    end: float | None  # seconds: that of its last unit; None if the file does not say
    first_unit: int  # index into the transcript's units
    last_unit: int  # the same, inclusive


@dataclass(frozen=True)
class _Atom:
    """The least that is never cut: a word, or a letter where words are not spaced, or a whole unit."""

    unit: int
    begin: int  # offsets into the unit's text
    finish: int
    words: float
    price: float  # of cutting after it, at most 1


def cut_passages(transcript: Transcript, *, min_words: int = 150, max_words: int = 200) -> list[Passage]:
    """Cut a transcript into passages.

    Every word comes in exactly one passage, in order. A passage has `min_words` to `max_words` where the
    units allow it, and never more than a quarter above. Times are those of units, never made up: the later
    part of a unit that had to be cut has that unit's own start.

    Args:
        transcript: the episode; units without words are ignored.
        min_words: below this, a passage is too short; at least 1.
        max_words: above this, too long; at least `min_words`.

    Raises:
        ValueError: the limits are not 1 ≤ min_words ≤ max_words.
    """
    if not 1 <= min_words <= max_words:
        raise ValueError(f"expected 1 <= min_words <= max_words, not {min_words} and {max_words}")
    units = transcript.units
    atoms = [atom for number in range(len(units)) for atom in _atoms(units, number, max_words)]
    ends = _cheapest_ends(atoms, min_words, max_words)
    return [_passage(units, atoms[begin:end]) for begin, end in pairwise([0, *ends])]


def _cheapest_ends(atoms: Sequence[_Atom], min_words: int, max_words: int) -> list[int]:
    """Find where passages end (exclusive, the last one too) so that all prices together are least.

    Dynamic programming from the end: the cheapest way to cut what follows an atom does not depend on what
    comes before it.
    """
    totals = np.concatenate([[0.0], np.cumsum([atom.words for atom in atoms])])
    prices = np.array([atom.price for atom in atoms])
    costs = np.zeros(len(atoms) + 1)
    nexts = np.zeros(len(atoms) + 1, dtype=np.int64)
    # One past the last atom that still fits into a passage beginning at each atom, and at least that atom.
    limits = np.searchsorted(totals, totals[:-1] + 1.25 * max_words, side="right") - 1
    limits = np.maximum(limits, np.arange(1, len(atoms) + 1))
    for begin in range(len(atoms) - 1, -1, -1):
        reach = slice(begin + 1, limits[begin] + 1)
        words = totals[reach] - totals[begin]
        total = prices[begin : limits[begin]] + _misfit(words, min_words, max_words) + costs[reach]
        nexts[begin] = begin + 1 + int(np.argmin(total))
        costs[begin] = total.min()
    ends: list[int] = []
    begin = 0
    while begin < len(atoms):
        begin = int(nexts[begin])
        ends.append(begin)
    return ends


def _misfit(words: FloatArray, min_words: int, max_words: int) -> FloatArray:
    """Price lengths: 0 for what is wanted, growing by the square to 2 for nothing or a quarter too much."""
    short = np.maximum(0.0, 1 - words / min_words)
    long = np.maximum(0.0, words - max_words) / (0.25 * max_words)
    return np.asarray(2 * (short**2 + long**2), dtype=np.float64)


def _atoms(units: Sequence[Unit], number: int, max_words: int) -> list[_Atom]:
    """Take a unit whole, or word by word if it is longer than a passage may be."""
    text = units[number].text
    spans = [(found.start(), found.end()) for found in _WORD.finditer(text)]
    if not spans:
        return []
    size = _words(text)
    if size <= max_words:
        return [_Atom(number, spans[0][0], spans[-1][1], size, _price_after(units, number))]
    fine = [part for begin, finish in spans for part in _letters(text, begin, finish)]
    inner = [
        _Atom(number, begin, finish, _words(text[begin:finish]), _price_inside(text[begin:finish]))
        for begin, finish in fine[:-1]
    ]
    begin, finish = fine[-1]
    return [*inner, _Atom(number, begin, finish, _words(text[begin:finish]), _price_after(units, number))]


def _letters(text: str, begin: int, finish: int) -> list[tuple[int, int]]:
    """Split a "word" of a script without spaces after each of its letters, with the marks that follow it."""
    cuts = [begin, *(found.end() for found in _LETTER.finditer(text, begin, finish)), finish]
    return [(left, right) for left, right in pairwise(cuts) if left < right]


def _words(text: str) -> float:
    """Count words; two letters of a script without spaces are one."""
    unspaced = len(_UNSPACED.findall(text))
    spaced = len(_UNSPACED.sub(" ", text).split()) if unspaced else len(text.split())
    return spaced + unspaced / 2


def _price_after(units: Sequence[Unit], number: int) -> float:
    """Price a cut between a unit and the next."""
    if number + 1 >= len(units):
        return 0.0
    here, there = units[number], units[number + 1]
    price = 0.1 if there.speaker != here.speaker else 0.2 if _SENTENCE_END.search(here.text) else 0.6
    if there.start is None:
        return price
    if here.start is not None and there.start < here.start:
        return -_PAUSE_WORTH  # the clock jumps back: another part of the recording
    pause = 0.0 if here.end is None else min(max(there.start - here.end, 0.0), _LONG_PAUSE)
    return price - _PAUSE_WORTH * pause / _LONG_PAUSE


def _price_inside(word: str) -> float:
    """Price a cut inside a unit: the later part loses its exact start, so between units is better."""
    if _SENTENCE_END.search(word):
        return 0.4
    return 0.8 if _CLAUSE_END.search(word) else 1.0


def _passage(units: Sequence[Unit], atoms: Sequence[_Atom]) -> Passage:
    """Put atoms together, with the times of the first and the last unit they come from."""
    first, last = atoms[0].unit, atoms[-1].unit
    spans: dict[int, tuple[int, int]] = {}
    for atom in atoms:
        begin = spans.get(atom.unit, (atom.begin, 0))[0]
        spans[atom.unit] = (begin, atom.finish)
    text = " ".join(units[number].text[begin:finish] for number, (begin, finish) in spans.items())
    start, end = units[first].start, units[last].end
    if start is not None and end is not None and end < start:
        end = None  # the clock jumps back inside the passage
    return Passage(" ".join(text.split()), start, end, first, last)
