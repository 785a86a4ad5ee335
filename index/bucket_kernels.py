"""Numba kernels that sort the weights of a window of rows into buckets of impact, and pack these.

The list of a term in a window:

    count     one byte: how many buckets it has; 0 where the term does not occur
    bounds    one byte each: the greatest weight in the bucket, in 255ths of the term's greatest, rounded up
    sizes     two bytes each, the lowest first: rows in the bucket, less one
    buckets   the heaviest first; of each row its place in the window, ascending, in two parts:
        lows      one byte each: the place within its page of 256 rows
        pages     of fewer than PAGED rows one byte each; of more four bits for each page: how many rows are
                  in it. FULL says: so many, and the next four bits are about the same page. They end with
                  the last row; what is left of the last byte is 0.
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Given
from lexiscope.index.jit import jit, whole
from lexiscope.index.row_kernels import weight_at, write
from lexiscope.index.vectors import Float32, Int32, Int64, UInt8, UInt16, UInt32

LEVELS = 16  # even parts of a term's greatest weight
STEPS = 255  # of a term's greatest weight, that bounds are rounded up to
PAGED = 640  # rows from which on a bucket is shorter with pages in four bits
FULL = 15  # rows of a page in four bits


@jit
def count_terms(given: Given, holders: Int64, greatest: Float32) -> None:
    """How many rows have each term, (V,), and its greatest weight, (V,); both come as zeros."""
    for row in range(len(given.pointers) - 1):
        for place in range(given.pointers[row], given.pointers[row + 1]):
            term = given.terms[place]
            holders[term] += 1
            greatest[term] = max(greatest[term], weight_at(given, row, place))


@jit
def _level(weight: np.float32, factor: np.float32) -> int:
    """The level of a weight, 0 the heaviest; the greatest of its term times `factor` is LEVELS."""
    return LEVELS - 1 - min(int(weight * factor), LEVELS - 1)


@jit
def count_levels(given: Given, first: int, last: int, ranks: Int32, factors: Float32, counts: UInt32) -> None:
    """Count the postings of each term in some rows by level.

    Args:
        given: The rows.
        first: Of those to count.
        last: The one after the last.
        ranks: (V,) the number of each term among those that occur.
        factors: (T,) LEVELS by the greatest weight of each term.
        counts: (T · LEVELS,) out; comes as zeros.
    """
    for row in range(first, last):
        for place in range(given.pointers[row], given.pointers[row + 1]):
            rank = ranks[given.terms[place]]
            counts[rank * LEVELS + _level(weight_at(given, row, place), factors[rank])] += 1


@jit
def fill_buckets(
    given: Given,
    first: int,
    last: int,
    ranks: Int32,
    factors: Float32,
    ends: UInt32,
    places: UInt16,
    bounds: Float32,
) -> None:
    """Put each posting of a window into its bucket.

    Args:
        given: As ranks and factors: see `count_levels`.
        first: The window's first row.
        last: The one after its last.
        ranks: (V,).
        factors: (T,).
        ends: (T · LEVELS,) comes as the first posting of each bucket, leaves as the one after its last.
        places: (the window's nnz,) out.
        bounds: (T · LEVELS,) out, the greatest weight in each bucket; comes as zeros.
    """
    for row in range(first, last):
        for place in range(given.pointers[row], given.pointers[row + 1]):
            rank, weight = ranks[given.terms[place]], weight_at(given, row, place)
            bucket = rank * LEVELS + _level(weight, factors[rank])
            places[ends[bucket]] = row - first
            ends[bucket] += 1
            bounds[bucket] = max(bounds[bucket], weight)


@jit
def _pack_pages(places: UInt16, codes: UInt8, at: int) -> int:
    """Write in four bits each how many of some places are on each page; where they end."""
    half, place = 0, 0
    for page in range((places[-1] >> 8) + 1):
        count = FULL
        while count == FULL:
            count = 0
            while count < FULL and place < len(places) and places[place] >> 8 == page:
                count, place = count + 1, place + 1
            if half == 0:
                codes[at] = count
            else:
                codes[at] |= count << 4
                at += 1
            half = 1 - half
            if place == len(places):
                return at + half
    return at + half


@jit
def pack_lists(
    counts: UInt32, bounds: Float32, tops: Float32, places: UInt16, codes: UInt8, begins: Int64
) -> int:
    """Pack the lists of all terms in a window.

    Args:
        counts: (T · LEVELS,) rows in each bucket.
        bounds: (T · LEVELS,) the greatest weight in each.
        tops: (T,) the greatest weight of each term.
        places: (the window's nnz,) in the order of buckets.
        codes: Out; long enough if there are a byte for each term, three for each bucket, two for each place.
        begins: (T,) out: where each list begins.

    Returns:
        How many bytes were written.
    """
    at, first = 0, 0
    for rank in range(len(tops)):
        begins[rank], counted = at, at
        at += 1
        for bucket in range(rank * LEVELS, (rank + 1) * LEVELS):
            if counts[bucket] > 0:
                codes[at] = min(
                    int(np.ceil(np.float64(bounds[bucket]) / np.float64(tops[rank]) * STEPS)), STEPS
                )
                at += 1
        count = at - counted - 1
        codes[counted] = count
        sizes_at, at = at, at + 2 * count
        for bucket in range(rank * LEVELS, (rank + 1) * LEVELS):
            size = whole(counts[bucket])
            if size == 0:
                continue
            sizes_at = write(size - 1, 2, codes, sizes_at)
            for place in range(size):
                codes[at + place] = places[first + place] & 255
            at += size
            if size < PAGED:
                for place in range(size):
                    codes[at + place] = places[first + place] >> 8
                at += size
            else:
                at = _pack_pages(places[first : first + size], codes, at)
            first += size
    return at


@jit
def unpack_pages(codes: UInt8, at: int, size: int, pages: UInt8) -> int:
    """Write the page of each row of a bucket; where the bucket ends.

    Sixteen copies of a page are written at a time, whether there are so many rows in it or not: the next page
    goes over those that are too many. So there is no branch to guess.

    Args:
        codes: Of all lists.
        at: Where the bucket's pages begin.
        size: Rows in the bucket.
        pages: (WINDOW + 32,) out.
    """
    done, page, byte = np.uint64(0), np.uint64(0), np.uint64(at)  # unsigned: no test for places below 0
    while done < np.uint64(size) and byte < np.uint64(len(codes)):
        two = np.uint64(codes[byte])
        for count in (two & np.uint64(FULL), two >> np.uint64(4)):
            for place in range(16):
                pages[done + np.uint64(place)] = page
            done += count
            page += np.uint64(count != FULL)
        byte += np.uint64(1)
    return whole(byte)
