"""One query at a time, with as little around the kernel as can be: for servers, and for measuring."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lexiscope.errors import InvalidValue
from lexiscope.index.arrays import Efforts, Queries, no_hits, no_work
from lexiscope.index.effort import TERMS
from lexiscope.index.executor import Plan, asked, better_of, bind
from lexiscope.index.vectors import Float32, Int64

__all__ = ["Searcher"]

_LENGTH = 256  # terms that there is room for at first


class Searcher:
    """A function of one query; `InvertedIndex.searcher` makes it. May be called from several threads."""

    def __init__(self, parts: Sequence[tuple[Plan, Efforts]], k: int, columns: int) -> None:
        self._parts, self._k, self._columns = parts, k, columns
        self._of_thread = threading.local()

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
        length = len(terms)
        if not self._parts or len(weights) != length:
            self._check(terms, weights)
        desk: _Desk | None = getattr(self._of_thread, "desk", None)
        if desk is None or desk.room < length:
            desk = self._of_thread.desk = _Desk(self._parts, self._k, max(_LENGTH, 2 * length))
        if not desk.ask(terms, weights, length):
            self._check(terms, weights)
        return desk.answer()

    def _check(self, terms: npt.NDArray[np.integer], weights: npt.NDArray[np.floating]) -> None:
        """Raise an error that says what is wrong with a query, if anything is."""
        ids, values = np.asarray(terms), np.asarray(weights)
        within = len(ids) == 0 or (ids[0] >= 0 and ids[-1] < self._columns)
        if len(ids) != len(values) or not within or np.any(ids[1:] <= ids[:-1]):
            raise InvalidValue(
                f"the terms of a query ascend, each once, from 0 to {self._columns - 1}, one for each weight"
            )
        if not np.all((values > 0) & (values < np.inf)):
            raise InvalidValue("the weights of a query are finite and above zero: leave the others out")


class _Desk:
    """Where one thread puts a query and finds its answer, with the kernels bound to it once for all."""

    def __init__(self, parts: Sequence[tuple[Plan, Efforts]], k: int, room: int) -> None:
        self.room = room
        self._query = Queries(np.array([0, room]), np.zeros(room, np.int32), np.ones(room, np.float32))
        self._best = [no_hits(1, k) for _ in parts] or [no_hits(1, k)]
        self._work = no_work(1)
        self._kernels = [
            [
                bind(planned, asked(self._query, _of_class(efforts, number), best, self._work), 0, 1)
                for (planned, efforts), best in zip(parts, self._best, strict=False)
            ]
            for number in range(len(TERMS))
        ]

    def ask(self, terms: npt.NDArray[np.integer], weights: npt.NDArray[np.floating], length: int) -> bool:
        """Find the answer; whether the query was canonical."""
        query = self._query
        query.pointers[1] = length
        query.terms[:length], query.weights[:length] = terms, weights
        for kernel in self._kernels[bisect_left(TERMS, length)]:
            kernel()
        return bool(self._work.read[0] >= 0)

    def answer(self) -> tuple[Int64, Float32]:
        """The last query's, in memory of its own."""
        best: tuple[Int64, Float32] = self._best[0]
        for other in self._best[1:]:
            best = better_of(best, other)
        return best[0][0].copy(), best[1][0].copy()


def _of_class(efforts: Efforts, number: int) -> Efforts:
    """That of questions of a class of length."""
    return Efforts(*(of_all[number : number + 1] for of_all in efforts))
