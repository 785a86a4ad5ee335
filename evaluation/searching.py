"""Search for every query of a data set: words in the inverted index, dense vectors one by one or by HNSW."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lexiscope.evaluation.encoding import progress
from lexiscope.evaluation.measures import (
    CUTOFFS,
    Float32,
    Float64,
    Int64,
    first_ranks,
    median_rank,
    query_values,
)
from lexiscope.evaluation.vectors import Index, Rows, saved_bytes

DEPTH = 100
"""Documents a query in the timed search and in the runs."""

_QUERIES_AT_A_TIME = 256
_PLACES_AT_A_TIME = 4_000_000  # a search down to the last document stays below some 50 MB

Sink = Callable[[int, Int64, Float32], None]


@dataclass(frozen=True)
class Direction:
    """One way of asking: a document is right for a query when it is of the same group.

    Attributes:
        name: for the progress bar.
        queries: (queries, …), what the index takes, some rows at a time.
        index: the documents.
        query_groups: (queries,).
        document_groups: (documents,).
    """

    name: str
    queries: Rows | Int64
    index: Index
    query_groups: Int64
    document_groups: Int64


@dataclass(frozen=True)
class Found:
    """What was found in one direction.

    Attributes:
        direction: what was asked.
        top: document rows, (queries, at most 10), best first, -1 where there are no more.
        ranks: rank of each query's first right answer, from 1; 0 where it is not found at all.
        seconds: time of the searches for the first `DEPTH`.
        index_bytes: size of the index of the documents on disk.
    """

    direction: Direction
    top: Int64
    ranks: Int64
    seconds: float
    index_bytes: int

    @cached_property
    def values(self) -> dict[str, Float64]:
        """By measure, what every query got, (queries,); see `query_values`."""
        return query_values(self.top, self.direction.query_groups, self.direction.document_groups)

    @property
    def median_rank(self) -> float:
        """Median rank of the first right answer; what is not found counts as last."""
        return median_rank(self.ranks, len(self.direction.document_groups))


def search(
    direction: Direction, sink: Sink | None = None, show: bool | None = None, *, deep: bool = True
) -> Found:
    """Search in one direction.

    Args:
        direction: queries and documents.
        sink: takes the first `DEPTH` of each query as they are found: number of the first query, ids
            (n, k) with -1 where there are no more, scores (n, k).
        show: whether to show a progress bar; None shows it where standard error is a terminal.
        deep: look for the ranks of right answers below `DEPTH`, too.
    """
    index = direction.index
    index.search(direction.queries[[0]], k=1)  # loads and compiles the kernels, which is no part of a search
    depth = min(DEPTH, len(index))
    ranks = np.zeros(direction.queries.shape[0], dtype=np.int64)
    top = np.full((len(ranks), min(max(CUTOFFS), depth)), -1, dtype=np.int64)
    seconds = 0.0
    for rows in _batches(np.arange(len(ranks)), depth, direction.name, show):
        queries = direction.queries[rows]
        start = time.perf_counter()
        ids, scores = index.search(queries, k=depth)
        seconds += time.perf_counter() - start
        ranks[rows] = first_ranks(ids, direction.query_groups[rows], direction.document_groups)
        top[rows] = ids[:, : top.shape[1]]
        if sink is not None:
            sink(int(rows[0]), ids, scores)
    if deep and getattr(index, "exact", True):
        _search_deeper(direction, index, ranks, show)
    return Found(direction, top, ranks, seconds, saved_bytes(index))


def _search_deeper(direction: Direction, index: Index, ranks: Int64, show: bool | None) -> None:
    """Fill in the ranks below `DEPTH`, asking again only where nothing right was found above it."""
    if len(index) <= DEPTH:
        return
    for rows in _batches(np.flatnonzero(ranks == 0), len(index), f"{direction.name}, deeper", show):
        ids, _ = index.search(direction.queries[rows], k=len(index))
        ranks[rows] = first_ranks(ids, direction.query_groups[rows], direction.document_groups)


def _batches(rows: Int64, places: int, name: str, show: bool | None) -> Iterator[Int64]:
    """Some queries at a time, so few that their places fit into memory."""
    size = max(1, min(_QUERIES_AT_A_TIME, _PLACES_AT_A_TIME // places))
    with progress(len(rows), name, show) as bar:
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            yield batch
            bar.update(len(batch))
