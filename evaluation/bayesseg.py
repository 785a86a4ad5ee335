"""BayesSeg, the strongest of the segmenters without training: a baseline to beat.

Eisenstein and Barzilay 2008, "Bayesian unsupervised topic segmentation" (EMNLP). The words of a segment are
drawn from a multinomial of its own, which is drawn from a symmetric Dirichlet distribution; with the
multinomial integrated out, a segment with counts c of n words has the likelihood

    log Γ(Vβ) - log Γ(Vβ + n) + Σ_w [log Γ(c_w + β) - log Γ(β)]

and dynamic programming finds the K segments of greatest likelihood. The concentration β is set to its
likeliest value for the segmentation found, in turns, as in the paper's EM. Words are lower-cased and stemmed,
function words left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from lexiscope.text.spoken_words import SpokenWords, count_words, words_in

__all__ = ["bayesseg"]

FloatArray = NDArray[np.float64]
Int64 = NDArray[np.int64]

FIRST_BETA = 0.1
ROUNDS = 3  # of segmentation and estimation; the value hardly moves after two


def bayesseg(texts: Sequence[str], segments: int) -> list[int]:
    """Cut an episode into a given number of segments.

    Args:
        texts: one a unit.
        segments: how many, 1 or more; no more than units are found.

    Returns:
        First units of the segments, ascending, beginning with 0; empty without units.
    """
    if not texts:
        return []
    words = count_words([words_in(text) for text in texts])
    segments = max(1, min(segments, len(texts)))
    beta = FIRST_BETA
    cuts = _likeliest(words, segments, beta)
    for _ in range(ROUNDS - 1):
        better = _likeliest_beta(words, cuts)
        if abs(np.log(better / beta)) < 0.05:
            break
        beta = better
        cuts = _likeliest(words, segments, beta)
    return [int(cut) for cut in cuts]


def _likeliest(words: SpokenWords, segments: int, beta: float) -> Int64:
    kept = words.terms[words.terms >= 0]
    begins = np.concatenate([[0], np.cumsum(words.terms >= 0)])[words.begins]
    vocabulary = max(1, len(words.vocabulary))
    most = int(np.bincount(kept, minlength=1).max())
    gains = np.log(np.arange(most + 1) + beta)  # of one more word that came c times before
    sizes = np.arange(len(kept) + 1)
    costs = gammaln(vocabulary * beta) - gammaln(vocabulary * beta + sizes)
    return _best_cuts(kept, begins, vocabulary, gains, costs, segments)


def _likeliest_beta(words: SpokenWords, cuts: Int64) -> float:
    """The concentration of greatest likelihood for segments that are known."""
    vocabulary = max(1, len(words.vocabulary))
    counts, sizes = [], []
    for segment in np.split(words.terms, words.begins[cuts[1:]]):
        times = np.bincount(segment[segment >= 0], minlength=1)
        counts.append(times[times > 0])
        sizes.append(times.sum())
    times, lengths = np.concatenate(counts).astype(float), np.array(sizes, dtype=float)

    def unlikelihood(log_beta: float) -> float:
        beta = np.exp(log_beta)
        whole = np.sum(gammaln(vocabulary * beta) - gammaln(vocabulary * beta + lengths))
        return -float(whole + np.sum(gammaln(times + beta) - gammaln(beta)))

    return float(np.exp(minimize_scalar(unlikelihood, bounds=(-7.0, 2.0), method="bounded").x))


@numba.njit(cache=True)
def _best_cuts(
    terms: Int64, begins: Int64, vocabulary: int, gains: FloatArray, costs: FloatArray, segments: int
) -> Int64:
    """Dynamic programming over (segments, units); likelihoods of segments grow by a unit at a time."""
    units = begins.size - 1
    best = np.full((segments + 1, units + 1), -np.inf)
    best[0, 0] = 0.0
    back = np.zeros((segments + 1, units + 1), np.int64)
    counts = np.zeros(vocabulary, np.int64)
    for first in range(units):
        counts[:] = 0
        likelihood = 0.0
        for last in range(first, units):
            for place in range(begins[last], begins[last + 1]):
                likelihood += gains[counts[terms[place]]]
                counts[terms[place]] += 1
            total = likelihood + costs[begins[last + 1] - begins[first]]
            for number in range(1, segments + 1):
                value = best[number - 1, first] + total
                if value > best[number, last + 1]:
                    best[number, last + 1] = value
                    back[number, last + 1] = first
    cuts = np.zeros(segments, np.int64)
    end = units
    for number in range(segments, 0, -1):
        end = back[number, end]
        cuts[number - 1] = end
    return cuts
