"""What the kernels take: groups of arrays under one name each, all one-dimensional unless said otherwise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lexiscope.errors import InvalidValue
from lexiscope.index.vectors import Float32, Int32, Int64, Rows, UInt8, UInt16, UInt32, frozen

__all__ = ["Best", "Forward", "Postings", "Queries", "Scratch", "as_queries", "as_query", "no_hits"]


class Queries(NamedTuple):
    """Canonical rows, see `vectors.Rows`."""

    pointers: Int64  # (queries + 1,)
    terms: Int32  # (query nnz,)
    weights: Float32  # (query nnz,)


class Postings(NamedTuple):
    """T occurring terms in W windows of rows, with B buckets over nnz postings; see `postings`."""

    terms: Int32  # (T,) ascending
    lists: UInt32  # (T · W + 1,) the first bucket of each term in each window, term by term
    starts: UInt32  # (B + 1,) the first posting of each bucket
    bounds: Float32  # (B,) the greatest weight in each bucket; falling within a list
    places: UInt16  # (nnz,) a row minus its window's first, ascending within a bucket


class Forward(NamedTuple):
    """The rows as they came in: row r has the terms from pointers[r] to pointers[r + 1]."""

    pointers: Int64  # (n + 1,)
    terms: UInt16 | Int32  # (nnz,) ascending within a row; two bytes where they suffice
    weights: Float32 | UInt8  # (nnz,) as bytes, in units of the row's scale
    scales: Float32  # (n,), or (0,) where weights are float32


class Scratch(NamedTuple):
    """Memory of one thread. It comes as zeros and is left as zeros, but for `maxima`."""

    sums: UInt16  # (whole windows,)
    maxima: UInt16  # (blocks,)
    dense: Float32  # (V,) the query


class Best(NamedTuple):
    """The answers: (queries, k) each; places without a hit are left as they are."""

    rows: Int64
    scores: Float32


def as_queries(rows: Rows) -> Queries:
    """What the kernels take of canonical rows; read-only, as all is that they only read."""
    return Queries(
        frozen(rows.pointers, np.int64), frozen(rows.terms, np.int32), frozen(rows.weights, np.float32)
    )


def as_query(terms: npt.NDArray[np.integer], weights: npt.NDArray[np.floating], columns: int) -> Queries:
    """One query as the kernels take it.

    Args:
        terms: (n,) ascending, each once.
        weights: (n,) above zero.
        columns: terms in the vocabulary.

    Raises:
        InvalidValue: They are not so; `InvertedIndex.search` takes and sorts anything.
    """
    ids, values = frozen(terms, np.int32), frozen(weights, np.float32)
    rising = len(ids) < 2 or bool((ids[1:] > ids[:-1]).all())
    if not rising or len(ids) != len(values) or (len(ids) and not 0 <= ids[0] <= ids[-1] < columns):
        raise InvalidValue(
            f"the terms of a query ascend, each once, from 0 to {columns - 1}, one for each weight"
        )
    if len(ids) and not (values.min() > 0 and values.max() < np.inf):
        raise InvalidValue("the weights of a query are finite and above zero: leave the others out")
    return Queries(frozen(np.array([0, len(ids)]), np.int64), ids, values)


def no_hits(queries: int, k: int) -> Best:
    """Answers to be filled: row -1 and score 0 in every place."""
    return Best(np.full((queries, k), -1, np.int64), np.zeros((queries, k), np.float32))
