"""Numba kernels of search: read the heaviest postings, keep the rows that could be hits, rescore these.

    bound(d) = Σ_t ⌈ s q_t b_t(d) ⌉    of the postings read; b_t(d) is the greatest weight in d's bucket
    unread   = Σ_t ⌈ s q_t b_t ⌉       b_t is the greatest weight of t that was not read
    s · score(d)  ≤  bound(d) + unread

Bounds are whole numbers of 16 bits; s makes the greatest possible one fit. One window of rows is read after
the other, into the same sums, which so never leave the second-level cache. Of each window the rows are kept
whose bounds are among the best so far; at the end the best of these are rescored exactly. The k-th best score
is a threshold: where it is above the bound of every row that was not rescored, and what was not read, the
answer is exact; else, if it has to be, everything is read again, and every row above the threshold rescored.

Sources: score at a time with a cut-off, JASS (Lin & Trotman, ICTIR 2015); the threshold that makes it safe,
MaxScore (Turtle & Flood 1995); windows whose accumulators fit the cache, SINDI (2025).

Scores are float32 dot products, summed in the order of ascending term ids, so that every way to a score
agrees to the last bit. A row with a larger score is better; of two equal scores, the row with the smaller
number. No kernel trusts an index that it read from a file: an altered file gives wrong numbers, never a wild
access.
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Best, Efforts, Forward, Postings, Queries
from lexiscope.index.effort import wanted
from lexiscope.index.heap import sort
from lexiscope.index.jit import jit
from lexiscope.index.keep_kernels import collect, count_bounds, reached
from lexiscope.index.read_kernels import (
    clear,
    greatest,
    maxima_of,
    plan,
    read_window,
    rows_reaching,
    set_maxima,
    windows_of,
)
from lexiscope.index.score_kernels import SLACK, note, offer_all, rescore, threshold_of
from lexiscope.index.scratch import PIECE, WAITING, Scratch
from lexiscope.index.vectors import Float32, Float64, Int32, Int64, UInt8

_rows_wanted = jit(wanted)


@jit
def _sound(terms: Int32, weights: Float32, columns: int) -> bool:
    """Whether terms ascend, each once, within the vocabulary, with finite weights above zero."""
    sound = len(terms) == 0 or (terms[0] >= 0 and terms[-1] < columns)
    for place in range(len(terms) - 1):
        sound &= terms[place] < terms[place + 1]
    for weight in weights:
        sound &= 0 < weight < np.inf
    return sound


@jit
def _answer(query: int, hits: int, size: int, forward: Forward, best: Best) -> None:
    """Turn a heap of rows into an answer."""
    begin = query * hits
    scores, ids = best.scores[begin : begin + hits], best.ids[begin : begin + hits]
    sort(scores, ids, size)
    for place in range(size):
        ids[place] = forward.ids[ids[place]]
    for place in range(size, hits):
        ids[place], scores[place] = -1, 0


@jit
def _search_best(
    planned: tuple[float, int, Int64, Float64, Float64],
    weights: Float32,
    wanted: int,
    postings: Postings,
    forward: Forward,
    allowed: UInt8,
    scratch: Scratch,
    scores: Float32,
    rows: Int64,
    work: Int64,
) -> tuple[int, float, bool]:
    """One query: keep the best bounds, rescore as many as there are hits, then all that could be better.

    Returns:
        The heap's size, what a row must score to enter it, and whether that proves that no other row does.
    """
    scale, unread, ranks, factors, hurdles = planned
    n, most = len(forward.offsets) - 1, greatest(scratch.sums)
    count, missed, missing, read = collect(ranks, factors, hurdles, wanted, n, postings, allowed, scratch)
    unread += missing
    count_bounds(scratch, count)
    cut = reached(scratch.histogram, len(scores))
    size, first = rescore(cut, most + 1, count, forward, weights, scratch, scores, rows, 0)
    least = max(1, threshold_of(scores, size, scale) - unread)
    size, second = rescore(least, cut, count, forward, weights, scratch, scores, rows, size)
    work[0] += read
    work[1] += first + second
    needed = float(scores[0]) if size == len(scores) else 0.0
    return size, needed, missed + unread < threshold_of(scores, size, scale)


@jit
def _search_all(
    terms: Int32,
    weights: Float32,
    score: float,
    postings: Postings,
    forward: Forward,
    allowed: UInt8,
    scratch: Scratch,
    scores: Float32,
    rows: Int64,
    work: Int64,
) -> int:
    """One query: read everything, rescore every row that could score as much; the heap's size."""
    _, scale, _, ranks, factors, hurdles = plan(terms, weights, 0.0, True, postings, scratch)
    n, size, waited, least = len(forward.offsets) - 1, 0, 0, max(1, int(score * scale * (1.0 - SLACK)))
    waiting, found = scratch.waiting, scratch.rows
    for window in range(windows_of(n)):
        base, here, _, read = read_window(ranks, factors, hurdles, window, n, postings, allowed, scratch)
        work[0] += read
        for first in range(0, here, PIECE):
            maxima = maxima_of(first, scratch)
            set_maxima(scratch.sums, first, maxima)
            for number in range(rows_reaching(least, scratch.sums, first, maxima, found)):
                waiting[waited] = base + found[number]
                waited += 1
                if waited == WAITING:
                    size = offer_all(waited, forward, weights, scratch, scores, rows, size)
                    least = max(least, threshold_of(scores, size, scale))
                    work[1] += waited
                    waited = 0
            clear(scratch.sums, first)
    work[1] += waited
    return offer_all(waited, forward, weights, scratch, scores, rows, size)


@jit
def search_postings(
    first: int,
    last: int,
    hits: int,
    queries: Queries,
    efforts: Efforts,
    postings: Postings,
    forward: Forward,
    allowed: UInt8,
    fine: Scratch,
    coarse: Scratch,
    best: Best,
    work: Int64,
) -> None:
    """Top-k of the queries first … last - 1, see the formula at the head of this file.

    Args:
        first: The first query to answer.
        last: The one after the last query to answer; threads share the arrays, each with queries of its own.
        hits: k, at least 1.
        queries: One that is not canonical is not answered, but counted.
        efforts: Products below this part of the sum of all terms' greatest products are not read, see `plan`;
            how many rows a hit are kept, at least 1, or inf where the answer is to be exact.
        postings: Of the segment.
        forward: Of the segment.
        allowed: (n,) 1 where a row may be a hit, or (0,) when all may.
        fine: This thread's, with sums of 16 bits.
        coarse: The same memory, with sums of 8 bits.
        best: Out.
        work: (3,) counts up the postings read, the rows rescored, and the queries that were not answered.
    """
    for query in range(first, last):
        start, stop = queries.pointers[query], queries.pointers[query + 1]
        terms, weights = queries.terms[start:stop], queries.weights[start:stop]
        size, scores = 0, best.scores[query * hits : (query + 1) * hits]
        rows = best.ids[query * hits : (query + 1) * hits]
        if _sound(terms, weights, len(postings.ranks)):
            note(terms, postings.ranks, fine.positions, False)
            exact, many = np.isinf(efforts.mosts[query]), _rows_wanted(efforts.mosts[query], hits)
            sixteen, scale, unread, ranks, factors, hurdles = plan(
                terms, weights, efforts.cutoffs[query], exact, postings, fine
            )
            planned = scale, unread, ranks, factors, hurdles
            if sixteen:
                size, needed, proven = _search_best(
                    planned, weights, many, postings, forward, allowed, fine, scores, rows, work
                )
                if exact and not proven:
                    size = _search_all(
                        terms, weights, needed, postings, forward, allowed, fine, scores, rows, work
                    )
            else:
                size, _, _ = _search_best(
                    planned, weights, many, postings, forward, allowed, coarse, scores, rows, work
                )
            note(terms, postings.ranks, fine.positions, True)
        else:
            work[2] += 1
        _answer(query, hits, size, forward, best)


@jit
def search_rows(
    first: int,
    last: int,
    hits: int,
    queries: Queries,
    candidates: Int64,
    postings: Postings,
    forward: Forward,
    scratch: Scratch,
    best: Best,
    work: Int64,
) -> None:
    """Exact top-k of the queries first … last - 1 among a few candidate rows.

    The same scores as `search_postings`, for filters that leave so few rows that reading them all is cheaper
    than reading the query's postings.

    Args:
        first: As all others: see `search_postings`.
        last: The one after the last query to answer.
        hits: k.
        queries: Canonical.
        candidates: Rows that may be hits.
        postings: Of the segment.
        forward: Of the segment.
        scratch: This thread's.
        best: Out.
        work: Counts.
    """
    for query in range(first, last):
        start, stop = queries.pointers[query], queries.pointers[query + 1]
        terms, weights = queries.terms[start:stop], queries.weights[start:stop]
        size, scores = 0, best.scores[query * hits : (query + 1) * hits]
        rows = best.ids[query * hits : (query + 1) * hits]
        if _sound(terms, weights, len(postings.ranks)):
            note(terms, postings.ranks, scratch.positions, False)
            for begin in range(0, len(candidates), WAITING):
                waited = min(WAITING, len(candidates) - begin)
                for number in range(waited):
                    scratch.waiting[number] = candidates[begin + number]
                size = offer_all(waited, forward, weights, scratch, scores, rows, size)
            note(terms, postings.ranks, scratch.positions, True)
            work[1] += len(candidates)
        else:
            work[2] += 1
        _answer(query, hits, size, forward, best)
