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

from lexiscope.index.arrays import Best, Efforts, Forward, Postings, Queries, Work
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

rows_wanted = jit(wanted)


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
def _begin(
    query: int, hits: int, queries: Queries, best: Best, work: Work
) -> tuple[Int32, Float32, Float32, Int64]:
    """A query's terms and weights, and the places of its answer: of scores and of ids."""
    work.read[query], work.rescored[query], work.glances[query] = 0, 0, 0.0
    start, stop = queries.pointers[query], queries.pointers[query + 1]
    begin, end = query * hits, (query + 1) * hits
    return queries.terms[start:stop], queries.weights[start:stop], best.scores[begin:end], best.ids[begin:end]


@jit
def _end(size: int, scores: Float32, rows: Int64, forward: Forward) -> None:
    """Turn a heap of rows into an answer."""
    sort(scores, rows, size)
    for place in range(size):
        rows[place] = forward.ids[rows[place]]
    for place in range(size, len(rows)):
        rows[place], scores[place] = -1, 0


@jit
def _search_best(
    planned: tuple[float, float, int, Int64, Float64, Float64],
    weights: Float32,
    wanted: int,
    enough: float,
    postings: Postings,
    forward: Forward,
    allowed: UInt8,
    scratch: Scratch,
    out: tuple[int, Float32, Int64, Work],
) -> tuple[int, float, bool]:
    """One query: keep the best bounds, rescore as many as there are hits, then all that could be better.

    Returns:
        The heap's size, or -1 where the first window shows that the plan is not enough, what a row must score
        to enter the heap, and whether that proves that no other row does.
    """
    total, scale, unread, ranks, factors, hurdles = planned
    query, scores, rows, work = out
    n, most, all_bounds = len(forward.offsets) - 1, greatest(scratch.sums), scale * total
    count, missed, missing, read, glance = collect(
        ranks, factors, hurdles, wanted, int(np.ceil(enough * all_bounds)), n, postings, allowed, scratch
    )
    work.read[query] += read
    if work.glances[query] == 0.0 and all_bounds > 0.0:
        work.glances[query] = glance / all_bounds
    if count < 0:
        return -1, 0.0, False
    unread += missing
    count_bounds(scratch, count)
    cut = reached(scratch.histogram, len(scores))
    size, first = rescore(cut, most + 1, count, forward, weights, scratch, scores, rows, 0)
    least = max(1, threshold_of(scores, size, scale) - unread)
    size, second = rescore(least, cut, count, forward, weights, scratch, scores, rows, size)
    work.rescored[query] += first + second
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
    out: tuple[int, Float32, Int64, Work],
) -> int:
    """One query: read everything, rescore every row that could score as much; the heap's size."""
    _, _, scale, _, ranks, factors, hurdles = plan(terms, weights, 0.0, True, postings, scratch)
    query, scores, rows, work = out
    n, size, waited, least = len(forward.offsets) - 1, 0, 0, max(1, int(score * scale * (1.0 - SLACK)))
    waiting, found = scratch.waiting, scratch.rows
    for window in range(windows_of(n)):
        base, here, _, read = read_window(ranks, factors, hurdles, window, n, postings, allowed, scratch)
        work.read[query] += read
        for first in range(0, here, PIECE):
            maxima = maxima_of(first, scratch)
            set_maxima(scratch.sums, first, maxima)
            for number in range(rows_reaching(least, scratch.sums, first, maxima, found)):
                waiting[waited] = base + found[number]
                waited += 1
                if waited == WAITING:
                    size = offer_all(waited, forward, weights, scratch, scores, rows, size)
                    least = max(least, threshold_of(scores, size, scale))
                    work.rescored[query] += waited
                    waited = 0
            clear(scratch.sums, first)
    work.rescored[query] += waited
    return offer_all(waited, forward, weights, scratch, scores, rows, size)


@jit
def _search(
    terms: Int32,
    weights: Float32,
    cutoff: float,
    most: float,
    enough: float,
    where: tuple[Postings, Forward, UInt8, Scratch, Scratch],
    out: tuple[int, Float32, Int64, Work],
) -> int:
    """One query with one cut-off; the heap's size, or -1 where the cut-off is not enough."""
    postings, forward, allowed, fine, coarse = where
    exact, many = np.isinf(most), rows_wanted(most, len(out[1]))
    sixteen, total, scale, unread, ranks, factors, hurdles = plan(
        terms, weights, cutoff, exact, postings, fine
    )
    planned = total, scale, unread, ranks, factors, hurdles
    if not sixteen:
        size, _, _ = _search_best(planned, weights, many, enough, postings, forward, allowed, coarse, out)
        return size
    size, needed, proven = _search_best(planned, weights, many, enough, postings, forward, allowed, fine, out)
    if exact and not proven:
        return _search_all(terms, weights, needed, postings, forward, allowed, fine, out)
    return size


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
    work: Work,
) -> None:
    """Top-k of the queries first … last - 1, see the formula at the head of this file.

    Args:
        first: The first query to answer.
        last: The one after the last query to answer; threads share the arrays, each with queries of its own.
        hits: k, at least 1.
        queries: One that is not canonical is not answered.
        efforts: See `effort.Effort`; how many rows are kept is at least 1 a hit.
        postings: Of the segment.
        forward: Of the segment.
        allowed: (n,) 1 where a row may be a hit, or (0,) when all may.
        fine: This thread's, with sums of 16 bits.
        coarse: The same memory, with sums of 8 bits.
        best: Out.
        work: Out.
    """
    for query in range(first, last):
        terms, weights, scores, rows = _begin(query, hits, queries, best, work)
        cutoff, enough, size = efforts.firsts[query], efforts.enoughs[query], -1
        if cutoff == 0.0:
            cutoff, enough = efforts.cutoffs[query], 0.0
        where, out = (postings, forward, allowed, fine, coarse), (query, scores, rows, work)
        if _sound(terms, weights, len(postings.ranks)):
            note(terms, postings.ranks, fine.positions, False)
            most = efforts.mosts[query]
            size = _search(terms, weights, cutoff, most, enough, where, out)
            if size < 0:
                size = _search(terms, weights, efforts.cutoffs[query], most, 0.0, where, out)
            note(terms, postings.ranks, fine.positions, True)
        else:
            work.read[query] = -1
        _end(max(size, 0), scores, rows, forward)


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
    work: Work,
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
        work: Out.
    """
    for query in range(first, last):
        terms, weights, scores, rows = _begin(query, hits, queries, best, work)
        size = 0
        if _sound(terms, weights, len(postings.ranks)):
            note(terms, postings.ranks, scratch.positions, False)
            for begin in range(0, len(candidates), WAITING):
                waited = min(WAITING, len(candidates) - begin)
                for number in range(waited):
                    scratch.waiting[number] = candidates[begin + number]
                size = offer_all(waited, forward, weights, scratch, scores, rows, size)
            note(terms, postings.ranks, scratch.positions, True)
            work.rescored[query] = len(candidates)
        else:
            work.read[query] = -1
        _end(size, scores, rows, forward)
