"""Numba kernels that round, pack and unpack rows.

A row is packed by its terms' ranks, ascending; rank 0 is the term that most rows have. A gap is a rank less
the one before it, the first less 0. Frequent terms have small ranks, so that most gaps take a byte:

    unit         four bytes, a float32: what the weights are counted in; not where these are float32
    near         one byte: how many terms come before the first gap above 255, at most 255
    middle       one byte: how many come then, before the first gap above 4,095, at most 255
    near gaps    one byte each
    middle gaps  the lowest eight bits of each, then the other four, two of them in a byte
    far ranks    four bytes each, the lowest first
    weights      one byte each, in units, or float32, from the next multiple of four on; in the same order
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.arrays import Forward, Given
from lexiscope.index.jit import item_bytes, jit, whole
from lexiscope.index.vectors import Float32, Int32, Int64, Offsets, UInt8

UNITS = 255  # of a row's greatest weight
HEAD = 6  # bytes before the gaps; of a row with weights in float32 four less
BYTE = 255  # near terms, and the greatest gap before each
TWELVE_BITS = 4095  # the greatest gap before each of the middle terms


@jit
def round_weights(pointers: Int64, weights: Float32, codes: UInt8, units: Float32) -> None:
    """Write the weights of each row as whole numbers, from 1 to UNITS, of its own unit.

    Args:
        pointers: (n + 1,) of the rows.
        weights: (nnz,) above zero.
        codes: (nnz,) out.
        units: (n,) out; a unit is normal, since one too small would turn weights into zeros.
    """
    tiny = np.float32(1.2e-38)
    for row in range(len(pointers) - 1):
        greatest = np.float32(0)
        for place in range(pointers[row], pointers[row + 1]):
            greatest = max(greatest, weights[place])
        unit = max(np.float32(greatest / np.float32(UNITS)), tiny)
        units[row] = unit
        for place in range(pointers[row], pointers[row + 1]):
            codes[place] = min(max(int(np.rint(weights[place] / unit)), 1), UNITS)


@jit
def weight_at(given: Given, row: int, place: int) -> np.float32:
    """The weight at a place of a row."""
    weight = np.float32(given.weights[place])
    return given.scales[row] * weight if len(given.scales) > 0 else weight


@jit
def two_bytes(codes: UInt8, at: np.uint64) -> np.uint64:
    """The number of two bytes."""
    return np.uint64(codes[at]) | np.uint64(codes[at + np.uint64(1)]) << np.uint64(8)


@jit
def four_bytes(codes: UInt8, at: np.uint64) -> np.uint64:
    """The number of four bytes."""
    return two_bytes(codes, at) | two_bytes(codes, at + np.uint64(2)) << np.uint64(16)


@jit
def write(number: int, width: int, codes: UInt8, at: int) -> int:
    """Write a number's bytes, the lowest first; where they end."""
    for byte in range(width):
        codes[at + byte] = (number >> (8 * byte)) & 255
    return at + width


@jit
def _bits(given: Given, place: int) -> int:
    """What is stored of a weight: a byte, or a float32's bits."""
    if len(given.scales) > 0:
        return whole(given.weights[place])
    return whole(np.float32(given.weights[place]).view(np.uint32))


@jit
def _coded(order: Int64, first: int, greatest: int) -> int:
    """The end of at most 255 terms from some number on before which there is no gap above the greatest."""
    before, end = order[first - 1] >> 32 if first > 0 else 0, first
    while end < min(len(order), first + BYTE) and (order[end] >> 32) - before <= greatest:
        before, end = order[end] >> 32, end + 1
    return end


@jit
def _pack_ranks(order: Int64, codes: UInt8, at: int) -> int:
    """Write the ranks of a row, each with its place in the row in its last 32 bits; where they end."""
    near = _coded(order, 0, BYTE)
    middle = _coded(order, near, TWELVE_BITS) - near
    codes[at], codes[at + 1] = near, middle
    at, highs = at + 2, at + 2 + near + middle
    before = 0
    for number in range(near + middle):
        gap = (order[number] >> 32) - before
        before = order[number] >> 32
        codes[at + number] = gap & 255
        if number >= near:
            codes[highs + (number - near) // 2] |= gap >> 8 << 4 * ((number - near) & 1)
    at = highs + (middle + 1) // 2
    for number in range(near + middle, len(order)):
        at = write(order[number] >> 32, 4, codes, at)
    return at


@jit
def pack_rows(given: Given, first: int, last: int, ranks: Int32, codes: UInt8, ends: Int64) -> int:
    """Pack some rows, one after the other.

    Args:
        given: The rows.
        first: Of those to pack.
        last: The one after the last.
        ranks: (V,) of the terms.
        codes: Out; long enough if there are HEAD bytes for each row and eight for each of its weights; zeros.
        ends: (last - first,) out: where each row ends.

    Returns:
        How many bytes were written.
    """
    each = 1 if len(given.scales) > 0 else 4
    at = 0
    for row in range(first, last):
        begin, end = given.pointers[row], given.pointers[row + 1]
        order = np.empty(end - begin, np.int64)  # ranks, each with its place in the row
        for place in range(begin, end):
            order[place - begin] = whole(ranks[given.terms[place]]) << 32 | (place - begin)
        order.sort()
        if each == 1:
            at = write(whole(np.float32(given.scales[row]).view(np.uint32)), 4, codes, at)
        at = -(-_pack_ranks(order, codes, at) // each) * each
        for number in range(len(order)):
            at = write(_bits(given, begin + (order[number] & 0xFFFFFFFF)), each, codes, at)
        ends[row - first] = at
    return at


@jit
def span(row: int, offsets: Offsets, codes: UInt8, stored: UInt8 | Float32) -> tuple[int, int, int, int]:
    """Where the gaps of a row begin, and how many of its terms are near, middle and far.

    Whatever the bytes say, they are within the row, and the row is within all bytes. The weights are asked
    for so that their width is a constant: to divide by a number that is none takes as long as ten terms.
    """
    each = item_bytes(stored)
    limit, head = len(codes), HEAD if each == 1 else HEAD - 4
    begin = min(max(whole(offsets[row]), 0), limit)
    end = max(min(whole(offsets[row + 1]), limit), begin)
    begin = (begin + each - 1) // each * each  # where it is, unless the file was altered
    length = end // each * each - begin - head
    if length <= 0:
        return begin, 0, 0, 0
    near = min(whole(codes[begin + head - 2]), length // (1 + each))
    length -= near * (1 + each)
    middle = min(whole(codes[begin + head - 1]), 2 * length // (3 + 2 * each))
    length -= middle * (1 + each) + (middle + 1) // 2
    return begin + head, near, middle, length // (4 + each)


@jit
def gaps_end(begin: int, near: int, middle: int) -> int:
    """Where the gaps of a row end that begin at some place."""
    return begin + near + middle + (middle + 1) // 2


@jit
def weights_at(gaps_end: int, far: int, stored: UInt8 | Float32) -> int:
    """The place of a row's first weight among all weights."""
    each: int = item_bytes(stored)
    return (gaps_end + 4 * far + each - 1) // each


@jit
def middle_gap(codes: UInt8, lows: np.uint64, highs: np.uint64, number: np.uint64) -> np.uint64:
    """The middle gap of that number; its low bits begin at one place, and its high ones at another."""
    four = np.uint64(codes[highs + (number >> np.uint64(1))]) >> np.uint64(4) * (number & np.uint64(1))
    return np.uint64(codes[lows + number]) | (four & np.uint64(15)) << np.uint64(8)


@jit
def _rank_after(before: int, number: int, begin: int, near: int, middle: int, codes: UInt8) -> int:
    """The rank of a term of a row by the one before it, see `span`."""
    if number < near:
        return before + whole(codes[begin + number])
    if number < near + middle:
        lows, highs = np.uint64(begin + near), np.uint64(begin + near + middle)
        return before + whole(middle_gap(codes, lows, highs, np.uint64(number - near)))
    far = gaps_end(begin, near, middle) + 4 * (number - near - middle)
    return whole(four_bytes(codes, np.uint64(far)))


@jit
def sort_numbers(numbers: Int64, length: int) -> None:
    """Sort the first so many in place (Shell, CACM 1959; Ciura's gaps); numba's own sort takes memory."""
    for gap in (701, 301, 132, 57, 23, 10, 4, 1):
        for end in range(gap, length):
            number, place = numbers[end], end
            while place >= gap and numbers[place - gap] > number:
                numbers[place] = numbers[place - gap]
                place -= gap
            numbers[place] = number


@jit
def unit(row: int, offsets: Offsets, codes: UInt8, stored: UInt8 | Float32) -> np.float32:
    """What the weights of a row are multiplied by; the row is not empty."""
    begin = min(max(whole(offsets[row]), 0), len(codes) - 4)
    weight: np.float32 = np.uint32(four_bytes(codes, np.uint64(begin))).view(np.float32)
    return weight if item_bytes(stored) == 1 else np.float32(1)


@jit
def row_lengths(forward: Forward, rows: Int64, lengths: Int64) -> None:
    """How many terms some rows have, (rows,)."""
    for number in range(len(rows)):
        _, near, middle, far = span(rows[number], forward.offsets, forward.codes, forward.weights)
        lengths[number] = near + middle + far


@jit
def unpack_rows(
    forward: Forward,
    rows: Int64,
    vocabulary: Int32,
    pointers: Int64,
    terms: Int32,
    weights: Float32,
    order: Int64,
) -> None:
    """Write some rows as they came in, their terms ascending.

    Args:
        forward: The rows.
        rows: Which.
        vocabulary: (T,) the term of each rank.
        pointers: (rows + 1,) by their lengths.
        terms: (nnz,) out.
        weights: (nnz,) out.
        order: (terms of the longest row,) to work in.
    """
    offsets, codes, stored = forward.offsets, forward.codes, forward.weights
    for number in range(len(rows)):
        row, out, rank = rows[number], pointers[number], 0
        begin, near, middle, far = span(row, offsets, codes, stored)
        length = near + middle + far
        for place in range(length):  # terms, each with its place in the row
            rank = _rank_after(rank, place, begin, near, middle, codes)
            order[place] = whole(vocabulary[min(rank, len(vocabulary) - 1)]) << 32 | place
        sort_numbers(order, length)
        first = weights_at(gaps_end(begin, near, middle), far, stored)
        for place in range(length):
            weight = np.float32(stored[first + (order[place] & 0xFFFFFFFF)])
            terms[out + place] = order[place] >> 32
            weights[out + place] = unit(row, offsets, codes, stored) * weight
