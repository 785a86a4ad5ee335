"""Numba kernels that score rows exactly."""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Forward
from lexiscope.index.heap import offer
from lexiscope.index.jit import jit, prefetch, whole
from lexiscope.index.read_kernels import LINE, rank_of
from lexiscope.index.row_kernels import four_bytes, gaps_end, middle_gap, span, unit, weights_at
from lexiscope.index.scratch import WAITING, Scratch
from lexiscope.index.vectors import Float32, Int32, Int64, Offsets, UInt8, UInt32

LINES = 16  # of a row that are fetched ahead, at most
SLACK = 1e-5  # by which a float32 sum of products may be off


@jit
def note(terms: Int32, ranks: Int32, positions: UInt32, forget: bool) -> None:
    """Have each term of a query that occurs point to its place there, or take that back."""
    for place in range(len(terms)):
        rank = rank_of(terms[place], ranks)
        if 0 <= rank < len(positions):
            positions[rank] = 0 if forget else place + 1


@jit
def _score(
    row: int,
    offsets: Offsets,
    codes: UInt8,
    stored: UInt8 | Float32,
    weights: Float32,
    positions: UInt32,
    found: Float32,
) -> np.float32:
    """Σ_t q_t d_t over the terms of a query, ascending.

    First each of the row's weights is put where the query has its term, or to place 0 with what the query
    does not have; then the products are summed. No loop has a branch to guess. The ranks are those of
    `unpack_rows`; to keep them in between took twice as long.

    Args:
        row: Of the segment.
        offsets: As codes and stored: the segment's rows, see `Forward`.
        codes: (bytes,).
        stored: (weights,).
        weights: (terms,) of the query.
        positions: As found: see `Scratch`, as `note` left it.
        found: For the row's weights.
    """
    score = np.float32(0)
    begin, near, middle, far = span(row, offsets, codes, stored)
    if near + middle + far == 0:
        return score
    ends = gaps_end(begin, near, middle)
    at, highs, fars = np.uint64(begin), np.uint64(begin + near + middle), np.uint64(ends)
    weight, rank, last = np.uint64(weights_at(ends, far, stored)), np.uint64(0), np.uint64(len(positions) - 1)
    for number in range(np.uint64(near)):
        rank += np.uint64(codes[at + number])
        found[positions[min(rank, last)]] = np.float32(stored[weight + number])
    at, weight = at + np.uint64(near), weight + np.uint64(near)
    for number in range(np.uint64(middle)):
        rank += middle_gap(codes, at, highs, np.uint64(number))
        found[positions[min(rank, last)]] = np.float32(stored[weight + number])
    weight += np.uint64(middle)
    for number in range(np.uint64(far)):
        rank = four_bytes(codes, fars + np.uint64(4) * number)
        found[positions[min(rank, last)]] = np.float32(stored[weight + number])
    scale = unit(row, offsets, codes, stored)
    for place in range(len(weights)):
        score += weights[place] * (scale * found[place + 1])
        found[place + 1] = 0
    return score


@jit
def offer_all(
    count: int,
    forward: Forward,
    weights: Float32,
    scratch: Scratch,
    scores: Float32,
    rows: Int64,
    size: int,
) -> int:
    """Offer the exact scores of the rows that wait, their memory fetched together; the heap's size."""
    offsets, codes, stored = forward.offsets, forward.codes, forward.weights
    waiting, own, positions, found = scratch.waiting, scratch.scores, scratch.positions, scratch.found
    for number in range(count):
        prefetch(offsets, waiting[number])
    for number in range(count):
        begin, end = whole(offsets[waiting[number]]), whole(offsets[waiting[number] + 1])
        for place in range(begin, min(end, begin + LINES * LINE), LINE):
            prefetch(codes, place)
    for number in range(count):
        own[number] = _score(waiting[number], offsets, codes, stored, weights, positions, found)
    for number in range(count):
        if own[number] > 0:
            size = offer(scores, rows, size, own[number], waiting[number])
    return size


@jit
def rescore(
    least: int,
    below: int,
    count: int,
    forward: Forward,
    weights: Float32,
    scratch: Scratch,
    scores: Float32,
    rows: Int64,
    size: int,
) -> tuple[int, int]:
    """Offer the exact scores of the kept rows with least ≤ bound < below; the heap's size, how many rows."""
    rescored, waited = 0, 0
    waiting, kept, bounds = scratch.waiting, scratch.kept, scratch.bounds
    for place in range(count):
        if least <= bounds[place] < below:
            waiting[waited] = kept[place]
            waited += 1
            if waited == WAITING:
                size = offer_all(waited, forward, weights, scratch, scores, rows, size)
                rescored, waited = rescored + waited, 0
    size = offer_all(waited, forward, weights, scratch, scores, rows, size)
    return size, rescored + waited


@jit
def threshold_of(scores: Float32, size: int, scale: float) -> int:
    """The least bound with which a row could still enter the heap."""
    return int(float(scores[0]) * scale * (1.0 - SLACK)) if size == len(scores) else 1
