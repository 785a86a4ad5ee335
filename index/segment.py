"""A segment: an immutable block of rows, stored by term for searching and by row for explaining and merging.

As in Lucene, an index is a few such segments; what is deleted stays in them, marked, until they are merged.
The postings are kept by occurring term only (doubly compressed columns, Buluç & Gilbert 2008), so that a
segment of one picture does not pay for the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lexiscope.errors import DamagedIndex, InvalidValue
from lexiscope.index.vectors import Float32, Int32, Int64, Rows, UInt8, concatenate

MAX_ROWS = np.iinfo(np.int32).max  # postings name rows in 32 bits
_NO_MASK: UInt8 = np.empty(0, np.uint8)
_NO_MASK.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Segment:
    """n rows over T occurring terms with nnz weights. All arrays are one-dimensional and read-only."""

    ids: Int64  # (n,) ascending and unique: the smaller row is the smaller id, which settles ties
    row_pointers: Int64  # (n + 1,)
    row_terms: Int32  # (nnz,)
    row_weights: Float32  # (nnz,)
    terms: Int32  # (T,) ascending
    term_pointers: Int64  # (T + 1,)
    posting_rows: Int32  # (nnz,) ascending within a term
    posting_weights: Float32  # (nnz,)
    columns: int  # terms in the vocabulary

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nnz(self) -> int:
        """Weights stored, those of deleted rows included."""
        return len(self.row_terms)

    @property
    def rows(self) -> Rows:
        """The forward index: all rows as they came in, ordered by id."""
        return Rows(self.row_pointers, self.row_terms, self.row_weights, self.columns)

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
        whole = (
            len(self.row_pointers) == len(self.ids) + 1
            and len(self.term_pointers) == len(self.terms) + 1
            and len(self.row_terms) == len(self.row_weights) == self.row_pointers[-1]
            and len(self.posting_rows) == len(self.posting_weights) == self.term_pointers[-1]
            and len(self.row_terms) == len(self.posting_rows)
            and self.row_pointers[0] == self.term_pointers[0] == 0
        )
        if not whole:
            raise DamagedIndex("the arrays of the segment do not belong together")


ARRAYS: dict[str, np.dtype[np.generic]] = {
    "ids": np.dtype(np.int64),
    "row_pointers": np.dtype(np.int64),
    "row_terms": np.dtype(np.int32),
    "row_weights": np.dtype(np.float32),
    "terms": np.dtype(np.int32),
    "term_pointers": np.dtype(np.int64),
    "posting_rows": np.dtype(np.int32),
    "posting_weights": np.dtype(np.float32),
}


def build_segment(ids: Int64, rows: Rows) -> Segment:
    """Build a segment in memory.

    Args:
        ids: (n,) unique and not negative, in any order.
        rows: The n canonical rows.

    Raises:
        InvalidValue: Ids are negative or repeated, or there are more than 2³¹ - 1 rows.
    """
    if len(ids) != len(rows):
        raise InvalidValue(f"{len(rows)} rows came with {len(ids)} ids: give one id for each row")
    if len(ids) > MAX_ROWS:
        raise InvalidValue(
            f"{len(ids)} rows are too many for one segment: add them in parts of at most {MAX_ROWS}"
        )
    if np.any(ids[1:] <= ids[:-1]):
        order = np.argsort(ids, kind="stable")
        ids, rows = ids[order], rows.take(order)
    if len(ids) and ids[0] < 0:
        raise InvalidValue(f"the id {ids[0]} is negative: ids start at 0, and -1 means no hit")
    repeated = np.flatnonzero(ids[1:] == ids[:-1])
    if len(repeated):
        raise InvalidValue(f"the id {ids[repeated[0]]} is given twice: ids are unique")
    postings = rows.to_csr().tocsc()  # a counting sort, stable: rows stay in order within a term
    counts = np.diff(postings.indptr)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "ids": ids,
        "row_pointers": rows.pointers,
        "row_terms": rows.terms,
        "row_weights": rows.weights,
        "terms": np.flatnonzero(counts),
        "term_pointers": np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[counts > 0])]),
        "posting_rows": postings.indices,
        "posting_weights": postings.data,
    }
    return from_arrays({name: _frozen(array, ARRAYS[name]) for name, array in arrays.items()}, rows.columns)


def from_arrays(arrays: dict[str, npt.NDArray[Any]], columns: int) -> Segment:
    """Make a segment of arrays by name, see `ARRAYS`."""
    return Segment(**arrays, columns=columns)


def _frozen(array: npt.NDArray[np.generic], dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """Return a read-only view: what numba compiled for it serves memory-mapped arrays, too."""
    view = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view


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


def merge_segments(parts: Sequence[LiveSegment], columns: int) -> Segment:
    """Merge the live rows of several segments into a new one, in memory."""
    live = [part.live_rows() for part in parts]
    ids = [part.segment.ids[rows] for part, rows in zip(parts, live, strict=True)]
    stacked = concatenate(
        [part.segment.rows.take(rows) for part, rows in zip(parts, live, strict=True)], columns
    )
    return build_segment(np.concatenate([np.empty(0, np.int64), *ids]), stacked)
