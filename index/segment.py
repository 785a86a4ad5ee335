"""A segment: an immutable block of rows, stored by term for searching and by row for scores and merging.

As in Lucene, an index is a few such segments; what is deleted stays in them, marked, until they are merged.
The postings are kept by occurring term only (doubly compressed columns, Buluç & Gilbert 2008), so that a
segment of one picture does not pay for the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from lexiscope.errors import DamagedIndex, InvalidValue
from lexiscope.index.arrays import Forward, Postings
from lexiscope.index.effort import COLUMNS, Effort, cheapest
from lexiscope.index.postings import make_postings
from lexiscope.index.quantised import as_bytes, as_floats
from lexiscope.index.vectors import (
    Float32,
    Int32,
    Int64,
    Rows,
    UInt8,
    UInt16,
    UInt32,
    concatenate,
    frozen,
    gather,
)

Weights: TypeAlias = Literal["float32", "uint8"]

MAX_ROWS = np.iinfo(np.int32).max  # rows are named in 32 bits
MAX_WEIGHTS = np.iinfo(np.uint32).max
NARROW = 1 << 16  # terms that fit two bytes
_NO_MASK: UInt8 = frozen(np.empty(0), np.uint8)


@dataclass(frozen=True, eq=False)
class Segment:
    """n rows with nnz weights over T occurring terms. All arrays are one-dimensional and read-only.

    Where the weights are bytes, they are what the index holds: scores and `rows` are made of them.
    """

    ids: Int64  # (n,) ascending and unique: the smaller row is the smaller id, which settles ties
    row_pointers: Int64  # (n + 1,)
    row_terms: UInt16 | Int32  # (nnz,) two bytes each where the vocabulary allows it
    row_weights: Float32 | UInt8  # (nnz,)
    row_scales: Float32  # (n,) of weights in bytes; (0,) otherwise
    terms: Int32  # (T,) ascending
    term_tops: Float32  # (T,)
    bucket_lists: UInt32  # (T · windows + 1,)
    bucket_starts: UInt32  # (B + 1,)
    bucket_bounds: Float32  # (B,)
    posting_places: UInt16  # (nnz,)
    efforts: Float32  # (5 m,) of m measured efforts, see `effort`
    columns: int  # terms in the vocabulary

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nnz(self) -> int:
        """Weights stored, those of deleted rows included."""
        return len(self.row_terms)

    @property
    def weights(self) -> Weights:
        """How weights are stored."""
        return "uint8" if self.row_weights.dtype == np.uint8 else "float32"

    @cached_property
    def postings(self) -> Postings:
        """What the kernels read by term."""
        return Postings(
            self.terms,
            self.term_tops,
            self.bucket_lists,
            self.bucket_starts,
            self.bucket_bounds,
            self.posting_places,
        )

    @cached_property
    def forward(self) -> Forward:
        """What the kernels read by row."""
        return Forward(self.ids, self.row_pointers, self.row_terms, self.row_weights, self.row_scales)

    def take(self, rows: npt.NDArray[np.integer]) -> Rows:
        """Return copies of the rows at these places, in that order, with float32 weights."""
        pointers, places = gather(self.row_pointers, rows)
        weights = self.row_weights[places].astype(np.float32, copy=False)
        if len(self.row_scales):
            weights = as_floats(weights, self.row_scales[rows], pointers)
        return Rows(pointers, self.row_terms[places].astype(np.int32), weights, self.columns)

    def rows_with(self, slot: int) -> Int64:
        """Return the rows that have the term of this number among those that occur, in no order."""
        windows = (len(self.bucket_lists) - 1) // len(self.terms)
        buckets = self.bucket_lists[slot * windows : (slot + 1) * windows + 1].astype(np.int64)
        edges = self.bucket_starts[buckets].astype(np.int64)
        places = self.posting_places[edges[0] : edges[-1]].astype(np.int64)
        return places + np.repeat(np.arange(windows) * NARROW, np.diff(edges))

    def efforts_for(self, recall: float | None, k: int, terms: Int64) -> list[Effort]:
        """The cheapest efforts for a recall of k hits of questions with so many terms, see `effort`."""
        return cheapest(self.efforts, recall, k, terms)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the arrays by the names of their files."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name in ARRAYS}

    def find(self, ids: Int64) -> Int64:
        """Return the row of each id, -1 where the segment does not have it."""
        if len(self.ids) == 0:
            return np.full(len(ids), -1, np.int64)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[places] == ids, places, -1)

    def check(self) -> None:
        """Check lengths and bounds, without reading the large arrays.

        Raises:
            DamagedIndex: The arrays do not belong together.
        """
        lists = len(self.bucket_lists) - 1
        whole = (
            len(self.row_pointers) == len(self.ids) + 1
            and len(self.row_terms) == len(self.row_weights) == self.row_pointers[-1]
            and len(self.row_scales) == (len(self.ids) if self.weights == "uint8" else 0)
            and lists == len(self.terms) * max(1, -(-len(self.ids) // NARROW))
            and len(self.term_tops) == len(self.terms)
            and len(self.bucket_starts) == len(self.bucket_bounds) + 1
            and self.bucket_lists[-1] == len(self.bucket_bounds)
            and len(self.posting_places) == len(self.row_terms) == self.bucket_starts[-1]
            and self.row_pointers[0] == self.bucket_lists[0] == self.bucket_starts[0] == 0
            and len(self.efforts) % COLUMNS == 0
        )
        if not whole:
            raise DamagedIndex("the arrays of the segment do not belong together")


#: Files of a segment, with the types that they may have.
ARRAYS: dict[str, tuple[type[np.generic], ...]] = {
    "ids": (np.int64,),
    "row_pointers": (np.int64,),
    "row_terms": (np.uint16, np.int32),
    "row_weights": (np.float32, np.uint8),
    "row_scales": (np.float32,),
    "terms": (np.int32,),
    "term_tops": (np.float32,),
    "bucket_lists": (np.uint32,),
    "bucket_starts": (np.uint32,),
    "bucket_bounds": (np.float32,),
    "posting_places": (np.uint16,),
    "efforts": (np.float32,),
}


def build_segment(ids: Int64, rows: Rows, weights: Weights = "float32") -> Segment:
    """Build a segment in memory, without measured efforts.

    Args:
        ids: (n,) unique and not negative, in any order.
        rows: The n canonical rows.
        weights: How to store them.

    Raises:
        InvalidValue: Ids are negative or repeated, or there are more than 2³¹ - 1 rows or 2³² - 1 weights.
    """
    ids, rows = _in_order(ids, rows)
    forward = _forward(ids, rows, weights)
    postings = make_postings(forward)
    return Segment(
        ids=forward.ids,
        row_pointers=forward.pointers,
        row_terms=forward.terms,
        row_weights=forward.weights,
        row_scales=forward.scales,
        terms=frozen(postings.terms, np.int32),
        term_tops=frozen(postings.tops, np.float32),
        bucket_lists=frozen(postings.lists, np.uint32),
        bucket_starts=frozen(postings.starts, np.uint32),
        bucket_bounds=frozen(postings.bounds, np.float32),
        posting_places=frozen(postings.places, np.uint16),
        efforts=frozen(np.empty(0), np.float32),
        columns=rows.columns,
    )


def _forward(ids: Int64, rows: Rows, weights: Weights) -> Forward:
    """Copy rows, out of reach of whoever passed them in, as compactly as they are stored."""
    terms = rows.terms.astype(np.uint16 if rows.columns <= NARROW else np.int32)
    codes: UInt8 | Float32
    if weights == "uint8":
        codes, scales = as_bytes(rows)
    else:
        codes, scales = rows.weights.copy(), np.empty(0, np.float32)
    return Forward(
        frozen(ids.copy(), np.int64),
        frozen(rows.pointers.copy(), np.int64),
        frozen(terms, terms.dtype.type),
        frozen(codes, codes.dtype.type),
        frozen(scales, np.float32),
    )


def _in_order(ids: Int64, rows: Rows) -> tuple[Int64, Rows]:
    """Check ids, and sort by them."""
    if len(ids) != len(rows):
        raise InvalidValue(f"{len(rows)} rows came with {len(ids)} ids: give one id for each row")
    if len(ids) > MAX_ROWS or len(rows.terms) > MAX_WEIGHTS:
        raise InvalidValue(
            f"{len(ids)} rows with {len(rows.terms)} weights are too many for one segment: add them in parts "
            f"of at most {MAX_ROWS} rows and {MAX_WEIGHTS} weights"
        )
    if np.any(ids[1:] <= ids[:-1]):
        order = np.argsort(ids, kind="stable")
        ids, rows = ids[order], rows.take(order)
    if len(ids) and ids[0] < 0:
        raise InvalidValue(f"the id {ids[0]} is negative: ids start at 0, and -1 means no hit")
    repeated = np.flatnonzero(ids[1:] == ids[:-1])
    if len(repeated):
        raise InvalidValue(f"the id {ids[repeated[0]]} is given twice: ids are unique")
    return ids, rows


@dataclass(frozen=True, eq=False)
class LiveSegment:
    """A segment as one snapshot sees it: with delete marks."""

    segment: Segment
    deleted: Int32  # rows, ascending

    def __len__(self) -> int:
        return len(self.segment) - len(self.deleted)

    @cached_property
    def allowed(self) -> UInt8:
        """1 for every live row, (n,); of length 0 when nothing is deleted."""
        if len(self.deleted) == 0:
            return _NO_MASK
        mask = np.ones(len(self.segment), np.uint8)
        mask[self.deleted] = 0
        mask.flags.writeable = False
        return mask

    def find(self, ids: Int64) -> Int64:
        """Return the live row of each id, -1 where there is none."""
        places = self.segment.find(ids)
        if len(self.deleted):
            places[(places >= 0) & (self.allowed[places] == 0)] = -1
        return places

    def without(self, ids: Int64) -> LiveSegment:
        """Return the segment with the rows of these ids marked, too; itself when it has none of them."""
        places = self.find(ids)
        fresh = places[places >= 0]
        if len(fresh) == 0:
            return self
        return LiveSegment(self.segment, np.union1d(self.deleted, fresh).astype(np.int32))

    def live_rows(self) -> Int64:
        """Return the numbers of the live rows, ascending."""
        return np.arange(len(self.segment)) if len(self.deleted) == 0 else np.flatnonzero(self.allowed)


def merge_segments(parts: Sequence[LiveSegment], columns: int, weights: Weights = "float32") -> Segment:
    """Merge the live rows of several segments into a new one, in memory."""
    live = [part.live_rows() for part in parts]
    ids = [part.segment.ids[rows] for part, rows in zip(parts, live, strict=True)]
    stacked = concatenate([part.segment.take(rows) for part, rows in zip(parts, live, strict=True)], columns)
    return build_segment(np.concatenate([np.empty(0, np.int64), *ids]), stacked, weights)
