"""One query at a time, with as little around the kernel as can be: for servers, and for measuring."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexiscope.errors import InvalidValue
from lexiscope.index.arrays import Queries, no_hits, writable
from lexiscope.index.effort import TERMS
from lexiscope.index.executor import Plan, better_of, kernels, search
from lexiscope.index.vectors import Float32, Float64, Int64

__all__ = ["Part", "Searcher"]


class Part(NamedTuple):
    """What a query is asked of: a segment, and how hard to try."""

    planned: Plan
    cutoffs: Float64  # (classes of length, 1)
    mosts: Float64


class Searcher:
    """A function of one query; `InvertedIndex.searcher` makes it. May be called from several threads."""

    def __init__(self, parts: Sequence[Part], k: int, columns: int) -> None:
        self._parts, self._k, self._columns = parts, k, columns

    def __call__(
        self, terms: npt.NDArray[np.integer], weights: npt.NDArray[np.floating]
    ) -> tuple[Int64, Float32]:
        """Find the best k rows.

        Args:
            terms: (n,) ascending, each once.
            weights: (n,) above zero.

        Returns:
            ids int64 (k,) and scores float32 (k,), best first; -1 and 0 where there are fewer than k hits.

        Raises:
            InvalidValue: Terms or weights are not so; `InvertedIndex.search` takes and sorts anything.
        """
        query = self._query(terms, weights)
        number = bisect_left(TERMS, len(terms))
        best: tuple[Int64, Float32] | None = None
        for planned, cutoffs, mosts in self._parts:
            found = search(planned, query, self._k, cutoffs[number], mosts[number])
            best = found if best is None else better_of(best, found)
        ids, scores = best or no_hits(1, self._k)
        return ids[0], scores[0]

    def _query(self, terms: npt.NDArray[np.integer], weights: npt.NDArray[np.floating]) -> Queries:
        compiled = kernels()
        ids, values = writable(terms, np.int32), writable(weights, np.float32)
        ordered, positive = compiled.check_query(ids, values, self._columns)
        if len(ids) != len(values) or not ordered:
            raise InvalidValue(
                f"the terms of a query ascend, each once, from 0 to {self._columns - 1}, one for each weight"
            )
        if not positive:
            raise InvalidValue("the weights of a query are finite and above zero: leave the others out")
        return Queries(np.array([0, len(ids)], np.int64), ids, values)
