"""Postings in order of impact, made once from a segment's rows.

Rows are cut into windows of 65,536. The rows of a term in a window are sorted into buckets by weight, the
heaviest bucket first, rows ascending inside it. Of the weights only each bucket's greatest is kept: a bound,
close enough that a dozen candidates hold the best ten, whose exact weights are read from the rows. So a
posting takes two bytes: a row's place in its window. (Impact order: Anh, de Kretser & Moffat, SIGIR 2001.
Windows: SINDI, 2025.)
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Postings
from lexiscope.index.vectors import Int32, Int64, Rows


def make_postings(rows: Rows) -> Postings:
    """Sort canonical rows into buckets: one pass counts, one fills; all postings are never sorted."""
    from lexiscope.index.bucket_kernels import LEVELS, WINDOW, count_levels, fill_buckets

    holders = np.bincount(rows.terms) if len(rows.terms) else np.zeros(0, np.int64)
    terms = np.flatnonzero(holders)
    slots = _slots(rows.terms, terms)
    greatest = np.zeros(len(terms), np.float32)
    np.maximum.at(greatest, slots, rows.weights)
    windows = max(1, -(-len(rows) // WINDOW))
    sorted_ = rows.pointers, slots, rows.weights, greatest, windows
    levels = np.zeros(len(terms) * windows * LEVELS, np.int64)
    count_levels(*sorted_, levels)
    used = np.flatnonzero(levels)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(levels[used])])
    levels[used] = np.arange(len(used))
    places = np.empty(len(slots), np.uint16)
    bounds = np.zeros(len(used), np.float32)
    fill_buckets(*sorted_, levels, starts[:-1].copy(), places, bounds)
    lists = np.searchsorted(used, np.arange(len(terms) * windows + 1) * LEVELS)
    narrow = lists.astype(np.uint32), starts.astype(np.uint32)  # a segment has fewer than 2³² weights
    return Postings(terms.astype(np.int32), *narrow, bounds, places)


def _slots(terms: Int32, occurring: Int64) -> Int32:
    """The number of each term among those that occur, (nnz,)."""
    number = np.zeros(int(occurring[-1]) + 1 if len(occurring) else 0, np.int32)
    number[occurring] = np.arange(len(occurring), dtype=np.int32)
    slots: Int32 = number[terms]
    return slots
