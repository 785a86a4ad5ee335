"""What sparse and dense vectors have in common: they are stacked, counted, and searched exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeAlias

import numpy as np
from scipy.sparse import csr_array, vstack

from lexiscope.evaluation.measures import Float32, Int64
from lexiscope.index import InvertedIndex
from lexiscope.sparse import heaviest

__all__ = ["DenseIndex", "Index", "Kind", "Rows", "kind_of", "saved_bytes"]

Rows: TypeAlias = "csr_array | Float32"
"""(n, V) weights of words, or (n, dimensions) float32."""


class Index(Protocol):
    """Documents to be searched: exactly, unless it says so with `exact = False`."""

    def __len__(self) -> int:
        """How many."""

    def search(self, queries: Any, /, k: int) -> tuple[Int64, Float32]:  # noqa: ANN401
        """Ids and scores of the first k of each query, (n, k), best first; ties go to the lower id."""

    def save(self, folder: Path, /) -> None:
        """Write it to a new folder."""


class Kind(Protocol):
    """One kind of vectors."""

    def stack(self, parts: Sequence[Any], /) -> Any:  # noqa: ANN401
        """Rows end to end."""

    def active_dims(self, rows: Any, /) -> float:  # noqa: ANN401
        """Mean number of dimensions of a vector that are not zero."""

    def overlap(self, queries: Any, documents: Any, /) -> float:  # noqa: ANN401
        """Mean number of dimensions that a query and a document share: products a score takes (FLOPS)."""

    def prune(self, rows: Any, dimensions: int, /) -> Any:  # noqa: ANN401
        """Rows cut to their heaviest dimensions; None where that makes no sense."""

    def index(self, rows: Any, /) -> Index:  # noqa: ANN401
        """An index of rows; row i has the id i."""


class _Lexical:
    """Weights of words, in the inverted index that people search with."""

    def stack(self, parts: Sequence[csr_array], /) -> csr_array:
        return csr_array(vstack(parts, format="csr"))

    def active_dims(self, rows: csr_array, /) -> float:
        return float(rows.nnz / rows.shape[0])

    def overlap(self, queries: csr_array, documents: csr_array, /) -> float:
        shares = [np.bincount(rows.indices, minlength=rows.shape[1]) for rows in (queries, documents)]
        return float((shares[0] / queries.shape[0]) @ (shares[1] / documents.shape[0]))

    def prune(self, rows: csr_array, dimensions: int, /) -> csr_array:
        return heaviest(rows, dimensions)

    def index(self, rows: csr_array, /) -> InvertedIndex:
        return InvertedIndex.build(rows)


class _Dense:
    """Dense vectors, all of them looked at for every query."""

    def stack(self, parts: Sequence[Float32], /) -> Float32:
        return np.concatenate(parts)

    def active_dims(self, rows: Float32, /) -> float:
        return float(np.count_nonzero(rows) / len(rows))

    def overlap(self, queries: Float32, documents: Float32, /) -> float:
        shares = [np.count_nonzero(rows, axis=0) / len(rows) for rows in (queries, documents)]
        return float(shares[0] @ shares[1])

    def prune(self, rows: Float32, dimensions: int, /) -> None:
        return None

    def index(self, rows: Float32, /) -> DenseIndex:
        return DenseIndex(rows)


_KINDS: dict[type, Kind] = {csr_array: _Lexical(), np.ndarray: _Dense()}


def kind_of(rows: Rows) -> Kind:
    """What can be done with rows of this type."""
    return _KINDS[type(rows)]


class DenseIndex:
    """Exact search by the product of two matrices.

    Args:
        rows: (n, dimensions) float32.
    """

    def __init__(self, rows: Float32) -> None:
        self._columns = np.ascontiguousarray(rows.T)

    def __len__(self) -> int:
        return int(self._columns.shape[1])

    def search(self, queries: Float32, /, k: int) -> tuple[Int64, Float32]:
        """Find the documents with the largest inner product.

        Args:
            queries: (m, dimensions) float32.
            k: at most this many a query.

        Returns:
            ids (m, k) int64 and scores (m, k) float32, best first; ties go to the lower id.
        """
        scores = queries @ self._columns
        ids = _largest(scores, min(k, len(self)))
        return ids, np.take_along_axis(scores, ids, axis=1)

    def save(self, folder: Path, /) -> None:
        """Write the vectors to a new folder."""
        folder.mkdir(parents=True)
        np.save(folder / "vectors.npy", self._columns.T)


def _largest(scores: Float32, k: int) -> Int64:
    """Places of the k largest of each row, largest first, ties by place.

    A float's bits, read as an integer, are in the order of floats once those of negative numbers are turned
    over. Above the place from the end they make keys that never tie.
    """
    n = scores.shape[1]
    bits = (scores + np.float32(0)).view(np.int32)  # adding zero makes -0 into 0
    ordered = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits).astype(np.int64)
    keys = (ordered << 32) | np.arange(n - 1, -1, -1)
    best = np.sort(np.partition(keys, n - k, axis=1)[:, n - k :], axis=1)[:, ::-1]
    places: Int64 = n - 1 - (best & 0xFFFFFFFF)
    return places


def saved_bytes(index: Index) -> int:
    """Size of an index on disk."""
    with TemporaryDirectory() as folder:
        index.save(Path(folder) / "index")
        return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
