"""Postings in order of impact, made once from a segment's rows.

Rows are cut into windows of 65,536. The rows of a term in a window are sorted into buckets by weight, the
heaviest bucket first, rows ascending inside it. Of the weights only each bucket's greatest is kept: a bound,
close enough that a dozen candidates hold the best ten, whose exact weights are read from the rows. So a
posting takes two bytes: a row's place in its window. (Impact order: Anh, de Kretser & Moffat, SIGIR 2001.
Windows: SINDI, 2025.)
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Forward, Postings


def make_postings(forward: Forward) -> Postings:
    """Sort rows into buckets: passes that count, and one that fills; all postings are never sorted.

    Beside its result it needs memory for 16 numbers a term and window, however many postings there are.

    Args:
        forward: the rows.
    """
    from lexiscope.index.bucket_kernels import LEVELS, WINDOW, count_levels, count_terms, fill_buckets

    width = int(forward.terms.max()) + 1 if len(forward.terms) else 0
    holders, greatest = np.zeros(width, np.int64), np.zeros(width, np.float32)
    count_terms(forward, holders, greatest)
    terms = np.flatnonzero(holders)
    slots = np.zeros(width, np.int32)
    slots[terms] = np.arange(len(terms))
    windows = max(1, -(-(len(forward.pointers) - 1) // WINDOW))
    levels = np.zeros(len(terms) * windows * LEVELS, np.int64)
    count_levels(forward, slots, greatest, windows, levels)
    used = np.flatnonzero(levels)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(levels[used])])
    levels[used] = np.arange(len(used))
    places = np.empty(len(forward.terms), np.uint16)
    bounds = np.zeros(len(used), np.float32)
    fill_buckets(forward, slots, greatest, windows, levels, starts[:-1].copy(), places, bounds)
    lists = np.searchsorted(used, np.arange(len(terms) * windows + 1) * LEVELS)
    narrow = lists.astype(np.uint32), starts.astype(np.uint32)  # a segment has fewer than 2³² weights
    return Postings(terms.astype(np.int32), greatest[terms], *narrow, bounds, places)
