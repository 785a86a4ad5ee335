"""InvertedIndex: rows in, (ids, scores) out."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, sparray, spmatrix

from lexiscope.errors import InvalidValue, UnknownDocument
from lexiscope.index.arrays import Efforts, as_queries, no_hits
from lexiscope.index.calibration import calibrated
from lexiscope.index.effort import TERMS, Effort
from lexiscope.index.executor import Plan, better_of, plan, search
from lexiscope.index.searcher import Searcher
from lexiscope.index.segment import LiveSegment, Weights, build_segment, merge_segments
from lexiscope.index.vectors import Float32, Int32, Int64, check_rows, concatenate

_NONE_DELETED: Int32 = np.empty(0, np.int32)


@dataclass(frozen=True, eq=False)
class Selection:
    """Some rows of one index, looked up once, for `search(only=…)`; see `InvertedIndex.select`."""

    index: InvertedIndex
    rows: tuple[Int32, ...]  # for each segment: live rows, ascending

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.rows)

    def without(self, ids: npt.ArrayLike) -> Selection:
        """Return the same rows but those of these ids."""
        unwanted = check_ids(ids)
        places = (part.find(unwanted) for part in self.index.parts)
        left = (np.setdiff1d(rows, found) for rows, found in zip(self.rows, places, strict=True))
        return Selection(self.index, tuple(rows.astype(np.int32, copy=False) for rows in left))


class InvertedIndex:
    """A sparse inverted index over one or more segments. It never changes: a write makes a new one."""

    def __init__(self, parts: Sequence[LiveSegment], vocabulary_size: int, fingerprint: str = "") -> None:
        """Put segments together; `build`, `load` and `Collection.index` are the ways to get one."""
        self.parts = tuple(parts)
        self.vocabulary_size = vocabulary_size
        self.fingerprint = fingerprint

    @classmethod
    def build(
        cls,
        rows: csr_array | sparray | spmatrix,
        *,
        ids: npt.ArrayLike | None = None,
        fingerprint: str = "",
        weights: Weights = "float32",
        queries: csr_array | sparray | spmatrix | None = None,
    ) -> InvertedIndex:
        """Build an index in memory.

        Args:
            rows: Non-negative weights, one row an item, one column a term, (n, V); scipy sparse of any
                format.
            ids: (n,) unique, not negative; by default 0 … n - 1.
            fingerprint: Of the vocabulary that the columns stand for.
            weights: "uint8" rounds each weight to a 255th of its row's greatest (never to nothing): the index
                is half as large, and scores are those of the rounded weights.
            queries: Questions like those to come, (m, V), to measure on how hard a search must try for a
                recall; by default such are made of the rows.

        Raises:
            InvalidValue: A weight is negative or not finite (the row is named), or ids are repeated or
                negative.
        """
        checked = check_rows(rows)
        wanted = np.arange(len(checked)) if ids is None else check_ids(ids)
        sample = None if queries is None else check_rows(queries, checked.columns)
        segment = calibrated(build_segment(wanted, checked, check_weights(weights)), sample)
        return cls([LiveSegment(segment, _NONE_DELETED)], checked.columns, fingerprint)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> InvertedIndex:
        """Open what `save` wrote, or the index of a `Collection`; arrays are memory-mapped.

        Raises:
            IndexFolderError: There is no index, or one of a newer format version.
            DamagedIndex: A file is missing, truncated or altered.
        """
        from lexiscope.index.snapshot import read_snapshot

        return read_snapshot(Path(folder)).index

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the live rows as one segment to `folder`; an index saved there is replaced in one step.

        Raises:
            IndexFolderError: The folder holds something else, or cannot be written to (full disk, no rights).
            IndexLocked: Another process is writing to it.
        """
        from lexiscope.index.snapshot import save_index

        whole = len(self.parts) == 1 and len(self.parts[0].deleted) == 0
        if whole:
            segment = self.parts[0].segment
        else:
            rounded = bool(self.parts) and all(part.segment.weights == "uint8" for part in self.parts)
            kind: Weights = "uint8" if rounded else "float32"
            segment = calibrated(merge_segments(self.parts, self.vocabulary_size, kind))
        save_index(Path(folder), segment, self.fingerprint)

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __repr__(self) -> str:
        return f"InvertedIndex({len(self)} rows, {self.vocabulary_size} terms, {self.nnz} weights)"

    @property
    def nnz(self) -> int:
        """Weights stored; those of deleted rows count until their segment is merged."""
        return sum(part.segment.nnz for part in self.parts)

    @property
    def ids(self) -> Int64:
        """The ids of all live rows, ascending."""
        live = [part.segment.ids[part.live_rows()] for part in self.parts]
        return np.sort(np.concatenate([np.empty(0, np.int64), *live]))

    def search(
        self,
        queries: csr_array | sparray | spmatrix,
        k: int = 10,
        *,
        recall: float | None = None,
        effort: Effort | None = None,
        only: npt.ArrayLike | Selection | None = None,
    ) -> tuple[Int64, Float32]:
        """Find the k best rows for each query: the largest Σ_t q_t · d_t above zero, ties by smaller id.

        Args:
            queries: Lexical vectors (nq, V), or one (V,).
            k: Places a query, at least 1.
            recall: The share of the true best k that is good enough, in (0, 1]; None or 1 is exact. How much
                that takes was measured when each segment was made; small segments are searched exactly.
            effort: How hard to try, in place of a recall, for who knows.
            only: Ids that may be hits (others, and unknown ones, are passed over), or a `Selection` of them.

        Returns:
            ids int64 (nq, k) and scores float32 (nq, k), best first; -1 and 0 where there are fewer than k
            hits.

        Raises:
            VocabularyMismatch: The queries have another number of columns.
            InvalidValue: A weight, k or recall is outside what it may be.
        """
        k = check_k(k)
        check_recall(recall)
        asked = as_queries(check_rows(queries, self.vocabulary_size))
        selection = None if only is None else self._selection(only)
        best: tuple[Int64, Float32] | None = None
        for planned, efforts in self._plans(k, recall, effort, np.diff(asked.pointers), selection):
            found = search(planned, asked, k, efforts)
            best = found if best is None else better_of(best, found)
        return best or no_hits(len(asked.pointers) - 1, k)

    def searcher(
        self,
        k: int = 10,
        *,
        recall: float | None = None,
        effort: Effort | None = None,
        only: npt.ArrayLike | Selection | None = None,
    ) -> Searcher:
        """Return a function that answers one query (terms, weights) at a time, with little around it.

        Args:
            k: As recall, effort and only: see `search`.
            recall: In (0, 1] or None.
            effort: In place of a recall.
            only: Ids that may be hits.
        """
        k = check_k(k)
        check_recall(recall)
        selection = None if only is None else self._selection(only)
        lengths = np.array([0, *(most + 1 for most in TERMS[:-1])])  # one question of each class
        parts = list(self._plans(k, recall, effort, lengths, selection))
        return Searcher(parts, k, self.vocabulary_size)

    def _plans(
        self,
        k: int,
        recall: float | None,
        effort: Effort | None,
        lengths: Int64,
        selection: Selection | None,
    ) -> Iterator[tuple[Plan, Efforts]]:
        """For each segment with rows that may be hits: how to search it, and how hard for each question."""
        for number, part in enumerate(self.parts):
            planned = plan(part, None if selection is None else selection.rows[number])
            if planned is not None:
                efforts = [effort] * len(lengths) if effort else part.segment.efforts_for(recall, k, lengths)
                yield (
                    planned,
                    Efforts(*np.array(efforts, np.float64).reshape(-1, len(Effort._fields)).T.copy()),
                )

    def select(self, ids: npt.ArrayLike) -> Selection:
        """Look up ids once, for several searches with one filter; ids that are not live are passed over."""
        wanted = np.unique(check_ids(ids))
        found = (part.find(wanted) for part in self.parts)
        return Selection(self, tuple(rows[rows >= 0].astype(np.int32) for rows in found))

    def _selection(self, only: npt.ArrayLike | Selection) -> Selection:
        if not isinstance(only, Selection):
            return self.select(only)
        if only.index is not self:
            raise InvalidValue("the selection belongs to another state of the index: select the ids anew")
        return only

    def contains(self, ids: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Say for each id whether it is live, (n,)."""
        wanted = check_ids(ids)
        live = np.zeros(len(wanted), np.bool_)
        for part in self.parts:
            live |= part.find(wanted) >= 0
        return live

    def rows(self, ids: npt.ArrayLike) -> csr_array:
        """Return the stored weights of these ids, (len(ids), V), in the order asked.

        Raises:
            UnknownDocument: An id is not, or no longer, in the index.
        """
        wanted = check_ids(ids)
        known = self.contains(wanted)
        if not known.all():
            raise UnknownDocument(
                f"no document has the id {wanted[~known][0]}: it was deleted or never added"
            )
        taken, order = [], []
        for part in self.parts:
            places = part.find(wanted)
            here = np.flatnonzero(places >= 0)
            taken.append(part.segment.take(places[here]))
            order.append(here)
        stacked = concatenate(taken, self.vocabulary_size)
        return stacked.take(np.argsort(np.concatenate([np.empty(0, np.int64), *order]))).to_csr()


def check_ids(ids: npt.ArrayLike | Iterable[int]) -> Int64:
    """Return ids as int64, (n,).

    Raises:
        InvalidValue: They are not whole numbers in one dimension.
    """
    given = np.asarray(ids)
    if given.ndim != 1 or (given.dtype.kind not in "iu" and given.size):
        raise InvalidValue("ids are a one-dimensional array of whole numbers")
    return given.astype(np.int64, copy=False)


def check_k(k: int) -> int:
    """Return k as an int; InvalidValue when it is not a whole number of at least 1."""
    try:
        number = operator.index(k)
    except TypeError:
        number = 0
    if number < 1:
        raise InvalidValue(f"k is {k!r}: ask for a whole number of hits, at least 1")
    return number


def check_weights(weights: str) -> Weights:
    """Return how to store weights; InvalidValue when it is no such way."""
    if weights == "float32":
        return "float32"
    if weights == "uint8":
        return "uint8"
    raise InvalidValue(f"weights is {weights!r}: store them as 'float32' or as 'uint8'")


def check_recall(recall: float | None) -> None:
    """Raise InvalidValue unless recall is None or in (0, 1]."""
    if recall is None:
        return
    number = isinstance(recall, int | float | np.floating) and not isinstance(recall, bool)
    if not number or math.isnan(recall) or not 0 < recall <= 1:
        raise InvalidValue(
            f"recall is {recall!r}: ask for a share above 0 and at most 1, or leave it out for exact search"
        )
