"""Lexical vectors as they come in: any scipy sparse array, checked and made canonical.

Canonical means: CSR, float32 weights above zero, terms ascending and unique within a row. Every kernel relies
on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse, sparray, spmatrix

from lexiscope.errors import InvalidValue, VocabularyMismatch

Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
UInt8: TypeAlias = npt.NDArray[np.uint8]
UInt16: TypeAlias = npt.NDArray[np.uint16]
UInt32: TypeAlias = npt.NDArray[np.uint32]
Offsets: TypeAlias = UInt32 | Int64  # four bytes each where they suffice


@dataclass(frozen=True, slots=True)
class Rows:
    """Canonical sparse rows: row r holds terms[pointers[r]:pointers[r + 1]] and the weights there."""

    pointers: Int64  # (n + 1,), ascending, the first is 0
    terms: Int32  # (nnz,), ascending within a row, below `columns`
    weights: Float32  # (nnz,), finite and above zero
    columns: int  # terms in the vocabulary

    def __len__(self) -> int:
        return len(self.pointers) - 1

    def take(self, positions: npt.NDArray[np.integer]) -> Rows:
        """Return copies of the rows at `positions`, in that order."""
        pointers, places = gather(self.pointers, positions)
        return Rows(pointers, self.terms[places], self.weights[places], self.columns)

    def copy(self) -> Rows:
        """Return the same rows in memory of their own, out of reach of whoever passed them in."""
        return Rows(self.pointers.copy(), self.terms.copy(), self.weights.copy(), self.columns)

    def to_csr(self) -> csr_array:
        """Return the rows as a scipy array, (n, columns)."""
        return csr_array((self.weights, self.terms, self.pointers), shape=(len(self), self.columns))


def gather(pointers: Int64, positions: npt.NDArray[np.integer]) -> tuple[Int64, Int64]:
    """Return the row pointers of some rows put one after the other, and where their weights stand, (nnz,)."""
    starts = pointers[positions]
    lengths = pointers[np.asarray(positions) + 1] - starts
    fresh = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return fresh, np.arange(fresh[-1]) + np.repeat(starts - fresh[:-1], lengths)


def frozen(array: npt.NDArray[np.generic], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Return a read-only view: what numba compiled for it serves memory-mapped arrays, too."""
    view = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view


def concatenate(parts: Sequence[Rows], columns: int) -> Rows:
    """Stack rows of one vocabulary, in order; no parts make zero rows."""
    offsets = np.cumsum([0, *(len(part.terms) for part in parts)])
    pointers = [part.pointers[1:] + offset for part, offset in zip(parts, offsets, strict=False)]
    return Rows(
        np.concatenate([np.zeros(1, np.int64), *pointers]),
        np.concatenate([np.empty(0, np.int32), *(part.terms for part in parts)]),
        np.concatenate([np.empty(0, np.float32), *(part.weights for part in parts)]),
        columns,
    )


def check_rows(matrix: csr_array | sparray | spmatrix, columns: int | None = None) -> Rows:
    """Check lexical vectors and make them canonical: zeros dropped, duplicates summed, terms sorted.

    Args:
        matrix: Any scipy sparse array or matrix (n, V) of non-negative finite weights, or one vector (V,).
            Left as it is.
        columns: The size of the vocabulary the vectors have to belong to; None takes any.

    Raises:
        VocabularyMismatch: It has another number of columns.
        InvalidValue: It is not sparse or not numeric, or a weight is negative, NaN or infinite (the row is
            named).
    """
    if not issparse(matrix):
        raise InvalidValue(
            f"lexical vectors are scipy sparse arrays, not {type(matrix).__name__}: "
            "wrap them in scipy.sparse.csr_array"
        )
    if matrix.ndim == 1:
        matrix = matrix.reshape((1, matrix.shape[0]))
    if columns is not None and matrix.shape[1] != columns:
        raise VocabularyMismatch(
            f"the vectors have {matrix.shape[1]} columns but the index has {columns} terms: "
            "encode them with the model that the index was made with"
        )
    if matrix.dtype.kind not in "buif":
        raise InvalidValue(f"weights are numbers, not {matrix.dtype}: convert them to float32")
    csr = matrix.tocsr()
    pointers = csr.indptr.astype(np.int64, copy=False)
    if pointers[0] != 0 or (pointers[1:] < pointers[:-1]).any() or pointers[-1] > len(csr.indices):
        raise InvalidValue("the row pointers (indptr) of the sparse array are not ascending: build it anew")
    return _canonical(pointers, csr.indices[: pointers[-1]], csr.data[: pointers[-1]], matrix.shape[1])


def _canonical(
    pointers: Int64, terms: npt.NDArray[np.integer], values: npt.NDArray[np.number], columns: int
) -> Rows:
    if len(terms) and not (terms.min() >= 0 and terms.max() < columns):
        outside = (terms < 0) | (terms >= columns)
        _refuse(outside, pointers, f"has a term outside the vocabulary of {columns}")
    with np.errstate(over="ignore", under="ignore"):  # what overflows is refused as infinite
        weights = values.astype(np.float32, copy=False)
    positive = _check_weights(weights, pointers)
    rows = Rows(pointers, terms.astype(np.int32, copy=False), weights, columns)
    if not _ascending(rows):
        merged = rows.to_csr().copy()  # sum_duplicates works in place, and the caller's array stays as it is
        with np.errstate(over="ignore"):
            merged.sum_duplicates()
        rows = Rows(merged.indptr.astype(np.int64), merged.indices.astype(np.int32), merged.data, columns)
        positive = _check_weights(rows.weights, rows.pointers)
    return rows if positive else _without_zeros(rows)


def _check_weights(weights: Float32, pointers: Int64) -> bool:
    """Return whether all weights are above zero; raise InvalidValue for negative, infinite or NaN ones."""
    if len(weights) == 0:
        return True
    least = weights.min()  # NaN when there is one
    if least >= 0 and weights.max() < np.inf:
        return bool(least > 0)
    _refuse(np.isnan(weights), pointers, "has a weight that is not a number (NaN)")
    _refuse(np.isinf(weights), pointers, "has a weight that is infinite as float32")
    _refuse(weights < 0, pointers, "has a negative weight")
    return False


def _refuse(wrong: npt.NDArray[np.bool_], pointers: Int64, what: str) -> None:
    if wrong.any():
        row = int(np.searchsorted(pointers, np.flatnonzero(wrong)[0], side="right")) - 1
        raise InvalidValue(
            f"row {row} {what}: lexical weights are finite and not negative; leave the row out or mend it"
        )


def _ascending(rows: Rows) -> bool:
    rising = rows.terms[1:] > rows.terms[:-1]
    starts = rows.pointers[1:-1]
    rising[starts[(starts > 0) & (starts < len(rows.terms))] - 1] = True  # a new row may start anywhere
    return bool(rising.all())


def _without_zeros(rows: Rows) -> Rows:
    keep = rows.weights > 0
    kept_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])
    return Rows(kept_before[rows.pointers], rows.terms[keep], rows.weights[keep], rows.columns)
