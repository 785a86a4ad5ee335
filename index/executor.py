"""Between façade and kernels: chooses the kernel, shares a batch among threads, merges results."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lexiscope.index.arrays import Best, Efforts, Queries, Work, no_hits, no_work
from lexiscope.index.cores import over_cores
from lexiscope.index.effort import wanted
from lexiscope.index.native import Bound, Lent, Native, lend
from lexiscope.index.scratch import memory
from lexiscope.index.segment import LiveSegment, Segment
from lexiscope.index.vectors import Float32, Int32, Int64, UInt8

# A few milliseconds of work, so that threads neither wait for each other nor for the next task.
QUERIES_A_TASK = 16
_SEARCH_POSTINGS, _SEARCH_ROWS = Native("kernels", "search_postings"), Native("kernels", "search_rows")


class Plan(NamedTuple):
    """A segment with the rows of it that may be hits; made once for many queries."""

    segment: Segment
    candidates: Lent | None  # so few that they are read one by one
    allowed: Lent  # otherwise: a mask, of length 0 where all are allowed


class Asked(NamedTuple):
    """Queries, and where their answers go."""

    hits: int  # k
    queries: Lent
    efforts: Lent
    best: Lent
    work: Lent
    longest: int  # terms that a query has at most
    wanted: int  # rows that are kept for a query at most


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
    if chosen is None:
        return Plan(segment, None, lend(part.allowed))
    # Reading the weights of a few rows costs less than one pass over the bounds of all.
    if len(chosen) * segment.nnz < len(segment) ** 2:
        return Plan(segment, lend(chosen.astype(np.int64)), lend(part.allowed))
    return Plan(segment, None, lend(_mask(chosen, len(segment))))


def search(planned: Plan, queries: Queries, k: int, efforts: Efforts) -> Best:
    """Find the best k of one segment for each query.

    Args:
        planned: See `plan`.
        queries: n canonical rows.
        k: Places a query.
        efforts: n.

    Returns:
        ids and scores, both (n, k): best first, ties by smaller id, -1 and 0 where there is no hit.
    """
    best = no_hits(len(queries.pointers) - 1, k)
    answer(planned, queries, efforts, best)
    return best


def answer(planned: Plan, queries: Queries, efforts: Efforts, best: Best) -> Work:
    """Answer queries by one segment, shared among threads; what they took."""
    work = no_work(len(best.ids))
    what = asked(queries, efforts, best, work)

    def some(first: int, last: int) -> None:
        bind(planned, what, first, last)()

    over_cores(some, len(best.ids), QUERIES_A_TASK)
    return work


def asked(queries: Queries, efforts: Efforts, best: Best, work: Work) -> Asked:
    """Lend queries, and memory for their answers, to kernels."""
    k = best.ids.shape[1]
    longest = int(np.diff(queries.pointers).max(initial=0))
    kept = max((wanted(most, k) for most in set(efforts.mosts.tolist())), default=0)
    return Asked(k, lend(queries), lend(efforts), lend(best.flat()), lend(work), longest, kept)


def bind(planned: Plan, what: Asked, first: int, last: int) -> Bound:
    """Return a function that answers some of the queries, in this thread.

    Args:
        planned: See `plan`.
        what: See `asked`.
        first: The first of the queries.
        last: The one after the last.
    """
    segment, candidates, allowed = planned
    room = min(2 * what.wanted, len(segment))  # enough for all rows, or to drop half of them when it is full
    own, rows = memory(len(segment.row_vocabulary), what.longest, room), segment.lent
    some = first, last, what.hits, what.queries
    if candidates is None:
        return _SEARCH_POSTINGS.bind(*some, what.efforts, *rows, allowed, *own, what.best, what.work)
    return _SEARCH_ROWS.bind(*some, candidates, *rows, own.fine, what.best, what.work)


def _mask(chosen: Int32, n: int) -> UInt8:
    mask = np.zeros(n, np.uint8)
    mask[chosen] = 1
    return mask


def better_of(one: tuple[Int64, Float32], other: tuple[Int64, Float32]) -> tuple[Int64, Float32]:
    """Merge two results of the same shape (queries, k) into the best k of both; ties by smaller id."""
    ids = np.concatenate([one[0], other[0]], axis=1)
    scores = np.concatenate([one[1], other[1]], axis=1)
    best = np.lexsort((ids, -scores), axis=1)[:, : one[0].shape[1]]
    return np.take_along_axis(ids, best, axis=1), np.take_along_axis(scores, best, axis=1)
