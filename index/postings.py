"""Postings in order of impact, made once from a segment's rows.

Rows are cut into windows of 65,536. The rows of a term in a window are sorted into buckets by weight, the
heaviest bucket first, rows ascending inside it. Of the weights only each bucket's greatest is kept: a bound,
close enough that a dozen candidates hold the best ten, whose exact weights are read from the rows. So a
posting takes two bytes: a row's place in its window. (Impact order: Anh, de Kretser & Moffat, SIGIR 2001.
Windows: SINDI, 2025.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lexiscope.index.arrays import Forward, Postings
from lexiscope.index.cores import over_cores

_LEAST = np.float32(1e-36)  # the number of levels by this is still a float32


def make_postings(forward: Forward) -> Postings:
    """Sort rows into buckets: passes that count, and one that fills; all postings are never sorted.

    Windows are independent of one another, so that all cores share them. Beside the result it takes memory
    for three numbers a term, window and level, however many postings there are.

    Args:
        forward: the rows.
    """
    from lexiscope.index.bucket_kernels import LEVELS, WINDOW, count_levels, count_terms, fill_buckets

    width = int(forward.terms.max()) + 1 if len(forward.terms) else 0
    holders, greatest = np.zeros(width, np.int64), np.zeros(width, np.float32)
    count_terms(forward, holders, greatest)
    terms = np.flatnonzero(holders)
    slots, factors = np.zeros(width, np.int32), np.zeros(width, np.float32)
    slots[terms] = np.arange(len(terms))
    factors[terms] = LEVELS / np.maximum(greatest[terms], _LEAST)
    n = len(forward.pointers) - 1
    windows = max(1, -(-n // WINDOW))

    def of_each(work: Callable[[int, int, int], None]) -> None:
        def some(first: int, last: int) -> None:
            for window in range(first, last):
                work(window, window * WINDOW, min((window + 1) * WINDOW, n))

        over_cores(some, windows, 1)

    shape = windows, len(terms), LEVELS
    counts = np.zeros((windows, len(terms) * LEVELS), np.uint32)
    of_each(lambda w, first, last: count_levels(forward, first, last, slots, factors, counts[w]))
    by_term = np.ascontiguousarray(counts.reshape(shape).transpose(1, 0, 2))
    used = by_term > 0
    firsts = np.cumsum(by_term, dtype=np.uint32).reshape(used.shape) - by_term  # fewer than 2³² weights
    ends = firsts.transpose(1, 0, 2).copy().reshape(counts.shape)
    places = np.empty(len(forward.terms), np.uint16)
    greatest_of = np.zeros(counts.shape, np.float32)
    of_each(
        lambda w, first, last: fill_buckets(
            forward, first, last, slots, factors, ends[w], places, greatest_of[w]
        )
    )
    bounds = greatest_of.reshape(shape).transpose(1, 0, 2)[used]
    lists = np.concatenate([[0], np.cumsum(used.sum(axis=2).ravel())]).astype(np.uint32)
    starts = np.append(firsts[used], np.uint32(len(places)))
    return Postings(terms.astype(np.int32), greatest[terms], lists, starts, bounds, places)
