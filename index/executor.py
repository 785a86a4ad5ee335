"""Between façade and kernels: chooses the kernel, shares a batch among threads, merges results."""

from __future__ import annotations

import threading
from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np

from lexiscope.index.arrays import WINDOW, Best, Queries, Scratch, no_hits
from lexiscope.index.cores import over_cores
from lexiscope.index.segment import LiveSegment, Segment
from lexiscope.index.vectors import Float32, Float64, Int32, Int64, UInt8, frozen

# A few milliseconds of work, so that threads neither wait for each other nor for the next task.
QUERIES_A_TASK = 16
_OF_THREAD = threading.local()


class Plan(NamedTuple):
    """A segment with the rows of it that may be hits; made once for many queries."""

    segment: Segment
    candidates: Int32 | None  # so few that they are read one by one
    allowed: UInt8  # otherwise: a mask, of length 0 where all are allowed


def plan(part: LiveSegment, chosen: Int32 | None) -> Plan | None:
    """Decide how to search a segment.

    Args:
        part: The segment with its delete marks.
        chosen: The live rows that may be hits, ascending; None for all.

    Returns:
        None where no row may be a hit.
    """
    segment = part.segment
    if len(part) == 0 or (chosen is not None and len(chosen) == 0):
        return None
    # Reading the weights of a few rows costs less than one pass over the bounds of all.
    if chosen is not None and len(chosen) * segment.nnz < len(segment) ** 2:
        return Plan(segment, chosen, part.allowed)
    return Plan(segment, None, part.allowed if chosen is None else _mask(chosen, len(segment)))


def search(planned: Plan, queries: Queries, k: int, cutoffs: Float64, mosts: Float64) -> Best:
    """Find the best k of one segment for each query.

    Args:
        planned: See `plan`.
        queries: n canonical rows.
        k: Places a query.
        cutoffs: (n,) with mosts the efforts, see `effort`.
        mosts: (n,).

    Returns:
        ids and scores, both (n, k): best first, ties by smaller id, -1 and 0 where there is no hit.
    """
    best = no_hits(len(queries.pointers) - 1, k)
    segment, candidates, allowed = planned
    if candidates is None:
        ask(segment, queries, cutoffs, mosts, allowed, best)
        return best
    compiled, ranks = kernels(), segment.postings.ranks

    def answer(first: int, last: int) -> None:
        own = scratch(segment, int(queries.pointers[last] - queries.pointers[first]))
        compiled.search_rows(queries, first, last, candidates, ranks, segment.forward, own, best)

    over_cores(answer, len(best.ids), QUERIES_A_TASK)
    return best


def ask(
    segment: Segment, queries: Queries, cutoffs: Float64, mosts: Float64, allowed: UInt8, best: Best
) -> list[Int64]:
    """Answer queries by the postings of a segment, shared among threads; see `kernels.search_postings`.

    Returns:
        For some of the queries each (2,) the postings read and the rows rescored.
    """
    compiled, works = kernels(), list[Int64]()

    def answer(first: int, last: int) -> None:
        own = scratch(segment, int(queries.pointers[last] - queries.pointers[first]))
        arrays, work = (*queries, *segment.postings, *segment.forward, *own, *best), np.zeros(2, np.int64)
        compiled.search_postings(first, last, cutoffs, mosts, allowed, work, *arrays)
        works.append(work)

    over_cores(answer, len(best.ids), QUERIES_A_TASK)
    return works


@cache
def kernels() -> ModuleType:
    """The kernels, loaded when first asked for: numba takes a while."""
    from lexiscope.index import kernels

    return kernels


def scratch(segment: Segment, longest: int) -> Scratch:
    """Return this thread's memory for a segment.

    Args:
        segment: Where to search.
        longest: Terms that a query has at most; those of all of them together are a bound that costs nothing.

    What one search left is used by the next.
    """
    held: Scratch | None = getattr(_OF_THREAD, "held", None)
    terms, most = len(segment.row_vocabulary), longest + 1
    if held is None or len(held.positions) < terms or len(held.found) < most:
        held = _OF_THREAD.held = _fresh(max(terms, 1), most)
    return held


def _fresh(terms: int, most: int) -> Scratch:
    from lexiscope.index.read_kernels import MAXIMA, PIECE

    sums, maxima = np.zeros(WINDOW, np.uint16), np.zeros(MAXIMA, np.uint16)
    rows, positions = np.zeros(PIECE + 1, np.int64), np.zeros(terms, np.uint32)
    return Scratch(sums, maxima, rows, positions, np.zeros(most, np.float32))


def _mask(chosen: Int32, n: int) -> UInt8:
    mask = np.zeros(n, np.uint8)
    mask[chosen] = 1
    return frozen(mask, np.uint8)


def better_of(one: tuple[Int64, Float32], other: tuple[Int64, Float32]) -> tuple[Int64, Float32]:
    """Merge two results of the same shape (queries, k) into the best k of both; ties by smaller id."""
    ids = np.concatenate([one[0], other[0]], axis=1)
    scores = np.concatenate([one[1], other[1]], axis=1)
    best = np.lexsort((ids, -scores), axis=1)[:, : one[0].shape[1]]
    return np.take_along_axis(ids, best, axis=1), np.take_along_axis(scores, best, axis=1)
