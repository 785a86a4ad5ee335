"""Numba kernels of exact search: arrays in, arrays out, one idea each.

Scores are float32 dot products, summed in the order of ascending term ids by every kernel, so that two ways
to the same score agree to the last bit. A row with a larger score is better; of two equal scores, the row
with the smaller number. No kernel trusts an index that it read from a file: an altered file gives wrong
numbers, never a wild write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

from lexiscope.index.vectors import Float32, Int32, Int64, UInt8

WINDOW = 1 << 16  # rows scored at a time: 256 KiB of accumulators stay in the second-level cache
BLOCK = 64  # accumulators compared with the threshold at a time, in vector registers

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _jit(function: _Function) -> _Function:
    """Compile without the GIL, cached on disk where there is a place to write the cache."""
    compile_: Any = numba.njit
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        compiled: _Function = compile_(cache=True, **options)(function)
    except RuntimeError:  # numba's answer to a read-only installation and home
        compiled = compile_(**options)(function)
    return compiled


@_jit
def _offer(scores: Float32, rows: Int64, size: int, score: np.float32, row: int) -> int:
    """Put a row into a heap of at most len(scores), the worst on top; return the heap's new size.

    Rows are offered in ascending order, so an equal score is never better than one inside. The caller has
    seen to it that the heap has room or the score beats its top.
    """
    if size < len(scores):
        place = size
        while place > 0:
            parent = (place - 1) >> 1
            if scores[parent] < score or (scores[parent] == score and rows[parent] > row):
                break
            scores[place], rows[place] = scores[parent], rows[parent]
            place = parent
        scores[place], rows[place] = score, row
        return size + 1
    _sink(scores, rows, size, score, row)
    return size


@_jit
def _sink(scores: Float32, rows: Int64, size: int, score: np.float32, row: int) -> None:
    """Replace the top of a heap of `size` by (score, row) and restore the heap."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            scores[other] < scores[child] or (scores[other] == scores[child] and rows[other] > rows[child])
        ):
            child = other
        if score < scores[child] or (score == scores[child] and row > rows[child]):
            break
        scores[place], rows[place] = scores[child], rows[child]
        place = child
    scores[place], rows[place] = score, row


@_jit
def _sort(scores: Float32, rows: Int64, size: int) -> None:
    """Turn the heap into a list, the best first (the second half of heapsort)."""
    for last in range(size - 1, 0, -1):
        score, row = scores[last], rows[last]
        scores[last], rows[last] = scores[0], rows[0]
        _sink(scores, rows, last, score, row)


@_jit
def _locate(
    query_terms: Int32, terms: Int32, term_pointers: Int64, postings: int, cursors: Int64, ends: Int64
) -> None:
    """Find where each query term's postings start and end; a term that no row has gets an empty list."""
    for position in range(len(query_terms)):
        low, high = 0, len(terms)
        while low < high:
            middle = (low + high) >> 1
            if terms[middle] < query_terms[position]:
                low = middle + 1
            else:
                high = middle
        cursors[position] = ends[position] = 0
        if low < len(terms) and terms[low] == query_terms[position]:
            cursors[position] = min(max(term_pointers[low], 0), postings)
            ends[position] = min(max(term_pointers[low + 1], 0), postings)


@_jit
def _accumulate(
    accumulators: Float32,
    base: int,
    width: int,
    query_weights: Float32,
    cursors: Int64,
    ends: Int64,
    posting_rows: Int32,
    posting_weights: Float32,
) -> None:
    """Add every query term's products to the accumulators of the rows from base on; move the cursors on."""
    limit = np.uint32(width)
    first = np.int32(base)
    for position in range(len(query_weights)):
        weight = query_weights[position]
        cursor, end = cursors[position], ends[position]
        while cursor < end:
            offset = np.uint32(
                posting_rows[cursor] - first
            )  # unsigned: one comparison for both ends of the window
            if offset >= limit:
                break
            accumulators[offset] += weight * posting_weights[cursor]
            cursor += 1
        cursors[position] = cursor


@_jit
def _collect(
    accumulators: Float32, base: int, width: int, allowed: UInt8, scores: Float32, rows: Int64, size: int
) -> int:
    """Offer the rows that beat the worst so far, and clear the accumulators; return the heap's size."""
    for start in range(0, width, BLOCK):
        stop = min(start + BLOCK, width)
        if len(allowed) > 0:
            for offset in range(start, stop):
                if allowed[base + offset] == 0:
                    accumulators[offset] = np.float32(0)
        threshold = scores[0] if size == len(scores) else np.float32(0)
        better = 0
        for offset in range(
            start, start + BLOCK
        ):  # a fixed count and no branch, so that it becomes vector code
            better += accumulators[offset] > threshold
        if better > 0:
            for offset in range(start, stop):
                if accumulators[offset] > threshold:
                    size = _offer(scores, rows, size, accumulators[offset], base + offset)
                    threshold = scores[0] if size == len(scores) else np.float32(0)
        for offset in range(start, start + BLOCK):
            accumulators[offset] = np.float32(0)
    return size


@_jit
def search_postings(
    query_pointers: Int64,
    query_terms: Int32,
    query_weights: Float32,
    first: int,
    last: int,
    terms: Int32,
    term_pointers: Int64,
    posting_rows: Int32,
    posting_weights: Float32,
    n_rows: int,
    allowed: UInt8,
    best_rows: Int64,
    best_scores: Float32,
) -> None:
    """Exact top-k of the queries first … last - 1, a term at a time, a window of rows at a time.

    score(q, d) = Σ_t q_t · d_t. Term-at-a-time with accumulators (Turtle & Flood 1995), the rows cut into
    windows whose accumulators fit the cache (SINDI, 2025), each window compared with the k-th best score so
    far in blocks.

    Args:
        query_pointers: (queries + 1,) with query_terms and query_weights canonical rows, see `vectors.Rows`.
        query_terms: (query nnz,).
        query_weights: (query nnz,).
        first: The first query to answer.
        last: The one after the last query to answer; threads share the arrays, each with queries of its own.
        terms: (T,) the terms that occur, ascending.
        term_pointers: (T + 1,) where each term's postings start.
        posting_rows: (nnz,) rows, ascending within a term.
        posting_weights: (nnz,) their weights, above zero.
        n_rows: How many rows there are.
        allowed: (n_rows,) 1 where a row may be a hit, or (0,) when all may.
        best_rows: (queries, k) out. Places without a hit are left as they are.
        best_scores: (queries, k) out.
    """
    window = min(n_rows, WINDOW)
    accumulators = np.zeros((window + BLOCK - 1) // BLOCK * BLOCK, np.float32)
    for query in range(first, last):
        start, stop = query_pointers[query], query_pointers[query + 1]
        cursors = np.empty(stop - start, np.int64)
        ends = np.empty(stop - start, np.int64)
        _locate(query_terms[start:stop], terms, term_pointers, len(posting_rows), cursors, ends)
        weights = query_weights[start:stop]
        scores, rows = best_scores[query], best_rows[query]
        size = 0
        for base in range(0, n_rows, WINDOW):
            width = min(WINDOW, n_rows - base)
            _accumulate(accumulators, base, width, weights, cursors, ends, posting_rows, posting_weights)
            size = _collect(accumulators, base, width, allowed, scores, rows, size)
        _sort(scores, rows, size)


@_jit
def search_rows(
    query_pointers: Int64,
    query_terms: Int32,
    query_weights: Float32,
    first: int,
    last: int,
    candidates: Int32,
    row_pointers: Int64,
    row_terms: Int32,
    row_weights: Float32,
    columns: int,
    best_rows: Int64,
    best_scores: Float32,
) -> None:
    """Exact top-k of the queries first … last - 1 among a few candidate rows, read from the forward index.

    The same score as `search_postings`, bit for bit, for filters that leave so few rows that reading them is
    cheaper than reading the query's postings.

    Args:
        query_pointers: As query_terms, query_weights, first and last: see `search_postings`.
        query_terms: (query nnz,).
        query_weights: (query nnz,).
        first: The first query to answer.
        last: The one after the last query to answer.
        candidates: Rows that may be hits, ascending.
        row_pointers: (n + 1,) with row_terms and row_weights the segment's canonical rows.
        row_terms: (nnz,).
        row_weights: (nnz,).
        columns: Terms in the vocabulary.
        best_rows: (queries, k) out. Places without a hit are left as they are.
        best_scores: (queries, k) out.
    """
    dense = np.zeros(columns, np.float32)
    limit = np.uint32(columns)
    for query in range(first, last):
        start, stop = query_pointers[query], query_pointers[query + 1]
        for place in range(start, stop):
            dense[query_terms[place]] = query_weights[place]
        scores, rows = best_scores[query], best_rows[query]
        size = 0
        for row in candidates:
            score = np.float32(0)
            row_end = min(row_pointers[row + 1], len(row_terms))
            for place in range(max(row_pointers[row], 0), row_end):
                term = np.uint32(row_terms[place])
                if term < limit:
                    score += dense[term] * row_weights[place]
            if score > 0 and (size < len(scores) or score > scores[0]):
                size = _offer(scores, rows, size, score, row)
        _sort(scores, rows, size)
        for place in range(start, stop):
            dense[query_terms[place]] = np.float32(0)
