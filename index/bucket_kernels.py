"""Numba kernels that sort weights into buckets of impact: counting, then filling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lexiscope.index.jit import jit
from lexiscope.index.vectors import Float32, Int32, Int64

# Compiled code keeps the values that it was compiled with, and is compiled anew when its own file changes: so
# constants of the layout live here.
WINDOW_BITS = 16
WINDOW = 1 << WINDOW_BITS  # rows: a place among them fits two bytes
LEVELS = 16  # even parts of a term's greatest weight


@jit
def _level(weight: np.float32, greatest: np.float32) -> int:
    """The level of a weight among those of its term: 0 is the heaviest."""
    part = int(LEVELS * (weight / greatest))
    return LEVELS - 1 - min(part, LEVELS - 1)


@jit
def count_levels(
    pointers: Int64, slots: Int32, weights: Float32, greatest: Float32, windows: int, counts: Int64
) -> None:
    """Count the postings of each term in each window by level.

    Args:
        pointers: (n + 1,) of the rows.
        slots: (nnz,) the number of each weight's term among those that occur.
        weights: (nnz,) above zero.
        greatest: (T,) the greatest weight of each term.
        windows: how many windows the n rows take.
        counts: (T · windows · LEVELS,) out; comes as zeros.
    """
    for row in range(len(pointers) - 1):
        window = row >> WINDOW_BITS
        for place in range(pointers[row], pointers[row + 1]):
            slot = np.int64(slots[place])
            counts[(slot * windows + window) * LEVELS + _level(weights[place], greatest[slot])] += 1


@jit
def fill_buckets(
    pointers: Int64,
    slots: Int32,
    weights: Float32,
    greatest: Float32,
    windows: int,
    buckets: Int64,
    ends: Int64,
    places: npt.NDArray[np.uint16],
    bounds: Float32,
) -> None:
    """Put each posting into its bucket.

    Args:
        pointers: As slots, weights, greatest and windows: see `count_levels`.
        slots: (nnz,).
        weights: (nnz,).
        greatest: (T,).
        windows: how many windows the rows take.
        buckets: (T · windows · LEVELS,) the number of the bucket of each level that has postings.
        ends: (B,) comes as the first posting of each bucket, leaves as the one after its last.
        places: (nnz,) out.
        bounds: (B,) out; comes as zeros.
    """
    for row in range(len(pointers) - 1):
        window = row >> WINDOW_BITS
        for place in range(pointers[row], pointers[row + 1]):
            slot, weight = np.int64(slots[place]), weights[place]
            bucket = buckets[(slot * windows + window) * LEVELS + _level(weight, greatest[slot])]
            places[ends[bucket]] = row & (WINDOW - 1)
            ends[bucket] += 1
            bounds[bucket] = max(bounds[bucket], weight)
