"""Postings in order of impact, made once from a segment's rows.

Rows are cut into windows of 65,536. The rows of a term in a window are sorted into buckets by weight, the
heaviest bucket first, rows ascending inside it. Of the weights only each bucket's greatest is kept: a bound,
close enough that a dozen candidates hold the best ten, whose exact weights are read from the rows. How lists
are packed: `bucket_kernels`. (Impact order: Anh, de Kretser & Moffat, SIGIR 2001. Windows: SINDI, 2025.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lexiscope.index.arrays import WINDOW, Given, Postings, windows_of
from lexiscope.index.native import Native, lend
from lexiscope.index.packing import Terms, offsets
from lexiscope.index.pieces import pieced
from lexiscope.index.vectors import Float32, Int64, Offsets, UInt8, UInt32

SHORT = 32  # rows in a bucket of a list with fewer levels than there can be, on average
_BELOW = 1 - 1e-6  # so that the greatest weight is in the last level, too
_ROWS_OF_TERM = Native("read_kernels", "rows_of_term")
_LEAST = np.float32(1e-36)  # the number of levels by this is still a float32


class Lists(NamedTuple):
    """T occurring terms in W windows."""

    begins: Offsets  # (T · W,) where each list begins, term by term
    codes: UInt8


def make_lists(given: Given, terms: Terms) -> Lists:
    """Sort rows into buckets: a pass that counts, and one that fills; all postings are never sorted.

    Windows are independent of one another, so that all cores share them. Beside the result a window in work
    takes memory for its own postings.

    Args:
        given: The rows.
        terms: Those that occur.
    """
    from lexiscope.index.bucket_kernels import LEVELS, count_levels, fill_buckets, pack_lists

    n, width = len(given.pointers) - 1, len(terms.tops)
    windows = windows_of(n)
    levels = np.clip(terms.holders / (windows * SHORT), 1, LEVELS)
    factors = (levels * _BELOW / np.maximum(terms.tops, _LEAST)).astype(np.float32)
    begins = np.empty((windows, width), np.int64)

    def pack(window: int) -> UInt8:
        first, last = window * WINDOW, min((window + 1) * WINDOW, n)
        counts, bounds = np.zeros(width * LEVELS, np.uint32), np.zeros(width * LEVELS, np.float32)
        count_levels(given, first, last, terms.ranks, factors, counts)
        ends = np.cumsum(counts, dtype=np.uint32) - counts
        places = np.empty(given.pointers[last] - given.pointers[first], np.uint16)
        fill_buckets(given, first, last, terms.ranks, factors, ends, places, bounds)
        codes = np.empty(width + 3 * np.count_nonzero(counts) + 2 * len(places), np.uint8)
        used = pack_lists(counts, bounds, terms.tops, places, codes, begins[window])
        return codes[:used]

    codes, first = pieced(pack, windows)
    begins += first[:, None]
    return Lists(offsets(begins.T.ravel()), codes)


def hurdles_of(holders: UInt32, n: int) -> Float32:
    """By what the cut-off is multiplied for each term: (its share of the rows, in hundredths)^¼.

    Of two products of the same size that of the rarer term says more about a row, and fewer have to be read.
    The exponent was measured, see `docs/index.md`.

    Args:
        holders: (T,) rows that have each term.
        n: All rows.
    """
    hurdles: Float32 = np.sqrt(np.sqrt(100 / max(n, 1) * holders)).astype(np.float32)
    return hurdles


def rows_of(postings: Postings, rank: int, n: int) -> Int64:
    """Return the rows among n that have a term, in no order."""
    rows, count = np.empty(n, np.int64), np.zeros(1, np.int64)
    _ROWS_OF_TERM.bind(lend(postings), rank, windows_of(n), lend(rows), lend(count))()
    return rows[: count[0]]
