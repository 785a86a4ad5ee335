"""Rows packed into bytes, and back; how: `row_kernels`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lexiscope.index.arrays import Forward, Given
from lexiscope.index.native import Native, lend
from lexiscope.index.pieces import pieced
from lexiscope.index.vectors import Float32, Int32, Int64, Offsets, Rows, UInt8, frozen

__all__ = [
    "Packed",
    "Terms",
    "forward_of",
    "given_rows",
    "occurring",
    "offsets",
    "pack",
    "ranks_of",
    "unpack",
]

_TOGETHER = 1 << 12  # rows packed by one thread
_ROW_LENGTHS, _UNPACK_ROWS = Native("row_kernels", "row_lengths"), Native("row_kernels", "unpack_rows")


class Terms(NamedTuple):
    """The T terms that occur, the most frequent first."""

    vocabulary: Int32  # (T,) the term of each rank
    ranks: Int32  # (V,) the rank of each term, -1 where it does not occur
    tops: Float32  # (T,) its greatest weight
    holders: Int64  # (T,) how many rows have it


class Packed(NamedTuple):
    """n rows."""

    offsets: Offsets  # (n + 1,)
    codes: UInt8


def offsets(places: Int64) -> Offsets:
    """Four bytes each, where that is enough."""
    small = not len(places) or places.max() <= np.iinfo(np.uint32).max
    return places.astype(np.uint32) if small else np.ascontiguousarray(places)


def ranks_of(vocabulary: Int32, columns: int) -> Int32:
    """The place of each term in a vocabulary, (columns,), -1 where it is not."""
    ranks = np.full(columns, -1, np.int32)
    ranks[vocabulary] = np.arange(len(vocabulary), dtype=np.int32)
    return ranks


def given_rows(rows: Rows, rounded: bool) -> Given:
    """Canonical rows with the weights that are to be stored: bytes, or as they are."""
    from lexiscope.index.row_kernels import round_weights

    pointers, weights = frozen(rows.pointers, np.int64), frozen(rows.weights, np.float32)
    codes: UInt8 | Float32 = weights
    scales = np.empty(0, np.float32)
    if rounded:
        codes, scales = np.empty(len(weights), np.uint8), np.empty(len(rows), np.float32)
        round_weights(pointers, weights, codes, scales)
    kind = np.uint8 if rounded else np.float32
    return Given(pointers, frozen(rows.terms, np.int32), frozen(codes, kind), frozen(scales, np.float32))


def occurring(given: Given, columns: int) -> Terms:
    """Count the terms of rows, and sort them by how many rows have them, of equals the smaller first."""
    from lexiscope.index.bucket_kernels import count_terms

    holders, greatest = np.zeros(columns, np.int64), np.zeros(columns, np.float32)
    count_terms(given, holders, greatest)
    terms = np.flatnonzero(holders).astype(np.int32)
    vocabulary = terms[np.argsort(-holders[terms], kind="stable")]
    return Terms(vocabulary, ranks_of(vocabulary, columns), greatest[vocabulary], holders[vocabulary])


def forward_of(ids: Int64, offsets: Offsets, codes: UInt8, width: UInt8) -> Forward:
    """What the kernels take of packed rows.

    Args:
        ids: (n,).
        offsets: (n + 1,).
        codes: The rows.
        width: (1,) bytes of a weight.
    """
    whole = codes[: len(codes) // 4 * 4]  # an altered file may end anywhere
    return Forward(ids, offsets, codes, codes if width[0] == 1 else whole.view(np.float32))


def pack(given: Given, terms: Terms) -> Packed:
    """Pack rows, over all cores."""
    from lexiscope.index.row_kernels import HEAD, pack_rows

    n = len(given.pointers) - 1
    ends = np.zeros(n + 1, np.int64)

    def some(piece: int) -> UInt8:
        first, last = piece * _TOGETHER, min((piece + 1) * _TOGETHER, n)
        room = HEAD * (last - first) + 8 * int(given.pointers[last] - given.pointers[first])
        codes = np.zeros(room, np.uint8)
        used = pack_rows(given, first, last, terms.ranks, codes, ends[first + 1 : last + 1])
        return codes[:used]

    codes, begins = pieced(some, max(1, -(-n // _TOGETHER)))
    ends[1:] += np.repeat(begins, _TOGETHER)[:n]
    return Packed(offsets(ends), codes)


def unpack(forward: Forward, rows: Int64, vocabulary: Int32, columns: int) -> Rows:
    """Return copies of some rows as they came in, in that order."""
    packed, wanted, lengths = lend(forward), lend(np.ascontiguousarray(rows)), np.zeros(len(rows), np.int64)
    _ROW_LENGTHS.bind(packed, wanted, lend(lengths))()
    pointers = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    terms, weights = np.empty(pointers[-1], np.int32), np.empty(pointers[-1], np.float32)
    order = np.empty(lengths.max(initial=0), np.int64)
    out = (lend(array) for array in (vocabulary, pointers, terms, weights, order))
    _UNPACK_ROWS.bind(packed, wanted, *out)()
    return Rows(pointers, terms, weights, columns)
