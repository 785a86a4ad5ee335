"""Numba kernels of search: read the heaviest postings, rescore the rows that could be hits.

    bound(d) = Σ_t ⌈ s q_t b_t(d) ⌉    of the postings read; b_t(d) is the greatest weight in d's bucket
    unread   = Σ_t ⌈ s q_t b_t ⌉       b_t is the greatest weight of t that was not read
    s · score(d)  ≤  bound(d) + unread

Bounds are whole numbers of 16 bits; s makes the greatest possible one fit. The rows of the greatest bounds
are rescored exactly; the k-th best score is then a threshold, and every row whose bound, with a share of what
was not read, still reaches it is rescored, too. The whole share makes the result exact, a smaller one
approximate.

Sources: score at a time with a cut-off, JASS (Lin & Trotman, ICTIR 2015); the threshold that makes it safe,
MaxScore (Turtle & Flood 1995); windows whose accumulators fit the cache, SINDI (2025).

Scores are float32 dot products, summed in the order of ascending term ids, so that every way to a score
agrees to the last bit. A row with a larger score is better; of two equal scores, the row with the smaller
number. No kernel trusts an index that it read from a file: an altered file gives wrong numbers, never a wild
access.
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Best, Forward, Postings, Queries, Scratch
from lexiscope.index.bucket_kernels import WINDOW_BITS, weight_at
from lexiscope.index.heap import offer, sort
from lexiscope.index.jit import jit, prefetch
from lexiscope.index.vectors import Float32, Float64, Int32, Int64, UInt8, UInt16

BLOCK = 64  # bounds that share a maximum
GREATEST = 65_535  # bound
BITS = 6  # of a bound, the last, that the histogram does not tell apart
LINE = 32  # two-byte numbers in a cache line
FETCHED = 3  # cache lines of a list that are fetched ahead; the processor guesses the others
WAITING = 32  # rows fetched together
MOST = 16  # rows rescored for a hit (of at least ten), more or less, where the answer may be approximate
SLACK = 1e-5  # by which a float32 sum of products may be off


@jit
def in_order(terms: Int32, columns: int) -> bool:
    """Whether terms ascend, each once, within the vocabulary."""
    for place in range(len(terms) - 1):
        if terms[place] >= terms[place + 1]:
            return False
    return len(terms) == 0 or (terms[0] >= 0 and terms[-1] < columns)


@jit
def positive(weights: Float32) -> bool:
    """Whether all weights are finite and above zero."""
    for weight in weights:
        if not 0 < weight < np.inf:
            return False
    return True


@jit
def _locate(query_terms: Int32, terms: Int32) -> Int64:
    """The number of each query term among the terms that occur, -1 where no row has it."""
    slots = np.empty(len(query_terms), np.int64)
    for position in range(len(query_terms)):
        low, high = 0, len(terms)
        while low < high:
            middle = (low + high) >> 1
            if terms[middle] < query_terms[position]:
                low = middle + 1
            else:
                high = middle
        found = low < len(terms) and terms[low] == query_terms[position]
        slots[position] = low if found else -1
    return slots


@jit
def _buckets(postings: Postings, slot: int, window: int, windows: int) -> tuple[int, int]:
    """The first and the one after the last bucket of a term in a window."""
    number = slot * windows + window
    if slot < 0 or number + 1 >= len(postings.lists):
        return 0, 0
    return int(postings.lists[number]), min(int(postings.lists[number + 1]), len(postings.bounds))


@jit
def _scale(slots: Int64, query_weights: Float32, postings: Postings, windows: int) -> float:
    """s: the sum of all terms' greatest products, each rounded up, fits 16 bits; 0 without products."""
    total = 0.0
    for position in range(len(slots)):
        greatest = np.float32(0)
        for window in range(windows):
            first, last = _buckets(postings, slots[position], window, windows)
            if first < last:
                greatest = max(greatest, postings.bounds[first])
        total += float(query_weights[position]) * float(greatest)
    return max(1, GREATEST - len(slots)) / total if total > 0.0 else 0.0


@jit
def _fetch(slots: Int64, postings: Postings, windows: int) -> None:
    """Have the memory of all terms on its way at once, in place of waiting for each in turn."""
    for slot in slots:
        prefetch(postings.lists, slot * windows)
    for slot in slots:
        for window in range(windows):
            first, last = _buckets(postings, slot, window, windows)
            if first < last:
                prefetch(postings.bounds, first)
                prefetch(postings.starts, first)
    for slot in slots:
        for window in range(windows):
            first, last = _buckets(postings, slot, window, windows)
            if first < last:
                for line in range(FETCHED):
                    prefetch(postings.places, np.int64(postings.starts[first]) + line * LINE)


@jit
def _read(
    slots: Int64,
    query_weights: Float32,
    scale: float,
    cutoff: float,
    postings: Postings,
    window: int,
    windows: int,
    sums: UInt16,
) -> tuple[int, int]:
    """Add the products of at least `cutoff` to a window's sums.

    Returns:
        The most that the other products could add to a row, and how many postings were read.
    """
    unread, read = 0, 0
    limit = len(postings.places)
    for position in range(len(slots)):
        first, last = _buckets(postings, slots[position], window, windows)
        factor = float(query_weights[position]) * scale
        for bucket in range(first, last):
            product = factor * float(postings.bounds[bucket])
            impact = min(int(product) + 1, GREATEST)
            if product < cutoff:
                unread += impact
                break
            begin = min(int(postings.starts[bucket]), limit)
            end = min(int(postings.starts[bucket + 1]), limit)
            for place in range(np.uint64(begin), np.uint64(end)):  # unsigned: no test for places below 0
                sums[postings.places[place]] += np.uint16(impact)
            read += end - begin
    return unread, read


@jit
def _read_all(
    slots: Int64,
    query_weights: Float32,
    scale: float,
    cutoff: float,
    postings: Postings,
    allowed: UInt8,
    scratch: Scratch,
) -> tuple[int, int]:
    """Read every window, and set the maxima of its blocks while its sums are in the cache.

    Returns:
        The most that was not read in any window, and all postings read.
    """
    windows = len(scratch.sums) >> WINDOW_BITS
    unread, read = 0, 0
    for window in range(windows):
        begin, end = window << WINDOW_BITS, (window + 1) << WINDOW_BITS
        sums, mask = scratch.sums[begin:end], allowed[begin:end]
        missing, some = _read(slots, query_weights, scale, cutoff, postings, window, windows, sums)
        unread, read = max(unread, missing), read + some
        for row in range(len(mask)):  # none, where all rows are allowed
            if mask[row] == 0:
                sums[row] = 0
        _set_maxima(sums, scratch.maxima[begin // BLOCK : end // BLOCK])
    return unread, read


@jit
def _set_maxima(sums: UInt16, maxima: UInt16) -> None:
    """The greatest bound of every block. A fixed count and no branch, so that it becomes vector code."""
    for block in range(len(maxima)):
        greatest = np.uint16(0)
        for row in range(block * BLOCK, block * BLOCK + BLOCK):
            greatest = max(greatest, sums[row])
        maxima[block] = greatest


@jit
def _reached(histogram: Int64, wanted: int) -> int:
    """A bound, at least 1, that so many of the counted have, or more; 1 where there are not so many."""
    counted = 0
    for part in range(len(histogram) - 1, 0, -1):
        counted += histogram[part]
        if counted >= wanted:
            return part << BITS
    return 1


@jit
def _cut(scratch: Scratch, wanted: int) -> int:
    """A bound that `wanted` rows have, or a few more: by the blocks' maxima, then by the rows in those."""
    histogram = np.zeros((GREATEST >> BITS) + 1, np.int64)
    for block in range(len(scratch.maxima)):
        histogram[scratch.maxima[block] >> BITS] += 1
    least = _reached(histogram, wanted)
    histogram[:] = 0
    for block in range(len(scratch.maxima)):
        if scratch.maxima[block] >= least:
            for row in range(block * BLOCK, block * BLOCK + BLOCK):
                histogram[scratch.sums[row] >> BITS] += 1
    return max(least, _reached(histogram, wanted))


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
def _offer_all(
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
def _rescore(
    least: int, below: int, forward: Forward, scratch: Scratch, scores: Float32, rows: Int64, size: int
) -> tuple[int, int]:
    """Offer the exact scores of the rows with least ≤ bound < below; the heap's size, and how many rows."""
    sums, rescored, count = scratch.sums, 0, 0
    waiting = np.empty(WAITING, np.int64)
    for block in range(len(scratch.maxima)):
        if scratch.maxima[block] >= least:
            for row in range(block * BLOCK, min(block * BLOCK + BLOCK, len(forward.pointers) - 1)):
                if least <= sums[row] < below:
                    waiting[count] = row
                    count += 1
                    if count == WAITING:
                        size = _offer_all(waiting, count, forward, scratch.dense, scores, rows, size)
                        rescored, count = rescored + count, 0
    size = _offer_all(waiting, count, forward, scratch.dense, scores, rows, size)
    return size, rescored + count


@jit
def _threshold(scores: Float32, size: int, scale: float) -> int:
    """The least bound with which a row could still enter the heap."""
    return int(float(scores[0]) * scale * (1.0 - SLACK)) if size == len(scores) else 1


@jit
def _search(
    slots: Int64,
    query_weights: Float32,
    scale: float,
    cutoff: float,
    share: float,
    postings: Postings,
    forward: Forward,
    allowed: UInt8,
    scratch: Scratch,
    scores: Float32,
    rows: Int64,
    work: Int64,
) -> tuple[int, bool]:
    """One query: read, rescore the best bounds, then all rows that could be better.

    Returns:
        The heap's size, and whether a row of which nothing was read could be a hit.
    """
    unread, read = _read_all(slots, query_weights, scale, cutoff, postings, allowed, scratch)
    cut = _cut(scratch, len(scores))
    size, first = _rescore(cut, GREATEST + 1, forward, scratch, scores, rows, 0)
    least = _threshold(scores, size, scale) - int(share * unread)
    if share < 1.0:
        least = max(least, _cut(scratch, MOST * max(len(scores), 10)))
    size, second = _rescore(max(least, 1), cut, forward, scratch, scores, rows, size)
    work[0] += read
    work[1] += first + second
    return size, unread > 0 and _threshold(scores, size, scale) <= unread


@jit
def search_postings(
    queries: Queries,
    first: int,
    last: int,
    cutoffs: Float64,
    shares: Float64,
    postings: Postings,
    forward: Forward,
    allowed: UInt8,
    scratch: Scratch,
    best: Best,
    work: Int64,
) -> None:
    """Top-k of the queries first … last - 1, see the formula at the head of this file.

    Args:
        queries: Canonical rows.
        first: The first query to answer.
        last: The one after the last query to answer; threads share the arrays, each with queries of its own.
        cutoffs: (queries,) products below this part of the sum of all terms' greatest products are not read.
        shares: (queries,) of what was not read, how much a row is granted: 1 makes the answer exact.
        postings: Of the segment.
        forward: The rows of the segment.
        allowed: (n,) 1 where a row may be a hit, or (0,) when all may.
        scratch: This thread's.
        best: Out.
        work: (2,) counts up the postings read and the rows rescored.
    """
    windows, used = len(scratch.sums) >> WINDOW_BITS, len(scratch.maxima) * BLOCK
    for query in range(first, last):
        start, stop = queries.pointers[query], queries.pointers[query + 1]
        weights = queries.weights[start:stop]
        slots = _locate(queries.terms[start:stop], postings.terms)
        _fetch(slots, postings, windows)
        scale = _scale(slots, weights, postings, windows)
        if scale == 0.0:
            continue
        for place in range(start, stop):
            scratch.dense[queries.terms[place]] = queries.weights[place]
        scores, rows = best.scores[query], best.ids[query]
        parts = postings, forward, allowed, scratch, scores, rows, work
        size, open_ = _search(slots, weights, scale, cutoffs[query] * GREATEST, shares[query], *parts)
        scratch.sums[:used] = 0
        if open_ and shares[query] >= 1.0:  # the cut-off left too much unread to be exact: read all
            size, open_ = _search(slots, weights, scale, 0.0, 1.0, *parts)
            scratch.sums[:used] = 0
        sort(scores, rows, size)
        for place in range(size):
            rows[place] = forward.ids[rows[place]]
        for place in range(start, stop):
            scratch.dense[queries.terms[place]] = np.float32(0)


@jit
def search_rows(
    queries: Queries, first: int, last: int, candidates: Int32, forward: Forward, dense: Float32, best: Best
) -> None:
    """Exact top-k of the queries first … last - 1 among a few candidate rows.

    The same scores as `search_postings`, for filters that leave so few rows that reading them all is cheaper
    than reading the query's postings.

    Args:
        queries: As first and last: see `search_postings`.
        first: The first query to answer.
        last: The one after the last query to answer.
        candidates: Rows that may be hits.
        forward: The rows of the segment.
        dense: (V,) this thread's; comes and leaves as zeros.
        best: Out.
    """
    for query in range(first, last):
        start, stop = queries.pointers[query], queries.pointers[query + 1]
        for place in range(start, stop):
            dense[queries.terms[place]] = queries.weights[place]
        scores, rows = best.scores[query], best.ids[query]
        size = 0
        for row in candidates:
            score = score_row(row, forward, dense)
            if score > 0:
                size = offer(scores, rows, size, score, row)
        sort(scores, rows, size)
        for place in range(size):
            rows[place] = forward.ids[rows[place]]
        for place in range(start, stop):
            dense[queries.terms[place]] = np.float32(0)
