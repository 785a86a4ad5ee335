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

from typing import Any

import numpy as np

from lexiscope.index.arrays import WINDOW, Best, Forward, Kept, Postings, Queries, Scratch
from lexiscope.index.heap import offer, sort
from lexiscope.index.jit import jit, lent
from lexiscope.index.keep_kernels import PARTS, collect, count_bounds, reached
from lexiscope.index.read_kernels import (
    MAXIMA,
    PIECE,
    clear,
    greatest,
    plan,
    read_window,
    rows_reaching,
    windows_of,
)
from lexiscope.index.score_kernels import (
    SLACK,
    WAITING,
    note,
    offer_all,
    rescore,
    score_rows,
    threshold_of,
)
from lexiscope.index.vectors import Float32, Float64, Int32, Int64, UInt8

FEWEST = 10  # hits; for fewer as many rows are kept as for so many
SURE_HITS, SURE = 40, 4  # for an exact answer four rows a hit are kept, of at least forty
ROOM = 8192  # rows that can be kept, at the least


@jit
def check_query(terms: Int32, weights: Float32, columns: int) -> tuple[bool, bool]:
    """Whether terms ascend, each once, within the vocabulary; whether weights are finite and above zero."""
    ordered = len(terms) == 0 or (terms[0] >= 0 and terms[-1] < columns)
    for place in range(len(terms) - 1):
        ordered &= terms[place] < terms[place + 1]
    positive = True
    for weight in weights:
        positive &= 0 < weight < np.inf
    return ordered, positive


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
    n, most, room = len(forward.offsets) - 1, greatest(scratch.sums), max(ROOM, 2 * wanted)
    parts = min(PARTS, most + 1)
    kept = Kept(np.empty(room, np.int64), np.empty(room, np.uint16), np.empty(parts, np.int64))
    count, missed, missing, read = collect(
        ranks, factors, hurdles, wanted, n, postings, allowed, scratch, kept
    )
    unread += missing
    count_bounds(kept, count)
    cut = reached(kept.histogram, len(scores))
    size, first = rescore(cut, most + 1, kept, count, forward, weights, scratch, scores, rows, 0)
    least = max(1, threshold_of(scores, size, scale) - unread)
    size, second = rescore(least, cut, kept, count, forward, weights, scratch, scores, rows, size)
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
    _, scale, _, ranks, factors, hurdles = plan(terms, weights, 0.0, True, postings)
    n, size, waited, least = len(forward.offsets) - 1, 0, 0, max(1, int(score * scale * (1.0 - SLACK)))
    waiting, found = np.empty(WAITING, np.int64), scratch.rows
    for window in range(windows_of(n)):
        base, here, _, read = read_window(ranks, factors, hurdles, window, n, postings, allowed, scratch)
        work[0] += read
        for first in range(0, here, PIECE):
            for number in range(rows_reaching(least, scratch.sums, first, scratch.maxima, found)):
                waiting[waited] = base + found[number]
                waited += 1
                if waited == WAITING:
                    size = offer_all(waiting, waited, forward, weights, scratch, scores, rows, size)
                    least = max(least, threshold_of(scores, size, scale))
                    work[1] += waited
                    waited = 0
            clear(scratch.sums, first)
    work[1] += waited
    return offer_all(waiting, waited, forward, weights, scratch, scores, rows, size)


@jit
def search_postings(
    first: int,
    last: int,
    cutoffs: Float64,
    mosts: Float64,
    allowed: UInt8,
    work: Int64,
    *arrays: Any,  # noqa: ANN401
) -> None:
    """Top-k of the queries first … last - 1, see the formula at the head of this file.

    Args:
        first: The first query to answer.
        last: The one after the last query to answer; threads share the arrays, each with queries of its own.
        cutoffs: (queries,) products below this part of the sum of all terms' greatest products are not read;
            see `plan`.
        mosts: (queries,) how many rows a hit are kept, at least 1; inf where the answer is to be exact.
        allowed: (n,) 1 where a row may be a hit, or (0,) when all may.
        work: (2,) counts up the postings read and the rows rescored.
        arrays: Those of `Queries`, with canonical rows; of the segment's `Postings` and `Forward`; of this
            thread's `Scratch`, half of whose memory serves where sums have 8 bits; and of `Best`, out. One by
            one: numba takes as long to open them in tuples as it takes to read some thousand postings.
    """
    queries, postings = lent(Queries(*arrays[:3])), lent(Postings(*arrays[3:8]))
    forward, scratch = lent(Forward(*arrays[8:12])), lent(Scratch(*arrays[12:17]))
    best, allowed = lent(Best(*arrays[17:])), lent(allowed)
    coarse = Scratch(
        scratch.sums.view(np.uint8)[:WINDOW],
        scratch.maxima.view(np.uint8)[:MAXIMA],
        scratch.rows,
        scratch.positions,
        scratch.found,
    )
    for query in range(first, last):
        start, stop = queries.pointers[query], queries.pointers[query + 1]
        terms, weights = queries.terms[start:stop], queries.weights[start:stop]
        note(terms, postings.ranks, scratch.positions, False)
        scores, rows = best.scores[query], best.ids[query]
        exact, hits = np.isinf(mosts[query]), len(scores)
        wanted = max(hits, SURE * max(hits, SURE_HITS) if exact else int(mosts[query] * max(hits, FEWEST)))
        sixteen, scale, unread, ranks, factors, hurdles = plan(
            terms, weights, cutoffs[query], exact, postings
        )
        planned = scale, unread, ranks, factors, hurdles
        if sixteen:
            size, needed, proven = _search_best(
                planned, weights, wanted, postings, forward, allowed, scratch, scores, rows, work
            )
            if exact and not proven:
                size = _search_all(
                    terms, weights, needed, postings, forward, allowed, scratch, scores, rows, work
                )
        else:
            size, _, _ = _search_best(
                planned, weights, wanted, postings, forward, allowed, coarse, scores, rows, work
            )
        note(terms, postings.ranks, scratch.positions, True)
        sort(scores, rows, size)
        for place in range(size):
            rows[place] = forward.ids[rows[place]]


@jit
def search_rows(
    queries: Queries,
    first: int,
    last: int,
    candidates: Int32,
    ranks: Int32,
    forward: Forward,
    scratch: Scratch,
    best: Best,
) -> None:
    """Exact top-k of the queries first … last - 1 among a few candidate rows.

    The same scores as `search_postings`, for filters that leave so few rows that reading them all is cheaper
    than reading the query's postings.

    Args:
        queries: As first and last: see `search_postings`.
        first: The first query to answer.
        last: The one after the last query to answer.
        candidates: Rows that may be hits.
        ranks: (V,) of the terms.
        forward: The rows of the segment.
        scratch: This thread's.
        best: Out.
    """
    queries, forward, scratch, best = lent(queries), lent(forward), lent(scratch), lent(best)
    for query in range(first, last):
        start, stop = queries.pointers[query], queries.pointers[query + 1]
        terms, weights = queries.terms[start:stop], queries.weights[start:stop]
        note(terms, ranks, scratch.positions, False)
        scores, rows = best.scores[query], best.ids[query]
        size, found = 0, np.empty(len(candidates), np.float32)
        score_rows(candidates, len(candidates), forward, weights, scratch, found)
        for number in range(len(candidates)):
            if found[number] > 0:
                size = offer(scores, rows, size, found[number], candidates[number])
        sort(scores, rows, size)
        for place in range(size):
            rows[place] = forward.ids[rows[place]]
        note(terms, ranks, scratch.positions, True)
