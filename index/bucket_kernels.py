"""Numba kernels that sort the weights of a window of rows into buckets of impact, and pack these.

The list of a term in a window:

    count     one byte: how many buckets it has; 0 where the term does not occur
    bounds    one byte each: the greatest weight in the bucket, in 255ths of the term's greatest, rounded up
    sizes     two bytes each, the lowest first: codes in the bucket, less one
    buckets   the heaviest first; the places of its rows in the window, ascending:
        of fewer than GAPS rows two bytes each, the lowest first
        of more a byte each: the place less the one before it, the first less 0. A gap of FAR or more is
        written as FAR, as often as it takes, and the rest of it: FAR only leads on, no row is there.
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Given
from lexiscope.index.jit import jit, whole
from lexiscope.index.row_kernels import weight_at, write
from lexiscope.index.vectors import Float32, Int32, Int64, UInt8, UInt16, UInt32

LEVELS = 16  # even parts of a term's greatest weight
STEPS = 255  # of a term's greatest weight, that bounds are rounded up to
GAPS = 320  # rows from which on a bucket is written in gaps; of 257 or more they are never the longer way
FAR = 255


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
def code_bytes(size: int) -> int:
    """The bytes of a code in a bucket of so many."""
    return 1 if size >= GAPS else 2


@jit
def _pack_places(places: UInt16, codes: UInt8, at: int) -> int:
    """Write the places of a bucket; where they end."""
    before = 0
    for number in range(len(places)):
        place = whole(places[number])
        if len(places) < GAPS:
            at = write(place, 2, codes, at)
            continue
        while place - before >= FAR:
            codes[at], at, before = FAR, at + 1, before + FAR
        codes[at], at, before = place - before, at + 1, place
    return at


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
            begin, at = at, _pack_places(places[first : first + size], codes, at)
            sizes_at = write((at - begin) // code_bytes(size) - 1, 2, codes, sizes_at)
            first += size
    return at
