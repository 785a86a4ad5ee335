"""Kernels of segmentation: word counts in sliding windows, and the best way to cut a whole."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["best_cuts", "compare_windows"]

FloatArray = NDArray[np.float64]
Int64 = NDArray[np.int64]


@numba.njit(cache=True)
def compare_windows(
    terms: Int64, weights: FloatArray, gains: FloatArray, costs: FloatArray, places: Int64, size: int
) -> FloatArray:
    """Compare the words before each place with those after it.

    Args:
        terms: (n,) numbers of words; negative ones are passed over.
        weights: (V,) squared weight of each word in the cosine.
        gains: (n + 1,) log(c + β): what one more occurrence adds to the likelihood of a window that has c.
        costs: (n + 1,) what a window of as many words has besides.
        places: (m,) ascending, of 0 to n.
        size: words on either side.

    Returns:
        (m, 2): cosine of the two sides, and how much likelier two sources of words are than one, per word.
    """
    words = terms.size
    left = np.zeros(weights.size, np.int64)
    right = np.zeros(weights.size, np.int64)
    result = np.zeros((places.size, 2))
    dot = norm_left = norm_right = likelihood_left = likelihood_right = likelihood_both = 0.0
    n_left = n_right = 0
    entered = 0  # words that have come into the window on the right
    here = 0
    for number in range(places.size):
        while True:
            while entered < min(words, here + size):
                term = terms[entered]
                entered += 1
                if term >= 0:
                    dot += weights[term] * left[term]
                    norm_right += weights[term] * (2 * right[term] + 1)
                    likelihood_right += gains[right[term]]
                    likelihood_both += gains[left[term] + right[term]]
                    right[term] += 1
                    n_right += 1
            if here == places[number]:
                break
            term = terms[here]  # from the right to the left: both together stay as they are
            if term >= 0:
                right[term] -= 1
                dot += weights[term] * (right[term] - left[term])
                norm_right -= weights[term] * (2 * right[term] + 1)
                norm_left += weights[term] * (2 * left[term] + 1)
                likelihood_right -= gains[right[term]]
                likelihood_left += gains[left[term]]
                left[term] += 1
                n_left, n_right = n_left + 1, n_right - 1
            here += 1
            gone = here - size - 1
            if gone >= 0 and terms[gone] >= 0:
                term = terms[gone]
                left[term] -= 1
                dot -= weights[term] * right[term]
                norm_left -= weights[term] * (2 * left[term] + 1)
                likelihood_left -= gains[left[term]]
                likelihood_both -= gains[left[term] + right[term]]
                n_left -= 1
        if n_left > 0 and n_right > 0:
            result[number, 0] = dot / np.sqrt(max(norm_left * norm_right, 1e-12))
            apart = likelihood_left + likelihood_right + costs[n_left] + costs[n_right]
            result[number, 1] = (apart - likelihood_both - costs[n_left + n_right]) / (n_left + n_right)
    return result


@numba.njit(cache=True)
def best_cuts(scores: FloatArray, places: FloatArray, mean: float, spread: float, weight: float) -> Int64:
    """Cut a line where the scores of cuts and the probabilities of lengths are together greatest.

    A segment of length x costs `weight` times ((log x - mean) / spread)² / 2; the last one only where it is
    shorter than usual.

    Args:
        scores: (n,) of a cut before each part; the first is not looked at.
        places: (n + 1,) where the parts begin, strictly ascending; the last is the end.
        mean: of the logarithm of the length.
        spread: standard deviation of the logarithm.
        weight: of the lengths.

    Returns:
        First parts of the segments, ascending, beginning with 0.
    """
    parts = scores.size
    logs = np.log(np.arange(int(places[-1] - places[0]) + 2) + 1.0)
    best = np.full(parts + 1, -np.inf)
    best[0] = 0.0
    back = np.zeros(parts + 1, np.int64)
    for end in range(1, parts + 1):
        for first in range(end):
            off = (logs[int(places[end] - places[first])] - mean) / spread
            if end == parts and off > 0:
                off = 0.0
            value = best[first] - 0.5 * weight * off * off
            if value > best[end]:
                best[end] = value
                back[end] = first
        if end < parts:
            best[end] += scores[end]
    count = 0
    place = parts
    while place > 0:
        place = back[place]
        count += 1
    cuts = np.zeros(count, np.int64)
    place = parts
    for number in range(count - 1, -1, -1):
        place = back[place]
        cuts[number] = place
    return cuts
