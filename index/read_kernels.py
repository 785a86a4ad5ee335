"""Numba kernels that read a window's postings, the heaviest first, into sums of 16 bits for each of its rows.

See `lexiscope.index.kernels` for what the sums are good for.
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Postings, Scratch
from lexiscope.index.bucket_kernels import WINDOW, WINDOW_BITS
from lexiscope.index.jit import jit, prefetch
from lexiscope.index.vectors import Float32, Float64, Int32, Int64, UInt8, UInt16

BLOCK = 64  # bounds that share a maximum
GREATEST = 65_535  # bound
PIECE = 1024  # sums cleared at a time
LINE = 32  # two-byte numbers in a cache line
FETCHED = 3  # cache lines of a list that are fetched ahead; the processor guesses the others
HEADS = 16  # cache lines of a term's buckets that are fetched ahead


@jit
def _locate(query_terms: Int32, terms: Int32) -> Int64:
    """The number of each query term among the terms that occur, -1 where no row has it.

    Terms ascend, each once: the term t is at place t, or before it by at most the number of terms missing.
    """
    slots = np.empty(len(query_terms), np.int64)
    n = len(terms)
    missing = int(terms[n - 1]) + 1 - n if n > 0 else 0
    for position in range(len(query_terms)):
        term = int(query_terms[position])
        low, high = max(0, term - missing), min(term + 1, n)
        while low < high:
            middle = (low + high) >> 1
            if terms[middle] < term:
                low = middle + 1
            else:
                high = middle
        found = low < n and terms[low] == term
        slots[position] = low if found else -1
    return slots


@jit
def windows_of(n: int) -> int:
    """How many windows n rows take."""
    return max(1, (n + WINDOW - 1) >> WINDOW_BITS)


@jit
def blocks_of(rows: int) -> int:
    """How many blocks the rows of a window take."""
    return (rows + BLOCK - 1) // BLOCK


@jit
def _buckets(postings: Postings, slot: int, window: int, windows: int) -> tuple[int, int]:
    """The first and the one after the last bucket of a term in a window."""
    number = slot * windows + window
    if number + 1 >= len(postings.lists):
        return 0, 0
    return int(postings.lists[number]), min(int(postings.lists[number + 1]), len(postings.bounds))


@jit
def plan(
    query_terms: Int32, query_weights: Float32, cutoff: float, postings: Postings
) -> tuple[float, int, Int64, Float64]:
    """What of a query is read.

    Returns:
        s: the sum of all terms' greatest products, each rounded up, fits 16 bits; 0 without products. Then
        what the terms of which nothing is read could add to a row; the numbers of the others; s times their
        weights.
    """
    slots, factors = _locate(query_terms, postings.terms), query_weights.astype(np.float64)
    total, kept, unread = 0.0, 0, 0
    for position in range(len(slots)):
        if 0 <= slots[position] < len(postings.tops):
            total += factors[position] * float(postings.tops[slots[position]])
    scale = max(1, GREATEST - len(slots)) / total if total > 0.0 else 0.0
    for position in range(len(slots)):
        if 0 <= slots[position] < len(postings.tops):
            factor = factors[position] * scale
            product = factor * float(postings.tops[slots[position]])
            if product < cutoff:
                unread += min(int(product) + 1, GREATEST)
            else:
                slots[kept], factors[kept] = slots[position], factor
                kept += 1
    return scale, unread, slots[:kept], factors[:kept]


@jit
def fetch(slots: Int64, postings: Postings, windows: int) -> None:
    """Have the memory of all terms on its way at once, in place of waiting for each in turn."""
    for slot in slots:
        prefetch(postings.lists, slot * windows)
    for slot in slots:
        first, _ = _buckets(postings, slot, 0, windows)
        _, last = _buckets(postings, slot, windows - 1, windows)
        for bucket in range(first, min(last, first + HEADS * LINE // 2), LINE // 2):
            prefetch(postings.bounds, bucket)
            prefetch(postings.starts, bucket)
    _fetch_window(slots, postings, 0, windows)


@jit
def _fetch_window(slots: Int64, postings: Postings, window: int, windows: int) -> None:
    """The same for the postings of one window, while the one before it is read."""
    for slot in slots:
        first, last = _buckets(postings, slot, window, windows)
        if first < last:
            for line in range(FETCHED):
                prefetch(postings.places, np.int64(postings.starts[first]) + line * LINE)


@jit
def _read(
    slots: Int64, factors: Float64, cutoff: float, postings: Postings, window: int, windows: int, sums: UInt16
) -> tuple[int, int]:
    """Add the products of at least `cutoff` to a window's sums.

    Returns:
        The most that the other products could add to a row, and how many postings were read.
    """
    unread, read = 0, 0
    limit = len(postings.places)
    for position in range(len(slots)):
        first, last = _buckets(postings, slots[position], window, windows)
        for bucket in range(first, last):
            product = factors[position] * float(postings.bounds[bucket])
            impact = min(int(product) + 1, GREATEST)
            if product < cutoff:
                unread += impact
                break
            begin = min(int(postings.starts[bucket]), limit)
            end = min(int(postings.starts[bucket + 1]), limit)
            for place in range(np.uint64(begin), np.uint64(end)):  # unsigned: no test for places below 0
                sums[postings.places[place]] += np.uint16(impact)
            read += end - begin
    return unread, read


@jit
def _strike(allowed: UInt8, sums: UInt16) -> None:
    """Set the sums of the rows to nothing that may not be hits; without a mask all may."""
    for row in range(len(allowed)):
        if allowed[row] == 0:
            sums[row] = 0


@jit
def _set_maxima(sums: UInt16, maxima: UInt16) -> None:
    """The greatest bound of every block. A fixed count and no branch, so that it becomes vector code."""
    for block in range(len(maxima)):
        greatest = np.uint16(0)
        for row in range(block * BLOCK, block * BLOCK + BLOCK):
            greatest = max(greatest, sums[row])
        maxima[block] = greatest


@jit
def clear(sums: UInt16) -> None:
    """Set all sums to nothing, a piece at a time: a large memset is slower."""
    for first in range(0, len(sums), PIECE):
        sums[first : first + PIECE] = 0


@jit
def read_window(
    slots: Int64,
    factors: Float64,
    cutoff: float,
    window: int,
    n: int,
    postings: Postings,
    allowed: UInt8,
    scratch: Scratch,
) -> tuple[int, int, int, int]:
    """Set a window's sums, and the maxima of its blocks.

    Returns:
        The window's first row, how many rows it has, the most that was not read, and the postings read.
    """
    windows, base = windows_of(n), window << WINDOW_BITS
    rows = min(WINDOW, n - base)
    if window + 1 < windows:
        _fetch_window(slots, postings, window + 1, windows)
    unread, read = _read(slots, factors, cutoff, postings, window, windows, scratch.sums)
    _strike(allowed[base : base + WINDOW], scratch.sums)
    _set_maxima(scratch.sums, scratch.maxima[: blocks_of(rows)])
    return base, rows, unread, read
