"""Numba kernels that make a segment's arrays: rounding weights, and sorting them into buckets of impact."""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Forward
from lexiscope.index.jit import jit
from lexiscope.index.vectors import Float32, Int32, Int64, UInt8, UInt16

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
def _level(weight: np.float32, greatest: np.float32) -> int:
    """The level of a weight among those of its term: 0 is the heaviest."""
    part = int(LEVELS * (weight / greatest))
    return LEVELS - 1 - min(part, LEVELS - 1)


@jit
def count_levels(forward: Forward, slots: Int32, greatest: Float32, windows: int, counts: Int64) -> None:
    """Count the postings of each term in each window by level.

    Args:
        forward: the rows.
        slots: (V,) the number of each term among those that occur.
        greatest: (V,) the greatest weight of each term.
        windows: how many windows the rows take.
        counts: (T · windows · LEVELS,) out; comes as zeros.
    """
    for row in range(len(forward.pointers) - 1):
        window = row >> WINDOW_BITS
        for place in range(forward.pointers[row], forward.pointers[row + 1]):
            term = forward.terms[place]
            level = _level(weight_at(forward, row, place), greatest[term])
            counts[(np.int64(slots[term]) * windows + window) * LEVELS + level] += 1


@jit
def fill_buckets(
    forward: Forward,
    slots: Int32,
    greatest: Float32,
    windows: int,
    buckets: Int64,
    ends: Int64,
    places: UInt16,
    bounds: Float32,
) -> None:
    """Put each posting into its bucket.

    Args:
        forward: As slots, greatest and windows: see `count_levels`.
        slots: (V,).
        greatest: (V,).
        windows: how many windows the rows take.
        buckets: (T · windows · LEVELS,) the number of the bucket of each level that has postings.
        ends: (B,) comes as the first posting of each bucket, leaves as the one after its last.
        places: (nnz,) out.
        bounds: (B,) out; comes as zeros.
    """
    for row in range(len(forward.pointers) - 1):
        window = row >> WINDOW_BITS
        for place in range(forward.pointers[row], forward.pointers[row + 1]):
            term, weight = forward.terms[place], weight_at(forward, row, place)
            slot = np.int64(slots[term]) * windows + window
            bucket = buckets[slot * LEVELS + _level(weight, greatest[term])]
            places[ends[bucket]] = row & (WINDOW - 1)
            ends[bucket] += 1
            bounds[bucket] = max(bounds[bucket], weight)
