"""Decide where the chapters of an episode begin, when nobody has said.

Three steps (docs/chapters.md has what each is worth):

1. A logistic regression gives the log-odds of a chapter beginning before each unit, from what
   `lexiscope.text.segment_features` measures there.
2. The number of chapters is estimated from the length of the episode and from those log-odds.
3. Of all ways to cut the episode into about that many chapters, the one is taken whose log-odds are greatest
   together with the log-normal probabilities of the chapters' lengths (dynamic programming).

Nothing in it knows the units' size: captions, sentences and turns are cut at the same places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from lexiscope.text.segment_features import FEATURES, Places, look_at
from lexiscope.text.segment_kernels import best_cuts
from lexiscope.text.transcript import Transcript, Unit

__all__ = ["Segmenter", "SegmenterWeights", "chapter_clues", "growth"]

FloatArray = NDArray[np.float64]
Int64 = NDArray[np.int64]

FORMAT_VERSION = 1
CLUES = (
    "one",
    "expected",
    "spread",
    "cohesion of minutes",
    "cohesion of chapters",
    "peaks",
    "speakers known",
    "changes of speaker",
    "assent",
    "unit length",
)
"""What the estimate of how many chapters there are goes by (`chapter_clues`)."""

_LIMIT = 4.0  # deviations; what is further out says no more
_USUAL_UNIT = 15.0  # words: the log-odds are those for units of this length
_USUAL_EPISODE = 8000.0  # words
# Short episodes have chapters of one length, long ones longer chapters: their number grows with the words,
# then with the square root of them, as fast as in podcasts (exponents .4 to .6 around the usual length).
_LINEAR_UP_TO = 0.25  # usual episodes
_SHORT_UNITS = 5.0  # words; shorter units on average are put together before they are looked at
_LONG_UNITS = 40.0  # words; longer units on average are taken apart
_SENTENCE = 15  # words; pieces without punctuation have up to three times as many
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")
_PART = 8  # words of units put together
_MOST_PARTS = 12_000  # as many are cut in a few seconds; longer episodes have longer parts
# Transcripts to learn from have no pauses. A silence that is long, and rare in its episode, is worth this
# much (log-odds): it is more often a jingle than a thought.
_PAUSE = 3.0  # seconds
_RARE = 0.02
_PAUSE_WORTH = 1.0
_LEAKS = (0.5, 0.2)  # of a place's chance, to those one and two beside it
_NEVER = -100.0  # log-odds
_LEAST = 20  # words before the second chapter and in the last one
_STEPS = 12  # of bisection for the number of chapters


@dataclass(frozen=True)
class SegmenterWeights:
    """What was learned."""

    means: FloatArray  # (features,)
    scales: FloatArray  # (features,) deviations
    weights: FloatArray  # (features,) of the log-odds, in deviations
    bias: float
    clues: FloatArray  # (len(CLUES),) of the logarithm of the number of chapters
    share: float  # of the estimated number that is cut
    spread: float  # standard deviation of the logarithm of a chapter's length in words
    length_weight: float  # of lengths beside log-odds

    def to_json(self) -> dict[str, Any]:
        """Write the weights by name, so that they can be read and compared."""
        rows = zip(FEATURES, self.means, self.scales, self.weights, strict=True)
        return {
            "format_version": FORMAT_VERSION,
            "features": {name: [round(float(value), 5) for value in row] for name, *row in rows},
            "bias": round(self.bias, 5),
            "clues": {name: round(float(value), 5) for name, value in zip(CLUES, self.clues, strict=True)},
            "share": self.share,
            "spread": self.spread,
            "length_weight": self.length_weight,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SegmenterWeights:
        """Read what `to_json` has written.

        Raises:
            ValueError: it was written for other features or by another version.
        """
        if data["format_version"] != FORMAT_VERSION or tuple(data["features"]) != FEATURES:
            raise ValueError("the segmenter's weights are for other features; train it again")
        means, scales, weights = np.array(list(data["features"].values()), float).T
        clues = np.array([data["clues"][name] for name in CLUES], float)
        rest = (float(data[key]) for key in ("share", "spread", "length_weight"))
        return cls(means, scales, weights, float(data["bias"]), clues, *rest)


class Segmenter:
    """Cuts episodes into chapters.

    Args:
        weights: what was learned.
    """

    def __init__(self, weights: SegmenterWeights) -> None:
        self.weights = weights

    @classmethod
    def bundled(cls) -> Segmenter:
        """The one that comes with the package."""
        return cls(_bundled_weights())

    def cuts(self, transcript: Transcript) -> list[int]:
        """Decide how many chapters there are, and where they begin.

        Args:
            transcript: the episode, in any language; nothing but its texts is needed.

        Returns:
            The first unit of each chapter, ascending, beginning with 0; empty for an empty transcript.
        """
        if not transcript.units:
            return []
        parts, units = _parts(transcript)
        allowed = np.where(units >= 0, 0.0, _NEVER)
        cuts = self.cut_places(look_at(parts), _pauses(parts), allowed)
        return [int(units[cut]) for cut in cuts]

    def cut_places(
        self, places: Places, more: FloatArray | float = 0.0, allowed: FloatArray | float = 0.0
    ) -> list[int]:
        """Decide how many chapters there are, and where they begin.

        Args:
            places: what `look_at` has measured.
            more: (units,) what to add to the log-odds once the number of chapters is estimated.
            allowed: (units,) the same, before the greatest of each neighbourhood is chosen.

        Returns:
            First units of the chapters, ascending, beginning with 0.
        """
        odds = self.log_odds(places)
        wanted = self.weights.share * self.number_of_chapters(places, odds)
        ends = (places.begins[:-1] < _LEAST) | (places.begins[-1] - places.begins[:-1] < _LEAST)
        allowed = np.where(ends, _NEVER, allowed)
        return self.cut(places, _peaks(odds, allowed) + more, max(1.0, wanted))

    def log_odds(self, places: Places) -> FloatArray:
        """Log-odds of a chapter beginning at each place.

        Returns:
            (units,); the first is meaningless.
        """
        learned = self.weights
        deviations = (places.features - learned.means) / learned.scales
        per_unit = max(1, int(places.begins[-1])) / len(places.features)
        return np.asarray(
            np.clip(deviations, -_LIMIT, _LIMIT) @ learned.weights
            + learned.bias
            + np.log(per_unit / _USUAL_UNIT)
        )

    def number_of_chapters(self, places: Places, odds: FloatArray) -> float:
        """Estimate how many chapters a creator would have made."""
        usual = float(chapter_clues(places, odds) @ self.weights.clues)
        return float(np.exp(np.clip(usual, 0.0, 5.0)) * growth(places))

    def cut(self, places: Places, odds: FloatArray, wanted: float) -> list[int]:
        """Cut an episode into as many chapters as wanted, or the next smaller number that is worth it.

        Returns:
            First units of the chapters, ascending, beginning with 0.
        """
        begins = places.begins.astype(float)
        mean = float(np.log(max(1.0, begins[-1] / wanted)))
        learned = self.weights
        low, high = -20.0, 20.0  # what to add to the log-odds
        cuts = np.zeros(1, np.int64)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            found = best_cuts(odds + middle, begins, mean, learned.spread, learned.length_weight)
            if len(found) > wanted:
                high = middle
            else:
                low, cuts = middle, found
        return [int(cut) for cut in cuts]


def _size(places: Places) -> float:
    """Length of an episode by the usual one."""
    return max(1.0, float(places.begins[-1])) / _USUAL_EPISODE


def growth(places: Places) -> float:
    """How many more chapters an episode has than a usual one, by its length alone."""
    size = _size(places)
    return float(size * np.sqrt((1 + _LINEAR_UP_TO) / (size + _LINEAR_UP_TO)))


def chapter_clues(places: Places, odds: FloatArray) -> FloatArray:
    """What there is to estimate the number of chapters from, in an episode of the usual length.

    Returns:
        (len(CLUES),), as `CLUES` names them.
    """
    words = max(1.0, float(places.begins[-1]))
    chances = 1 / (1 + np.exp(-odds[1:]))
    looks = dict(zip(FEATURES, places.features.T, strict=True))
    known = looks["speakers known"][0]
    clues = {
        "one": 1.0,
        "expected": np.log((np.sum(chances) + 0.1) / _size(places)),
        "spread": np.std(odds[1:]) if len(odds) > 2 else 0.0,
        "cohesion of minutes": np.mean(looks["cosine 120"]),
        "cohesion of chapters": np.mean(looks["cosine 700"]),
        "peaks": np.std(looks["apart 300 peak"]),
        "speakers known": known,
        "changes of speaker": known * np.log(np.sum(looks["speaker changes"]) / words * 100 + 0.1),
        "assent": np.mean(looks["first: assent"]),
        "unit length": np.log(words / len(odds) / _USUAL_UNIT),
    }
    return np.array([clues[name] for name in CLUES], float)


@cache
def _bundled_weights() -> SegmenterWeights:
    file = files("lexiscope") / "bundled" / "segmenter.json"
    return SegmenterWeights.from_json(json.loads(file.read_text(encoding="utf-8")))


def _parts(transcript: Transcript) -> tuple[Transcript, Int64]:
    """Bring units to the size of sentences: single words are put together, and long turns taken apart.

    Returns:
        The transcript to look at, and which unit begins with each unit of it; -1 inside of one.
    """
    lengths = [len(unit.text) / 6 + 0.2 for unit in transcript.units]  # about its words, in any script
    typical = sum(lengths) / len(lengths)
    if typical < _SHORT_UNITS or len(lengths) > _MOST_PARTS:
        units, owners = _together(transcript.units, lengths, max(_PART, sum(lengths) / _MOST_PARTS))
    elif typical > _LONG_UNITS and sum(lengths) < _MOST_PARTS * _SENTENCE:
        units, owners = _apart(transcript.units)
    else:
        return transcript, np.arange(len(lengths))
    return Transcript(transcript.title, tuple(units), transcript.description), np.array(owners, np.int64)


def _together(units: Sequence[Unit], lengths: Sequence[float], enough: float) -> tuple[list[Unit], list[int]]:
    """Put units of one speaker together until they have enough words."""
    parts: list[Unit] = []
    owners: list[int] = []
    texts: list[str] = []
    pending = 0.0
    for number, unit in enumerate(units):
        if pending >= enough or not texts or unit.speaker != parts[-1].speaker:
            texts, pending = [], 0.0
            owners.append(number)
            parts.append(unit)
        texts.append(unit.text)
        pending += lengths[number]
        parts[-1] = Unit(" ".join(texts), parts[-1].speaker, parts[-1].start, unit.end)
    return parts, owners


def _apart(units: Sequence[Unit]) -> tuple[list[Unit], list[int]]:
    """Take units apart at the ends of sentences, or after as many words where there is no punctuation."""
    parts: list[Unit] = []
    owners: list[int] = []
    for number, unit in enumerate(units):
        texts = [text for text in _SENTENCE_END.split(unit.text) if text] or [""]
        pieces = [piece for text in texts for piece in _pieces(text)]
        parts += [Unit(piece, unit.speaker, None, None) for piece in pieces]
        parts[-len(pieces)] = replace(parts[-len(pieces)], start=unit.start)
        parts[-1] = replace(parts[-1], end=unit.end)
        owners += [number, *[-1] * (len(pieces) - 1)]
    return parts, owners


def _pieces(text: str) -> list[str]:
    words = text.split()
    count = max(1, round(len(words) / (2 * _SENTENCE)))
    ends = [round(len(words) * number / count) for number in range(count + 1)]
    return [" ".join(words[begin:end]) for begin, end in pairwise(ends)]


def _peaks(odds: FloatArray, allowed: FloatArray | float) -> FloatArray:
    """Let chances leak to the places beside, and then keep the greatest of each neighbourhood.

    Two likely places that are next to each other mean one beginning, which is then the likelier.
    """
    chances = 1 / (1 + np.exp(-odds))
    chances[0] = 0.0
    leaked = chances.copy()
    for distance, leak in enumerate(_LEAKS, 1):
        leaked[distance:] += leak * chances[:-distance]
        leaked[:-distance] += leak * chances[distance:]
    leaked *= np.exp(allowed)
    leaked[0] = 0.0
    peak = leaked >= maximum_filter1d(leaked, 2 * len(_LEAKS) + 1, mode="constant")
    peak &= leaked > np.exp(_NEVER / 2)
    # Sums of chances may pass 1: they are cut only now, or likely neighbours would all be the greatest.
    leaked = np.clip(leaked, 1e-6, 1 - 1e-6)
    return np.where(peak, np.log(leaked / (1 - leaked)), _NEVER)


def _pauses(transcript: Transcript) -> FloatArray:
    """What long silences before units are worth, where the transcript says when units end."""
    units = transcript.units
    gaps = np.zeros(len(units))
    for number in range(1, len(units)):
        end, start = units[number - 1].end, units[number].start
        if end is not None and start is not None:
            gaps[number] = max(0.0, start - end)
    long = gaps >= _PAUSE
    rare = np.mean(long) <= _RARE or np.sum(long) == 1
    return np.where(long & rare, _PAUSE_WORTH, 0.0)
