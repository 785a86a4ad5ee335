"""What the kernels take: groups of one-dimensional arrays under one name each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lexiscope.index.vectors import Float32, Float64, Int32, Int64, Offsets, Rows, UInt8

__all__ = [
    "WINDOW",
    "WINDOW_BITS",
    "Best",
    "Efforts",
    "Forward",
    "Given",
    "Postings",
    "Queries",
    "Work",
    "as_queries",
    "no_hits",
    "no_work",
    "windows_of",
]


WINDOW_BITS = 16
WINDOW = 1 << WINDOW_BITS  # rows: a place among them fits two bytes


def windows_of(n: int) -> int:
    """How many windows n rows take."""
    return max(1, -(-n // WINDOW))


class Queries(NamedTuple):
    """Canonical rows, see `vectors.Rows`."""

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


class Efforts(NamedTuple):
    """How hard to try for each query, see `effort`."""

    cutoffs: Float64  # (queries,)
    mosts: Float64  # (queries,)
    firsts: Float64  # (queries,)
    enoughs: Float64  # (queries,)


class Work(NamedTuple):
    """What each query took."""

    read: Int64  # (queries,) postings; -1 for a query that is not canonical, and was not answered
    rescored: Int64  # (queries,) rows
    glances: Float64  # (queries,) what the first look at the first window saw, see `effort`


class Best(NamedTuple):
    """The answers, k places a query, best first; id -1 and score 0 where there is no hit.

    To kernels they are lent flat, (queries · k,); elsewhere they are (queries, k).
    """

    ids: Int64
    scores: Float32

    def flat(self) -> Best:
        """The same memory in one dimension."""
        return Best(self.ids.reshape(-1), self.scores.reshape(-1))


def as_queries(rows: Rows) -> Queries:
    """What the kernels take of canonical rows."""
    contiguous = np.ascontiguousarray
    return Queries(
        contiguous(rows.pointers, np.int64),
        contiguous(rows.terms, np.int32),
        contiguous(rows.weights, np.float32),
    )


def no_work(queries: int) -> Work:
    """Counts to be written."""
    return Work(np.zeros(queries, np.int64), np.zeros(queries, np.int64), np.zeros(queries, np.float64))


def no_hits(queries: int, k: int) -> Best:
    """Answers to be filled: id -1 and score 0 in every place."""
    return Best(np.full((queries, k), -1, np.int64), np.zeros((queries, k), np.float32))
