"""What the kernels take: groups of arrays under one name each, all one-dimensional unless said otherwise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lexiscope.index.vectors import Float32, Int32, Int64, Rows, UInt8, UInt16, UInt32

__all__ = ["Best", "Forward", "Kept", "Postings", "Queries", "Scratch", "as_queries", "no_hits", "writable"]


class Queries(NamedTuple):
    """Canonical rows, see `vectors.Rows`. Of all that kernels only read these alone may be written to."""

    pointers: Int64  # (queries + 1,)
    terms: Int32  # (query nnz,)
    weights: Float32  # (query nnz,)


class Postings(NamedTuple):
    """T occurring terms in W windows of rows, with B buckets over nnz postings; see `postings`."""

    terms: Int32  # (T,) ascending
    tops: Float32  # (T,) the greatest weight of each term
    lists: UInt32  # (T · W + 1,) the first bucket of each term in each window, term by term
    starts: UInt32  # (B + 1,) the first posting of each bucket
    bounds: Float32  # (B,) the greatest weight in each bucket; falling within a list
    places: UInt16  # (nnz,) a row minus its window's first, ascending within a bucket


class Forward(NamedTuple):
    """The rows as they came in: row r has the terms from pointers[r] to pointers[r + 1]."""

    ids: Int64  # (n,)
    pointers: Int64  # (n + 1,)
    terms: UInt16 | Int32  # (nnz,) ascending within a row; two bytes where they suffice
    weights: Float32 | UInt8  # (nnz,) as bytes, in units of the row's scale
    scales: Float32  # (n,), or (0,) where weights are float32


class Scratch(NamedTuple):
    """Memory of one thread. It comes as zeros and is left as zeros, but for `maxima`."""

    sums: UInt16  # (WINDOW,)
    maxima: UInt16  # (WINDOW / BLOCK,)
    dense: Float32  # (V,) the query


class Kept(NamedTuple):
    """Rows that could be hits of a query."""

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
