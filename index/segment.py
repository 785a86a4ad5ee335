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
from lexiscope.index.arrays import Forward, Postings, windows_of
from lexiscope.index.effort import COLUMNS, Effort, cheapest
from lexiscope.index.native import Lent, lend
from lexiscope.index.packing import forward_of, given_rows, occurring, pack, ranks_of, unpack
from lexiscope.index.postings import hurdles_of, make_lists, rows_of
from lexiscope.index.vectors import Float32, Int32, Int64, Offsets, Rows, UInt8, UInt32, concatenate, frozen

Weights: TypeAlias = Literal["float32", "uint8"]

MAX_ROWS = np.iinfo(np.int32).max  # rows are named in 32 bits
MAX_WEIGHTS = np.iinfo(np.uint32).max
_NO_MASK: UInt8 = frozen(np.empty(0), np.uint8)


@dataclass(frozen=True, eq=False)
class Segment:
    """n rows with nnz weights over T occurring terms. All arrays are one-dimensional and read-only.

    Where the weights are bytes, they are what the index holds: scores and `rows` are made of them.
    """

    ids: Int64  # (n,) ascending and unique: the smaller row is the smaller id, which settles ties
    row_vocabulary: Int32  # (T,) the terms that occur, the most frequent first
    row_offsets: Offsets  # (n + 1,)
    row_codes: UInt8
    row_width: UInt8  # (1,) bytes of a weight
    term_tops: Float32  # (T,) the greatest weight of each
    term_rows: UInt32  # (T,) how many rows have each
    posting_lists: Offsets  # (T · windows,)
    posting_buckets: UInt8
    effort_table: Float32  # (7 m,) of m measured efforts, see `effort`
    columns: int  # terms in the vocabulary
    nnz: int  # weights stored, those of deleted rows included

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def weights(self) -> Weights:
        """How weights are stored."""
        return "uint8" if self.row_width[0] == 1 else "float32"

    @cached_property
    def postings(self) -> Postings:
        """What the kernels read by term."""
        ranks = frozen(ranks_of(self.row_vocabulary, self.columns), np.int32)
        hurdles = frozen(hurdles_of(self.term_rows, len(self)), np.float32)
        return Postings(ranks, self.term_tops, hurdles, self.posting_lists, self.posting_buckets)

    @cached_property
    def forward(self) -> Forward:
        """What the kernels read by row."""
        return forward_of(self.ids, self.row_offsets, self.row_codes, self.row_width)

    @cached_property
    def lent(self) -> tuple[Lent, Lent]:
        """Postings and rows, as kernels of search take them."""
        return lend(self.postings), lend(self.forward)

    def take(self, rows: npt.NDArray[np.integer]) -> Rows:
        """Return copies of the rows at these places, in that order, with float32 weights."""
        return unpack(self.forward, rows.astype(np.int64, copy=False), self.row_vocabulary, self.columns)

    def rows_with(self, term: int) -> Int64:
        """Return the rows that have a term, in no order; none where the vocabulary has no such term."""
        rank = int(self.postings.ranks[term]) if 0 <= term < self.columns else -1
        return np.empty(0, np.int64) if rank < 0 else rows_of(self.postings, rank, len(self))

    def efforts_for(self, recall: float | None, k: int, terms: Int64) -> list[Effort]:
        """The cheapest efforts for a recall of k hits of questions with so many terms, see `effort`."""
        return cheapest(self.effort_table, recall, k, terms)

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
        n, terms = len(self.ids), len(self.row_vocabulary)
        whole = (
            len(self.row_offsets) == n + 1
            and self.row_offsets[0] == 0
            and self.row_offsets[-1] == len(self.row_codes)
            and self.row_width.tolist() in ([1], [4])
            and len(self.term_tops) == len(self.term_rows) == terms
            and (not terms or 0 <= self.row_vocabulary.min() <= self.row_vocabulary.max() < self.columns)
            and len(self.posting_lists) == terms * windows_of(n)
            and len(self.effort_table) % COLUMNS == 0
        )
        if not whole:
            raise DamagedIndex("the arrays of the segment do not belong together")


#: Files of a segment, with the types that they may have.
ARRAYS: dict[str, tuple[type[np.generic], ...]] = {
    "ids": (np.int64,),
    "row_vocabulary": (np.int32,),
    "row_offsets": (np.uint32, np.int64),
    "row_codes": (np.uint8,),
    "row_width": (np.uint8,),
    "term_tops": (np.float32,),
    "term_rows": (np.uint32,),
    "posting_lists": (np.uint32, np.int64),
    "posting_buckets": (np.uint8,),
    "effort_table": (np.float32,),
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
    given = given_rows(rows, weights == "uint8")
    terms = occurring(given, rows.columns)
    packed, lists = pack(given, terms), make_lists(given, terms)
    return Segment(
        ids=frozen(ids.copy(), np.int64),
        row_vocabulary=frozen(terms.vocabulary, np.int32),
        row_offsets=frozen(packed.offsets, packed.offsets.dtype.type),
        row_codes=frozen(packed.codes, np.uint8),
        row_width=frozen(np.array([1 if weights == "uint8" else 4]), np.uint8),
        term_tops=frozen(terms.tops, np.float32),
        term_rows=frozen(terms.holders, np.uint32),
        posting_lists=frozen(lists.begins, lists.begins.dtype.type),
        posting_buckets=frozen(lists.codes, np.uint8),
        effort_table=frozen(np.empty(0), np.float32),
        columns=rows.columns,
        nnz=len(rows.terms),
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
