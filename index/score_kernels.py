"""Numba kernels that score rows exactly."""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Forward, Kept
from lexiscope.index.bucket_kernels import weight_at
from lexiscope.index.heap import offer
from lexiscope.index.jit import jit, prefetch
from lexiscope.index.read_kernels import LINE
from lexiscope.index.vectors import Float32, Int64

WAITING = 32  # rows fetched together
SLACK = 1e-5  # by which a float32 sum of products may be off


@jit
def _span(row: int, forward: Forward) -> tuple[int, int]:
    """Where the terms of a row begin and end."""
    begin = max(forward.pointers[row], 0)
    return begin, max(min(forward.pointers[row + 1], len(forward.terms)), begin)


@jit
def score_row(row: int, forward: Forward, dense: Float32) -> np.float32:
    """Σ_t q_t d_t over the terms of a row, ascending; `dense` holds the query."""
    score = np.float32(0)
    begin, end = _span(row, forward)
    limit = np.uint64(len(dense))
    for place in range(np.uint64(begin), np.uint64(end)):
        term = np.uint64(forward.terms[place])
        if term < limit:
            score += dense[term] * weight_at(forward, row, place)
    return score


@jit
def offer_all(
    waiting: Int64, count: int, forward: Forward, dense: Float32, scores: Float32, rows: Int64, size: int
) -> int:
    """Offer the exact scores of some rows, their memory fetched together; the heap's size."""
    for number in range(count):
        prefetch(forward.pointers, waiting[number])
    for number in range(count):
        begin, end = _span(waiting[number], forward)
        for place in range(begin, end, LINE):
            prefetch(forward.terms, place)
            prefetch(forward.weights, place)
    for number in range(count):
        score = score_row(waiting[number], forward, dense)
        if score > 0:
            size = offer(scores, rows, size, score, waiting[number])
    return size


@jit
def rescore(
    least: int,
    below: int,
    kept: Kept,
    count: int,
    forward: Forward,
    dense: Float32,
    scores: Float32,
    rows: Int64,
    size: int,
) -> tuple[int, int]:
    """Offer the exact scores of the kept rows with least ≤ bound < below; the heap's size, how many rows."""
    rescored, waited = 0, 0
    waiting = np.empty(WAITING, np.int64)
    for place in range(count):
        if least <= kept.bounds[place] < below:
            waiting[waited] = kept.rows[place]
            waited += 1
            if waited == WAITING:
                size = offer_all(waiting, waited, forward, dense, scores, rows, size)
                rescored, waited = rescored + waited, 0
    size = offer_all(waiting, waited, forward, dense, scores, rows, size)
    return size, rescored + waited


@jit
def threshold_of(scores: Float32, size: int, scale: float) -> int:
    """The least bound with which a row could still enter the heap."""
    return int(float(scores[0]) * scale * (1.0 - SLACK)) if size == len(scores) else 1
