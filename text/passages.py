"""Cut a transcript into passages of some 150 to 200 words, where a listener would pause.

A cut may fall between any two units, and inside a unit only if that alone is longer than a passage may be.
Each place has a price: nothing where the speaker changes, little at the end of a sentence or before a pause,
much in the middle of a clause; being shorter or longer than wanted costs, too. From every cut the cheapest
next one is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lexiscope.text.transcript import Transcript, Unit

__all__ = ["Passage", "cut_passages"]

_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’»)\]]*$")
_CLAUSE_END = re.compile(r"[,;:，、；：–—-]+[\"'”’»)\]]*$")
# Scripts that are written without spaces: kana, Han, Thai. Two of their letters count as a word.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"\S+")
# After a pause of this many seconds, even the middle of a sentence is a good place.
_LONG_PAUSE = 3.0


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
    price: float  # of cutting after it, 0 to 1


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
    left = sum(atom.words for atom in atoms)
    passages: list[Passage] = []
    begin = 0
    while begin < len(atoms):
        end, taken = _next_cut(atoms, begin, left, min_words, max_words)
        passages.append(_passage(units, atoms[begin:end]))
        begin, left = end, left - taken
    return passages


def _next_cut(
    atoms: Sequence[_Atom], begin: int, left: float, min_words: int, max_words: int
) -> tuple[int, float]:
    """Choose where the passage that begins at an atom ends (exclusive), and say how many words it has."""
    best_cost, best = float("inf"), (begin + 1, atoms[begin].words)
    taken = 0.0
    for place in range(begin, len(atoms)):
        taken += atoms[place].words
        if taken > 1.25 * max_words and place > begin:
            break
        rest = left - taken
        # What is left over must not be a crumb, unless nothing is.
        crumb = max(0.0, 1 - rest / min_words) if rest > 0.25 else 0.0
        cost = atoms[place].price + 2 * _misfit(taken, min_words, max_words) + crumb
        if rest <= 0.25 and taken <= max_words:
            cost = 0.0
        if cost <= best_cost:
            best_cost, best = cost, (place + 1, taken)
    return best


def _misfit(words: float, min_words: int, max_words: int) -> float:
    """How far a length is from what is wanted: 0 inside, 1 for nothing at all or a quarter too much."""
    if words < min_words:
        return 1 - words / min_words
    return max(0.0, words - max_words) / (0.25 * max_words)


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
    """Split a "word" of a script without spaces after each of its letters."""
    cuts = [begin, *(found.end() for found in _UNSPACED.finditer(text, begin, finish))]
    spans = [(left, right) for left, right in zip(cuts, [*cuts[1:], finish], strict=True) if left < right]
    # Closing marks stay with the letter before them.
    merged: list[tuple[int, int]] = []
    for left, right in spans:
        if merged and not any(letter.isalnum() for letter in text[left:right]):
            merged[-1] = (merged[-1][0], right)
        else:
            merged.append((left, right))
    return merged


def _words(text: str) -> float:
    """Count words; two letters of a script without spaces are one."""
    unspaced = len(_UNSPACED.findall(text))
    spaced = len(_UNSPACED.sub(" ", text).split()) if unspaced else len(text.split())
    return spaced + unspaced / 2


def _price_after(units: Sequence[Unit], number: int) -> float:
    """Price a cut between a unit and the next: turns and long pauses cost nothing."""
    if number + 1 >= len(units):
        return 0.0
    here, there = units[number], units[number + 1]
    if there.speaker != here.speaker:
        return 0.0
    price = 0.2 if _SENTENCE_END.search(here.text) else 0.6
    if here.end is None or there.start is None:
        return price
    pause = there.start - here.end
    if pause < 0 and here.start is not None and there.start < here.start:
        return 0.0  # the clock jumps back: another part of the recording
    return price * (1 - min(max(pause, 0.0), _LONG_PAUSE) / _LONG_PAUSE)


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
