"""Lexical vectors with names, some thousand at a time: what is exported, whatever it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_array

from lexiscope import storage
from lexiscope.errors import InvalidValue, VocabularyMismatch, printable
from lexiscope.index import Collection
from lexiscope.sparse import heaviest
from lexiscope.vocabulary import Vocabulary

__all__ = [
    "Batch",
    "IndexVectors",
    "MemoryVectors",
    "Part",
    "VectorSet",
    "count_weights",
    "greatest_weight",
    "longest",
]

ROWS_A_BATCH = 2048


@dataclass(frozen=True)
class Batch:
    """Some vectors that follow one another.

    Attributes:
        ids: a name each, no two alike in a set.
        kinds: image or chapter, each.
        sources: the file that each came from.
        rows: (n, V) float32, weights above zero.
    """

    ids: tuple[str, ...]
    kinds: tuple[str, ...]
    sources: tuple[str, ...]
    rows: csr_array

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, places: slice) -> Batch:
        return Batch(self.ids[places], self.kinds[places], self.sources[places], self.rows[places])

    def pruned(self, words: int | None) -> Batch:
        """The same with the heaviest words of each vector only; None keeps all."""
        return self if words is None else replace(self, rows=heaviest(self.rows, words))


class VectorSet(Protocol):
    """Vectors that can be gone through several times, without being all in memory."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The terms that the columns stand for."""

    @property
    def meta(self) -> dict[str, Any]:
        """What made the vectors, as JSON."""

    def __len__(self) -> int:
        """How many."""

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Those from `start` up to `stop`, in their order."""


@dataclass(frozen=True)
class MemoryVectors:
    """Vectors in memory.

    Attributes:
        rows: (n, V) weights.
        vocabulary: V terms.
        ids: a name each; None numbers them.
        kind: of all, or one each.
        source: of all, or one each.
        meta: what made them.

    Raises:
        VocabularyMismatch: there is not a term for every column.
        InvalidValue: there is not a name for every row, or one is repeated.
    """

    rows: csr_array
    vocabulary: Vocabulary
    ids: Sequence[str] | None = None
    kind: str | Sequence[str] = "image"
    source: str | Sequence[str] = ""
    meta: dict[str, Any] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Check names and columns."""
        if self.rows.shape[1] != len(self.vocabulary):
            raise VocabularyMismatch(
                f"the vectors have {self.rows.shape[1]} columns, but the vocabulary "
                f"{len(self.vocabulary)} terms; "
                "name the vocabulary that they were made with"
            )
        names = [str(number) for number in range(self.rows.shape[0])] if self.ids is None else list(self.ids)
        if len(names) != self.rows.shape[0] or len(set(names)) != len(names):
            raise InvalidValue(
                f"{self.rows.shape[0]} vectors need as many different ids; give each one its own"
            )
        object.__setattr__(self, "ids", tuple(names))
        object.__setattr__(self, "meta", dict(self.meta or {}))

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """See `VectorSet`."""
        ids: Sequence[str] = self.ids or ()
        for first, last in _cuts(start, len(self) if stop is None else stop):
            rows = csr_array(self.rows[first:last])
            kinds, sources = _some(self.kind, first, last), _some(self.source, first, last)
            yield Batch(tuple(ids[first:last]), kinds, sources, rows)


def _some(values: str | Sequence[str], first: int, last: int) -> tuple[str, ...]:
    """Those of some rows; a single text stands for all."""
    return (values,) * (last - first) if isinstance(values, str) else tuple(values[first:last])


class IndexVectors:
    """The vectors of an index folder, in the order in which they were added.

    Args:
        folder: the index.

    Raises:
        IndexFolderError: there is no index, or it cannot be read.
        ModelError: the model that it was made with is gone, and its vocabulary with it.
        VocabularyMismatch: that model has another vocabulary now.
    """

    def __init__(self, folder: Path) -> None:
        self._collection = Collection.open(folder)
        made_with = self._collection.meta
        model = str(made_with.get("name", storage.BUNDLED))
        self.vocabulary = Vocabulary.load(storage.resolve(model) / storage.VOCABULARY)
        if self.vocabulary.fingerprint != self._collection.fingerprint:
            raise VocabularyMismatch(
                f"{printable(folder)} was made with the model {model}, which has another vocabulary now; "
                "index anew"
            )
        self.meta = {
            "model": model,
            "weights": made_with.get("weights"),
            "index": printable(folder),
            "generation": self._collection.generation,
        }
        self._ids = self._collection.index.ids

    def __len__(self) -> int:
        return len(self._ids)

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """See `VectorSet`."""
        for first, last in _cuts(start, len(self) if stop is None else stop):
            ids = self._ids[first:last]
            documents = self._collection.documents.get(ids)
            yield Batch(
                tuple(document.key for document in documents),
                tuple(document.kind for document in documents),
                tuple(document.source for document in documents),
                self._collection.index.rows(ids),
            )


@dataclass(frozen=True)
class Part:
    """A stretch of a set, pruned.

    Attributes:
        whole: the set.
        start: first of the stretch.
        stop: end of it.
        words: how many words a vector keeps; None keeps all.
    """

    whole: VectorSet
    start: int
    stop: int
    words: int | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """See `VectorSet`."""
        return self.whole.vocabulary

    @property
    def meta(self) -> dict[str, Any]:
        """See `VectorSet`."""
        return self.whole.meta

    def __len__(self) -> int:
        return self.stop - self.start

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """See `VectorSet`."""
        end = len(self) if stop is None else stop
        for batch in self.whole.batches(self.start + start, self.start + end):
            yield batch.pruned(self.words)


def _cuts(start: int, stop: int) -> Iterator[tuple[int, int]]:
    for first in range(start, stop, ROWS_A_BATCH):
        yield first, min(first + ROWS_A_BATCH, stop)


def greatest_weight(vectors: VectorSet) -> float:
    """The greatest weight of a set; 0 where there is none."""
    return max((float(batch.rows.data.max(initial=0.0)) for batch in vectors.batches()), default=0.0)


def count_weights(vectors: VectorSet) -> int:
    """How many weights a set has."""
    return sum(int(batch.rows.nnz) for batch in vectors.batches())


def longest(vectors: VectorSet) -> int:
    """How many words the longest vector has."""
    return max((int(np.diff(batch.rows.indptr).max(initial=0)) for batch in vectors.batches()), default=0)
