"""How sure a figure is: intervals by the bootstrap over queries, and tests of two systems on the same ones.

Resampling queries with replacement and measuring again says how far a figure would move with other queries
of the same kind (Efron, Annals of Statistics 1979; for retrieval Smucker, Allan and Carterette, CIKM 2007).
Two systems are compared on the *same* resampled queries, so that hard queries count for neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

from lexiscope.evaluation.measures import Float64

__all__ = ["SAMPLES", "SEED", "Difference", "Interval", "Resampled", "Sample", "Verdict"]

SAMPLES = 2000
SEED = 0
SURE = 0.05
_AT_A_TIME = 100  # resamples, so that their counts take some megabytes

Interval: TypeAlias = list[float]
"""[low, high], 95 %: what lies between the 2.5th and the 97.5th percentile of the resamples."""
Verdict: TypeAlias = Literal["better", "worse", "same"]
Resampled: TypeAlias = Float64
"""A figure as each resample has it, (samples,)."""


class Difference(TypedDict):
    """What one system gains over another in one measure, in the measure's units."""

    difference: float
    interval: Interval  # paired bootstrap
    p_bootstrap: float  # two-sided
    p_t_test: float  # two-sided, paired Student's t; 1 where all differences are 0
    verdict: Verdict  # "same" where the interval holds 0


@dataclass(frozen=True)
class Sample:
    """Queries, and with which weight each counts in a mean.

    Args:
        weights: (queries,) above zero. Figures that are means over folds give queries of small folds more.
        samples: how many resamples.
        seed: of the resampling. Two systems measured with one `Sample` meet the same resampled queries.
    """

    weights: Float64
    samples: int = SAMPLES
    seed: int = SEED

    @classmethod
    def of(cls, queries: int, *, samples: int = SAMPLES, seed: int = SEED) -> Sample:
        """Queries that all count the same."""
        return cls(np.ones(queries), samples, seed)

    def mean(self, values: Float64) -> float:
        """The figure itself."""
        return float(np.average(values, weights=self.weights))

    def resample(self, values: Sequence[Float64]) -> list[Resampled]:
        """The means of several measures' values, (queries,) each, in every resample."""
        random, queries = np.random.default_rng(self.seed), len(self.weights)
        weighted = np.stack([self.weights, *(value * self.weights for value in values)], axis=1)
        sums = np.empty((self.samples, weighted.shape[1]))
        for start in range(0, self.samples, _AT_A_TIME):
            number = min(_AT_A_TIME, self.samples - start)
            drawn = random.integers(queries, size=(number, queries))
            drawn += np.arange(number)[:, None] * queries
            counts = np.bincount(drawn.ravel(), minlength=number * queries).reshape(number, queries)
            sums[start : start + number] = counts @ weighted
        return list((sums[:, 1:] / sums[:, :1]).T)

    def intervals(self, values: Mapping[str, Float64]) -> dict[str, Interval]:
        """95 % intervals of the means of several measures."""
        means = self.resample(list(values.values()))
        return {name: interval(mean) for name, mean in zip(values, means, strict=True)}

    def compare(self, ours: Mapping[str, Float64], theirs: Mapping[str, Float64]) -> dict[str, Difference]:
        """What `ours` gains over `theirs` on the same queries, measure by measure."""
        gains = {name: values - theirs[name] for name, values in ours.items()}
        means = self.resample(list(gains.values()))
        return {
            name: self._difference(gain, mean)
            for (name, gain), mean in zip(gains.items(), means, strict=True)
        }

    def _difference(self, gains: Float64, means: Resampled) -> Difference:
        low, high = interval(means)
        tail = min(np.count_nonzero(means <= 0), np.count_nonzero(means >= 0))
        verdict: Verdict = "same" if low <= 0 <= high else ("better" if low > 0 else "worse")
        return {
            "difference": self.mean(gains),
            "interval": [low, high],
            "p_bootstrap": min(1.0, 2.0 * (float(tail) + 1) / (self.samples + 1)),
            "p_t_test": _t_test(gains),
            "verdict": verdict,
        }


def interval(resampled: npt.NDArray[np.float64]) -> Interval:
    """The 95 % interval of a figure."""
    low, high = np.percentile(resampled, [100 * SURE / 2, 100 * (1 - SURE / 2)])
    return [float(low), float(high)]


def _t_test(gains: Float64) -> float:
    """The paired t-test is the one-sample test of the differences."""
    from scipy.stats import ttest_1samp

    largest = float(np.abs(gains).max(initial=0.0))
    if len(gains) < 2 or not largest:
        return 1.0
    if np.ptp(gains) <= 1e-9 * largest:  # no spread, no test: the same difference every time
        return 0.0
    return float(ttest_1samp(gains, 0.0).pvalue)
