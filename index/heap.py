"""Numba kernels of a heap that keeps the best k rows, the worst of them on top.

A row with a larger score is better; of two equal scores, the row with the smaller number.
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.jit import jit
from lexiscope.index.vectors import Float32, Int64


@jit
def beats(score: np.float32, row: int, other: np.float32, other_row: int) -> bool:
    """Whether a row is better than another."""
    return bool(score > other or (score == other and row < other_row))


@jit
def offer(scores: Float32, rows: Int64, size: int, score: np.float32, row: int) -> int:
    """Put a row, unless all inside are better, into a heap of at most len(scores); return its new size."""
    if size < len(scores):
        place = size
        while place > 0:
            parent = (place - 1) >> 1
            if not beats(scores[parent], rows[parent], score, row):
                break
            scores[place], rows[place] = scores[parent], rows[parent]
            place = parent
        scores[place], rows[place] = score, row
        return size + 1
    if beats(score, row, scores[0], rows[0]):
        _sink(scores, rows, size, score, row)
    return size


@jit
def sort(scores: Float32, rows: Int64, size: int) -> None:
    """Turn the heap into a list, the best first (the second half of heapsort)."""
    for last in range(size - 1, 0, -1):
        score, row = scores[last], rows[last]
        scores[last], rows[last] = scores[0], rows[0]
        _sink(scores, rows, last, score, row)


@jit
def _sink(scores: Float32, rows: Int64, size: int, score: np.float32, row: int) -> None:
    """Replace the top of a heap of `size` by (score, row) and restore the heap."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        other = child + 1
        if other < size and beats(scores[child], rows[child], scores[other], rows[other]):
            child = other
        if not beats(score, row, scores[child], rows[child]):
            break
        scores[place], rows[place] = scores[child], rows[child]
        place = child
    scores[place], rows[place] = score, row
