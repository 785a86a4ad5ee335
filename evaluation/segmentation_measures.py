"""How far the cuts of a segmentation are from the right ones.

A segmentation of n units is the ascending list of the first unit of each segment; the first is 0. Pk and
WindowDiff are our own, since segeval's take seconds an episode; the tests hold them against segeval's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import segeval
from numpy.typing import NDArray

__all__ = ["boundary_similarity", "f1_near", "pk", "window_diff", "window_size"]

Int64 = NDArray[np.int64]


def pk(reference: Sequence[int], found: Sequence[int], units: int) -> float:
    """Chance that two units half a mean segment apart are wrongly told to be in one segment, or in two.

    Beeferman, Berger and Lafferty 1999, "Statistical models for text segmentation". 0 is best; conventions
    of `segeval.pk`.

    Args:
        reference: first units of the right segments.
        found: first units of the segments found.
        units: of the episode.
    """
    right, guess, size = _labels(reference, units), _labels(found, units), window_size(reference, units)
    if units <= size:
        return 0.0
    return float(np.mean((right[size:] == right[:-size]) != (guess[size:] == guess[:-size])))


def window_diff(reference: Sequence[int], found: Sequence[int], units: int) -> float:
    """Share of windows of half a mean segment with a wrong number of cuts in them.

    Pevzner and Hearst 2002, "A critique and improvement of an evaluation metric for text segmentation".
    0 is best; conventions of `segeval.window_diff`.

    Args:
        reference: first units of the right segments.
        found: first units of the segments found.
        units: of the episode.
    """
    right, guess, size = _labels(reference, units), _labels(found, units), window_size(reference, units)
    if units <= size:
        return 0.0
    return float(np.mean(right[size:] - right[:-size] != guess[size:] - guess[:-size]))


def boundary_similarity(reference: Sequence[int], found: Sequence[int], units: int) -> float:
    """Share of cuts that are right, cuts one unit beside the right place counting half.

    Fournier 2013, "Evaluating text segmentation using boundary edit distance"; B of segeval with its
    defaults. 1 is best; two segmentations without cuts are alike.
    """
    if list(reference) == list(found):  # which segeval cannot tell where neither has a cut
        return 1.0
    right, guess = (tuple(np.diff([*cuts, units]).tolist()) for cuts in (reference, found))
    return float(segeval.boundary_similarity(guess, right))


def f1_near(reference: Sequence[float], found: Sequence[float], tolerance: float) -> float:
    """F1 of cuts, each matched to at most one right cut no further away than the tolerance.

    Beginnings of the episode are no cuts: leave them out. 1 is best, and what two empty lists have.

    Args:
        reference: right places, ascending: units or seconds.
        found: places found, ascending, in the same measure.
        tolerance: in the same measure.
    """
    if not len(reference) and not len(found):
        return 1.0
    # On a line, pairing the earliest with the earliest that is near enough pairs as many as can be.
    matched = place = 0
    for cut in found:
        while place < len(reference) and reference[place] < cut - tolerance:
            place += 1
        if place < len(reference) and reference[place] <= cut + tolerance:
            matched, place = matched + 1, place + 1
    return 2 * matched / (len(reference) + len(found))


def window_size(reference: Sequence[int], units: int) -> int:
    """Half the mean length of a right segment, rounded to even, and at least 2 units, as in segeval."""
    return max(2, round(units / (2 * len(reference))))


def _labels(cuts: Sequence[int], units: int) -> Int64:
    """Number of the segment that each unit belongs to."""
    begins = np.zeros(units, np.int64)
    begins[np.asarray(cuts, np.int64)] = 1
    return np.cumsum(begins)
