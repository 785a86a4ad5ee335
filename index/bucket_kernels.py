"""Numba kernels that make a segment's arrays: rounding weights, and sorting them into buckets of impact."""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Forward
from lexiscope.index.jit import jit
from lexiscope.index.vectors import Float32, Int32, Int64, UInt8, UInt16, UInt32

WINDOW_BITS = 16
WINDOW = 1 << WINDOW_BITS  # rows: a place among them fits two bytes
LEVELS = 16  # even parts of a term's greatest weight
UNITS = 255  # of a row's greatest weight


@jit
def round_weights(pointers: Int64, weights: Float32, codes: UInt8, units: Float32) -> None:
    """Write the weights of each row as whole numbers, from 1 to UNITS, of its own unit.

    Args:
        pointers: (n + 1,) of the rows.
        weights: (nnz,) above zero.
        codes: (nnz,) out.
        units: (n,) out; a unit is normal, since one too small would turn weights into zeros.
    """
    tiny = np.float32(1.2e-38)
    for row in range(len(pointers) - 1):
        greatest = np.float32(0)
        for place in range(pointers[row], pointers[row + 1]):
            greatest = max(greatest, weights[place])
        unit = max(np.float32(greatest / np.float32(UNITS)), tiny)
        units[row] = unit
        for place in range(pointers[row], pointers[row + 1]):
            codes[place] = min(max(int(np.rint(weights[place] / unit)), 1), UNITS)


@jit
def weight_at(forward: Forward, row: int, place: int) -> np.float32:
    """The weight at a place of a row."""
    weight = np.float32(forward.weights[place])
    return forward.scales[row] * weight if len(forward.scales) > 0 else weight


@jit
def count_terms(forward: Forward, holders: Int64, greatest: Float32) -> None:
    """How many rows have each term, (V,), and its greatest weight, (V,); both come as zeros."""
    for row in range(len(forward.pointers) - 1):
        for place in range(forward.pointers[row], forward.pointers[row + 1]):
            term = forward.terms[place]
            holders[term] += 1
            greatest[term] = max(greatest[term], weight_at(forward, row, place))


@jit
def _level(weight: np.float32, factor: np.float32) -> int:
    """The level of a weight, 0 the heaviest; the greatest of its term times `factor` is LEVELS."""
    return LEVELS - 1 - min(int(weight * factor), LEVELS - 1)


@jit
def count_levels(
    forward: Forward, first: int, last: int, slots: Int32, factors: Float32, counts: UInt32
) -> None:
    """Count the postings of each term in some rows by level.

    Args:
        forward: the rows.
        first: of the rows.
        last: the one after the last.
        slots: (V,) the number of each term among those that occur.
        factors: (V,) LEVELS by the greatest weight of each term.
        counts: (T · LEVELS,) out; comes as zeros.
    """
    for row in range(first, last):
        for place in range(forward.pointers[row], forward.pointers[row + 1]):
            term = forward.terms[place]
            counts[slots[term] * LEVELS + _level(weight_at(forward, row, place), factors[term])] += 1


@jit
def fill_buckets(
    forward: Forward,
    first: int,
    last: int,
    slots: Int32,
    factors: Float32,
    ends: UInt32,
    places: UInt16,
    bounds: Float32,
) -> None:
    """Put each posting of a window into its bucket.

    Args:
        forward: As slots and factors: see `count_levels`.
        first: the window's first row.
        last: the one after its last.
        slots: (V,).
        factors: (V,).
        ends: (T · LEVELS,) comes as the first posting of each bucket, leaves as the one after its last.
        places: (nnz,) out, of all windows.
        bounds: (T · LEVELS,) out; comes as zeros.
    """
    for row in range(first, last):
        for place in range(forward.pointers[row], forward.pointers[row + 1]):
            term, weight = forward.terms[place], weight_at(forward, row, place)
            bucket = slots[term] * LEVELS + _level(weight, factors[term])
            places[ends[bucket]] = row - first
            ends[bucket] += 1
            bounds[bucket] = max(bounds[bucket], weight)
