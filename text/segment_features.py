"""What there is to see at a place where a chapter could begin.

Everything is measured in words, whatever the units are: sentences, turns or captions of three seconds. What a
transcript does not have (speakers, punctuation) gives zeros. Most measures are given as they are and against
the mean of the episode, so that they mean the same in a lecture and in small talk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.special import gammaln

from lexiscope.text.cue_words import CUE_KINDS, cues_among
from lexiscope.text.segment_kernels import compare_windows
from lexiscope.text.spoken_words import SpokenWords, count_words, words_in
from lexiscope.text.transcript import Transcript

__all__ = ["FEATURES", "Places", "look_at"]

FloatArray = NDArray[np.float64]
Int64 = NDArray[np.int64]

WINDOWS = (50, 120, 300, 700)
"""Words on either side whose vocabularies are compared."""
SPEAKER_WINDOWS = (60, 250)
BETA = 0.15  # concentration of words in a segment (`lexiscope.evaluation.bayesseg` estimates as much)
_BLOCK = 100  # words; how many of these blocks a word is in says how little it tells
_LONG_AGO = 500  # words
_OPENING = 8  # words at the beginning of a unit in which cues are looked for
_ONSET = 60  # words in which new ones count
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")


@dataclass(frozen=True)
class Places:
    """An episode as the scorer sees it: one row a unit, for a cut before it."""

    features: FloatArray  # (units, len(FEATURES))
    openings: tuple[tuple[str, ...], ...]  # the first words of each unit and what follows, at most eight
    begins: Int64  # (units + 1,) words before each unit; the last is their number


def look_at(transcript: Transcript) -> Places:
    """Measure every place of a transcript.

    Args:
        transcript: with one unit or more.
    """
    units = [words_in(unit.text) for unit in transcript.units]
    words = count_words(units)
    columns = dict(_columns(transcript, units, words))
    features = np.stack([columns[name] for name in FEATURES], axis=1)
    return Places(features, tuple(map(tuple, _openings(units))), words.begins)


def _columns(
    transcript: Transcript, units: Sequence[Sequence[str]], words: SpokenWords
) -> Iterator[tuple[str, FloatArray]]:
    yield from _cohesion(words)
    yield from _onsets(words, transcript)
    yield from _speakers(transcript, words)
    yield from _cues(units)
    yield from _shape(transcript, words)


def _cohesion(words: SpokenWords) -> Iterator[tuple[str, FloatArray]]:
    """How alike the words before and after are, and whether two sources of them are likelier than one."""
    places = words.begins[:-1]
    vocabulary = max(1, len(words.vocabulary))
    squares = _rarity(words) ** 2
    sizes = np.arange(len(words.terms) + 1)
    gains = np.log(sizes + BETA)
    costs = gammaln(vocabulary * BETA) - gammaln(vocabulary * BETA + sizes)
    per_unit = max(1.0, len(words.terms) / len(places))
    for size in WINDOWS:
        cosine, apart = compare_windows(words.terms, squares, gains, costs, places, size).T
        reach = max(1, round(size / per_unit))
        depth = _depth(cosine, reach)
        yield f"cosine {size}", cosine
        yield f"cosine {size} of episode", _standard(cosine)
        yield f"depth {size}", depth
        yield f"apart {size}", _standard(apart)
        yield f"apart {size} peak", apart - maximum_filter1d(apart, 2 * reach + 1, mode="nearest")


def _onsets(words: SpokenWords, transcript: Transcript) -> Iterator[tuple[str, FloatArray]]:
    """Words that begin here and come again, and words that end here."""
    count = len(words.terms)
    before, after = _distances(words.terms)
    rarity = np.where(words.terms >= 0, _rarity(words)[words.terms], 0.0) if count else np.zeros(0)
    again = after < _LONG_AGO
    places, per_word = words.begins[:-1], 1.0 / _ONSET
    fresh = _sums(rarity * (before >= _LONG_AGO) * again)
    first = _sums((words.terms >= 0) * np.isinf(before))
    over = _sums(rarity * (after >= _LONG_AGO) * (before < _LONG_AGO))
    ahead, behind = np.minimum(places + _ONSET, count), np.maximum(places - _ONSET, 0)
    onset = (fresh[ahead] - fresh[places]) * per_word
    fading = (over[places] - over[behind]) * per_word
    yield "onset", _standard(onset)
    yield "onset rise", _standard(onset - (fresh[places] - fresh[behind]) * per_word)
    yield "first words", _standard((first[ahead] - first[places]) * per_word)
    yield "fading", _standard(fading)
    named = {
        term for term in count_words([words_in(f"{transcript.title} {transcript.description}")]).vocabulary
    }
    is_named = np.array([term in named for term in words.vocabulary] + [False])[words.terms]
    published = _sums(rarity * is_named * (before >= _LONG_AGO))
    yield "named onset", _standard((published[ahead] - published[places]) * per_word)


def _speakers(transcript: Transcript, words: SpokenWords) -> Iterator[tuple[str, FloatArray]]:
    """Who speaks, before and after; all zero with fewer than two speakers."""
    numbers: dict[str | None, int] = {}
    units = np.array([numbers.setdefault(unit.speaker, len(numbers)) for unit in transcript.units])
    known = float(len(numbers) > 1)
    lengths = np.diff(words.begins)
    changes = np.concatenate([[0.0], units[1:] != units[:-1]])
    turns = np.cumsum(changes).astype(np.int64)
    turn_words = np.bincount(turns, lengths)
    shares = np.bincount(units, lengths) / max(1, len(words.terms))
    before, places = np.maximum(turns - 1, 0), words.begins[:-1]
    turn_begins = np.concatenate([[0], np.cumsum(turn_words)])[turns]
    left = turn_words - 0.0
    yield "speakers known", np.full(len(units), known)
    yield "speaker changes", changes * known
    yield "turn before", changes * known * np.log1p(left[before])
    yield "turn after", changes * known * np.log1p(turn_words[turns])
    yield "turn so far", (1 - changes) * known * np.log1p(np.maximum(0, places - turn_begins))
    yield "turn to come", (1 - changes) * known * np.log1p(turn_begins + turn_words[turns] - places)
    yield "host", known * (units == units[0])
    yield "host takes over", known * changes * (units == units[0])
    yield "share of speaker", known * shares[units]
    unit_of_word = np.repeat(np.arange(len(units)), lengths)
    speaking = units[unit_of_word]
    turnover = _sums(changes[unit_of_word] * np.concatenate([[0], np.diff(unit_of_word)]).astype(bool))
    count = len(speaking)
    flat, no_costs = np.ones(len(numbers)), np.zeros(count + 1)
    for size in SPEAKER_WINDOWS:
        ahead, behind = np.minimum(places + size, count), np.maximum(places - size, 0)
        alike = compare_windows(speaking, flat, no_costs, no_costs, places, size)[:, 0]
        yield f"speakers alike {size}", known * _standard(alike)
        yield f"turns before {size}", known * _standard(turnover[places] - turnover[behind])
        yield f"turns after {size}", known * _standard(turnover[ahead] - turnover[places])


def _cues(units: Sequence[Sequence[str]]) -> Iterator[tuple[str, FloatArray]]:
    """Kinds of cue words: the first one of the unit, any in its opening, and any just before it."""
    kinds = len(CUE_KINDS)
    first, opening, closing = (np.zeros((len(units), kinds)) for _ in range(3))
    last: list[str] = []
    for number, words in enumerate(_openings(units)):
        first[number, list(cues_among(words[:2]))] = 1
        opening[number, list(cues_among(words))] = 1
        closing[number, list(cues_among(last))] = 1
        last = [*last, *units[number]][-_OPENING:]
    for kind, name in enumerate(CUE_KINDS):
        yield f"first: {name}", first[:, kind]
        yield f"opening: {name}", opening[:, kind]
        yield f"before: {name}", closing[:, kind]


def _shape(transcript: Transcript, words: SpokenWords) -> Iterator[tuple[str, FloatArray]]:
    """Lengths, punctuation, and where in the episode it is."""
    lengths = np.diff(words.begins)
    places, count = words.begins[:-1], max(1, len(words.terms))
    typical = max(1.0, float(np.mean(lengths)))
    texts = [unit.text.rstrip("\"'”’»)] ") for unit in transcript.units]
    ends = np.array([text.endswith(_SENTENCE_ENDS) for text in texts], float)
    asks = np.array([text.endswith(("?", "？")) for text in texts], float)
    punctuated = float(np.mean(ends) > 0.05)
    before = np.concatenate([[0], lengths[:-1]])
    yield "unit length", np.log1p(lengths / typical)
    yield "length before", np.log1p(before / typical)
    yield "sentence ended", punctuated * np.concatenate([[1], ends[:-1]])
    yield "asks", punctuated * asks
    yield "asked", punctuated * np.concatenate([[0], asks[:-1]])
    yield "near the beginning", np.exp(-places / 150)
    yield "near the end", np.exp(-(count - places) / 150)
    yield "second third", np.exp(-((places / count - 0.5) ** 2) / 0.05)


def _openings(units: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """The first words from each unit on; short units borrow from what follows."""
    following: list[list[str]] = []
    after: list[str] = []
    for words in reversed(units):
        after = [*words, *after][:_OPENING] if len(words) < _OPENING else list(words[:_OPENING])
        following.append(after)
    return reversed(following)


def _rarity(words: SpokenWords) -> FloatArray:
    """Weight of each word of the episode: the logarithm of how few of its blocks have the word."""
    if not len(words.vocabulary):
        return np.zeros(1)
    blocks = np.arange(len(words.terms)) // _BLOCK
    kept = words.terms >= 0
    pairs = np.unique(words.terms[kept] * (blocks[-1] + 1) + blocks[kept])
    spread = np.bincount(pairs // (blocks[-1] + 1), minlength=len(words.vocabulary))
    return np.asarray(np.log((blocks[-1] + 2) / (spread + 0.5)))


def _distances(terms: Int64) -> tuple[FloatArray, FloatArray]:
    """Words since each word was last said, and until it is said again; infinite where it is not."""
    before, after = np.full(len(terms), np.inf), np.full(len(terms), np.inf)
    order = np.argsort(terms, kind="stable")
    same = terms[order][1:] == terms[order][:-1]
    gaps = np.diff(order).astype(float)
    before[order[1:][same]] = gaps[same]
    after[order[:-1][same]] = gaps[same]
    return before, after


def _depth(values: FloatArray, reach: int) -> FloatArray:
    """How deep a valley is, from the higher places on either side (TextTiling, Hearst 1997)."""
    size = reach + 1
    left = maximum_filter1d(values, size, origin=reach // 2, mode="nearest")
    right = maximum_filter1d(values, size, origin=-(reach // 2), mode="nearest")
    return left + right - 2 * values


def _standard(values: FloatArray) -> FloatArray:
    """Against the mean and deviation of the episode."""
    deviation = float(np.std(values))
    return (values - np.mean(values)) / deviation if deviation > 1e-9 else np.zeros(len(values))


def _sums(values: NDArray[np.generic]) -> FloatArray:
    """Running sums, from 0."""
    return np.concatenate([[0.0], np.cumsum(values, dtype=float)])


FEATURES = tuple(
    [
        f"{name} {size}{more}"
        for size in WINDOWS
        for name, more in (
            ("cosine", ""),
            ("cosine", " of episode"),
            ("depth", ""),
            ("apart", ""),
            ("apart", " peak"),
        )
    ]
    + ["onset", "onset rise", "first words", "fading", "named onset"]
    + ["speakers known", "speaker changes", "turn before", "turn after", "turn so far", "turn to come"]
    + ["host", "host takes over", "share of speaker"]
    + [
        f"{name} {size}"
        for size in SPEAKER_WINDOWS
        for name in ("speakers alike", "turns before", "turns after")
    ]
    + [f"{where}: {kind}" for kind in CUE_KINDS for where in ("first", "opening", "before")]
    + ["unit length", "length before", "sentence ended", "asks", "asked"]
    + ["near the beginning", "near the end", "second third"]
)
"""Names of the columns, in order."""
