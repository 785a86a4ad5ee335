"""Numba kernels that read a window's postings, the heaviest first, into a sum for each of its rows.

See `lexiscope.index.kernels` for what the sums are good for.
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import WINDOW, WINDOW_BITS, Postings
from lexiscope.index.arrays import windows_of as _windows_of
from lexiscope.index.bucket_kernels import FAR, GAPS, LEVELS, STEPS, code_bytes
from lexiscope.index.jit import item_bytes, jit, prefetch, whole
from lexiscope.index.row_kernels import two_bytes
from lexiscope.index.scratch import BLOCKS, MAXIMA, PIECE, STRIDE, Scratch
from lexiscope.index.vectors import Float32, Float64, Int32, Int64, Offsets, UInt8, UInt16

MOST_COARSE = 64  # terms read into sums of 8 bits: rounding up takes one of 255 for each
LINE = 64  # bytes in a cache line
FETCHED = 4  # cache lines of a list that are fetched ahead; the processor guesses the others


windows_of = jit(_windows_of)


@jit
def greatest(sums: UInt8 | UInt16) -> int:
    """The greatest sum that fits."""
    return 255 if item_bytes(sums) == 1 else 65_535


@jit
def rank_of(term: int, ranks: Int32) -> int:
    """The rank of a term, or -1."""
    return ranks[term] if term < len(ranks) else -1


@jit
def plan(
    query_terms: Int32,
    query_weights: Float32,
    cutoff: float,
    exact: bool,
    postings: Postings,
    scratch: Scratch,
) -> tuple[bool, float, float, int, Int64, Float64, Float64]:
    """What of a query is read.

    Args:
        query_terms: (terms,).
        query_weights: (terms,).
        cutoff: the part of the sum of all terms' greatest products that a product of a term has to reach that
            one row in a hundred has; for the others see `Postings.hurdles`.
        exact: whether the answer is to be.
        postings: of the segment.
        scratch: where the arrays returned are.

    Returns:
        Whether sums are to have 16 bits. The sum of the greatest products of all terms. s: that of those that
        are read, or of all where none is, fits with each rounded up; 0 without any. What the terms of which
        nothing is read could add to a row. Of the others: the ranks, s times their weights, and what s times
        a product has to reach.
    """
    ranks, products, factors, hurdles = scratch.ranks, scratch.products, scratch.factors, scratch.hurdles
    found, kept = 0, 0
    for position in range(len(query_terms)):
        rank = rank_of(query_terms[position], postings.ranks)
        if 0 <= rank < len(postings.tops):
            ranks[found], factors[found] = rank, query_weights[position]
            products[found] = factors[found] * float(postings.tops[rank])
            found += 1
    total, read, unread = products[:found].sum(), 0.0, 0.0
    for number in range(found):
        hurdle = cutoff * total * postings.hurdles[ranks[number]]
        if products[number] >= hurdle:
            ranks[kept], factors[kept], hurdles[kept] = ranks[number], factors[number], hurdle
            read, kept = read + products[number], kept + 1
        else:
            unread += products[number]
    fine = exact or kept > MOST_COARSE
    whole_sum = read if kept > 0 else unread  # where nothing is read all that is missed still counts
    scale = max(1, (65_535 if fine else 255) - kept) / whole_sum if whole_sum > 0.0 else 0.0
    missed = int(np.ceil(unread * scale))
    for number in range(kept):
        factors[number] *= scale
        hurdles[number] *= scale
    return fine, total, scale, missed, ranks[:kept], factors[:kept], hurdles[:kept]


@jit
def fetch(ranks: Int64, postings: Postings, windows: int) -> None:
    """Have the memory of all terms on its way at once, in place of waiting for each in turn."""
    for rank in ranks:
        prefetch(postings.lists, rank * windows)
        prefetch(postings.tops, rank)
    _fetch_window(ranks, postings, 0, windows)


@jit
def _fetch_window(ranks: Int64, postings: Postings, window: int, windows: int) -> None:
    """The same for the lists of one window, while the one before it is read."""
    lists, codes = postings.lists, postings.codes
    for rank in ranks:
        begin = _begin(lists, codes, rank * windows + window)
        for line in range(FETCHED):
            prefetch(codes, begin + line * LINE)


@jit
def _begin(lists: Offsets, codes: UInt8, number: int) -> int:
    """Where the list of that number begins."""
    begin = whole(lists[number]) if number < len(lists) else 0
    return min(max(begin, 0), len(codes))


@jit
def open_list(lists: Offsets, codes: UInt8, number: int) -> tuple[int, int, int]:
    """How many buckets a list has, where their bounds begin, and where the first bucket does.

    Whatever the bytes say, bounds and sizes lie within them.
    """
    begin, limit = _begin(lists, codes, number), len(codes)
    if begin >= limit:
        return 0, limit, limit
    count = min(whole(codes[begin]), LEVELS, (limit - begin - 1) // 3)
    return count, begin + 1, begin + 1 + 3 * count


@jit
def size_at(codes: UInt8, at: int) -> int:
    """How many rows the bucket has whose size is written at some place."""
    return whole(two_bytes(codes, np.uint64(at))) + 1


@jit
def _add(impact: int, size: int, codes: UInt8, at: int, sums: UInt8 | UInt16) -> None:
    """Add an impact to the sum of each row of a bucket."""
    begin, place = np.uint64(at), np.uint64(0)  # unsigned: no test for places below 0
    if size < GAPS:
        for number in range(np.uint64(size)):
            sums[two_bytes(codes, begin + np.uint64(2) * number)] += impact
    else:
        for number in range(np.uint64(size)):
            code = np.uint64(codes[begin + number])
            place += code
            # In place of a branch, which would be guessed wrong.
            sums[place & np.uint64(WINDOW - 1)] += impact if code != np.uint64(FAR) else 0


@jit
def _read(
    ranks: Int64,
    factors: Float64,
    hurdles: Float64,
    postings: Postings,
    window: int,
    windows: int,
    sums: UInt8 | UInt16,
) -> tuple[int, int]:
    """Add the products that reach the hurdles of their terms to a window's sums.

    Returns:
        The most that the other products could add to a row, and how many postings were read.
    """
    unread, read, most = 0, 0, greatest(sums)
    lists, codes, tops = postings.lists, postings.codes, postings.tops
    for position in range(len(ranks)):
        rank = ranks[position]
        count, bounds, at = open_list(lists, codes, rank * windows + window)
        unit = factors[position] * float(tops[rank]) / STEPS
        for bucket in range(count):
            product = unit * float(codes[bounds + bucket])
            impact = min(int(product) + 1, most)
            if product < hurdles[position]:
                unread += impact
                break
            size = size_at(codes, bounds + count + 2 * bucket)
            end = at + code_bytes(size) * size
            if end > len(codes):
                break
            _add(impact, size, codes, at, sums)
            read, at = read + size, end
    return unread, read


@jit
def _strike(allowed: UInt8, sums: UInt8 | UInt16) -> None:
    """Set the sums of the rows to nothing that may not be hits; without a mask all may."""
    for row in range(len(allowed)):
        if allowed[row] == 0:
            sums[row] = 0


@jit
def set_maxima(sums: UInt8 | UInt16, first: int, maxima: UInt8 | UInt16) -> None:
    """The greatest bounds of a piece, of each part and then of each block.

    Without a branch, and without a sign, which would ask whether a place is below 0, it becomes vector code.

    Args:
        sums: (WINDOW,).
        first: The piece's first row.
        maxima: (MAXIMA,) out.
    """
    blocks, begin = np.uint64(BLOCKS), np.uint64(first)
    for part in range(blocks, np.uint64(MAXIMA), blocks):
        for block in range(blocks):
            row = begin + block
            one = max(sums[row], sums[row + blocks])
            two = max(sums[row + np.uint64(2) * blocks], sums[row + np.uint64(3) * blocks])
            three = max(sums[row + np.uint64(4) * blocks], sums[row + np.uint64(5) * blocks])
            four = max(sums[row + np.uint64(6) * blocks], sums[row + np.uint64(7) * blocks])
            maxima[part + block] = max(max(one, two), max(three, four))
        begin += np.uint64(STRIDE)
    maxima[:blocks] = 0
    for part in range(blocks, np.uint64(MAXIMA), blocks):
        for block in range(blocks):
            maxima[block] = max(maxima[block], maxima[part + block])


@jit
def rows_reaching(least: int, sums: UInt8 | UInt16, first: int, maxima: UInt8 | UInt16, rows: Int64) -> int:
    """Find the rows of a piece whose bounds are at least `least`.

    Args:
        least: See above.
        sums: (WINDOW,).
        first: The piece's first row.
        maxima: (MAXIMA,) those of the piece.
        rows: (PIECE + 1,) out. Rows of a part are written without a branch, and counted where they are found.

    Returns:
        How many rows there are.
    """
    found = 0
    for block in range(BLOCKS):
        if maxima[block] < least:
            continue
        for part in range(PIECE // STRIDE):
            if maxima[BLOCKS * (1 + part) + block] < least:
                continue
            begin = first + part * STRIDE + block
            for row in range(begin, begin + STRIDE, BLOCKS):
                rows[found] = row
                found += int(sums[row] >= least)
    return found


@jit
def maxima_of(first: int, scratch: Scratch) -> UInt8 | UInt16:
    """Where the maxima of a piece are, by its first row."""
    begin = first // PIECE * MAXIMA
    return scratch.maxima[begin : begin + MAXIMA]


@jit
def clear(sums: UInt8 | UInt16, first: int) -> None:
    """Set the sums of a piece to nothing."""
    sums[first : first + PIECE] = 0


@jit
def read_window(
    ranks: Int64,
    factors: Float64,
    hurdles: Float64,
    window: int,
    n: int,
    postings: Postings,
    allowed: UInt8,
    scratch: Scratch,
) -> tuple[int, int, int, int]:
    """Set a window's sums.

    Returns:
        The window's first row, how many rows it has, the most that was not read, and the postings read.
    """
    windows, base = windows_of(n), window << WINDOW_BITS
    rows = min(WINDOW, n - base)
    if window + 1 < windows:
        _fetch_window(ranks, postings, window + 1, windows)
    unread, read = _read(ranks, factors, hurdles, postings, window, windows, scratch.sums)
    _strike(allowed[base : base + WINDOW], scratch.sums)
    scratch.sums[rows:] = 0  # an altered file may name rows that are not there
    return base, rows, unread, read


@jit
def rows_of_term(postings: Postings, rank: int, windows: int, rows: Int64, many: Int64) -> None:
    """Write the rows that have a term, window by window, as many as fit, and to (1,) how many these are."""
    found, codes = 0, postings.codes
    for window in range(windows):
        count, bounds, at = open_list(postings.lists, codes, rank * windows + window)
        for bucket in range(count):
            size = size_at(codes, bounds + count + 2 * bucket)
            end, place = at + code_bytes(size) * size, 0
            if end > len(codes):
                break
            for number in range(min(size, len(rows) - found)):
                if size < GAPS:
                    place = whole(two_bytes(codes, np.uint64(at + 2 * number)))
                else:
                    place = (place + whole(codes[at + number])) & (WINDOW - 1)
                if size < GAPS or codes[at + number] != FAR:
                    rows[found] = window << WINDOW_BITS | place
                    found += 1
            at = end
    many[0] = found
