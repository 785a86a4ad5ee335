"""What the kernels take: groups of arrays under one name each, all one-dimensional unless said otherwise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lexiscope.index.vectors import Float32, Int32, Int64, Offsets, Rows, UInt8, UInt16, UInt32

__all__ = [
    "WINDOW",
    "WINDOW_BITS",
    "Best",
    "Forward",
    "Given",
    "Kept",
    "Postings",
    "Queries",
    "Scratch",
    "as_queries",
    "no_hits",
    "windows_of",
    "writable",
]


WINDOW_BITS = 16
WINDOW = 1 << WINDOW_BITS  # rows: a place among them fits two bytes


def windows_of(n: int) -> int:
    """How many windows n rows take."""
    return max(1, -(-n // WINDOW))


class Queries(NamedTuple):
    """Canonical rows, see `vectors.Rows`. Of all that kernels only read these alone may be written to."""

    pointers: Int64  # (queries + 1,)
    terms: Int32  # (query nnz,)
    weights: Float32  # (query nnz,)


class Given(NamedTuple):
    """Rows to be packed; row r has the terms from pointers[r] to pointers[r + 1]."""

    pointers: Int64  # (n + 1,)
    terms: Int32  # (nnz,) ascending within a row
    weights: Float32 | UInt8  # (nnz,) as bytes, in units of the row's scale
    scales: Float32  # (n,), or (0,) where weights are float32


class Postings(NamedTuple):
    """T occurring terms, the most frequent first, in W windows of rows; see `postings`."""

    ranks: Int32  # (V,) the number of each term of the vocabulary among those that occur, or -1
    tops: Float32  # (T,) the greatest weight of each term
    hurdles: Float32  # (T,) by what a cut-off is multiplied for each term, see `postings.hurdles_of`
    lists: Offsets  # (T · W,) where the list of each term in each window begins, term by term
    codes: UInt8  # the lists


class Forward(NamedTuple):
    """The rows, packed one after the other; see `row_kernels`."""

    ids: Int64  # (n,)
    offsets: Offsets  # (n + 1,) where each row begins
    codes: UInt8  # the rows
    weights: UInt8 | Float32  # the same memory, by weights


class Scratch(NamedTuple):
    """Memory of one thread. Sums, positions and `found` but for its first place are zeros between queries."""

    sums: UInt8 | UInt16  # (WINDOW,)
    maxima: UInt8 | UInt16  # (MAXIMA,) of a piece
    rows: Int64  # (PIECE + 1,) those of a piece that could be hits
    positions: UInt32  # (at least T,) one more than the place in the query of each term, by rank
    found: Float32  # (at least the query's terms + 1,) what a row has of each


class Kept(NamedTuple):
    """Rows that could be hits of a query.

    A kernel makes them, and so cannot be lent them: it takes the arrays out before a loop, since numba counts
    a reference each time.
    """

    rows: Int64
    bounds: UInt16
    histogram: Int64  # of bounds


class Best(NamedTuple):
    """The answers: (queries, k) each; places without a hit are left as they are."""

    ids: Int64
    scores: Float32


def as_queries(rows: Rows) -> Queries:
    """What the kernels take of canonical rows."""
    return Queries(
        writable(rows.pointers, np.int64), writable(rows.terms, np.int32), writable(rows.weights, np.float32)
    )


def writable(array: npt.NDArray[np.generic], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Return an array of this type that may be written to, as the kernels were compiled for; often itself."""
    whole = np.ascontiguousarray(array, dtype)
    return whole if whole.flags.writeable else whole.copy()


def no_hits(queries: int, k: int) -> Best:
    """Answers to be filled: id -1 and score 0 in every place."""
    ids = np.empty((queries, k), np.int64)
    ids.fill(-1)
    return Best(ids, np.zeros((queries, k), np.float32))
