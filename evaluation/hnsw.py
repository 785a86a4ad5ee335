"""Approximate search among dense vectors: faiss's HNSW (Malkov and Yashunin, TPAMI 2020)."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from lexiscope.errors import ModelError
from lexiscope.evaluation.measures import Float32, Int64

__all__ = ["HnswIndex"]

LINKS = 32  # M: neighbours a vector keeps on every layer, twice as many on the lowest
BUILD_BEAM = 200  # efConstruction
SEARCH_BEAM = 128  # efSearch; never below k


class HnswIndex:
    """A graph over unit vectors, searched by inner product.

    Args:
        rows: (n, dimensions) float32.

    Raises:
        ModelError: faiss is not installed.
    """

    exact = False

    def __init__(self, rows: Float32) -> None:
        try:
            self._faiss = importlib.import_module("faiss")
        except ModuleNotFoundError:
            raise ModelError(
                "HNSW needs faiss, which is not installed; pip install 'lexiscope[dense]'"
            ) from None
        self._index = self._faiss.IndexHNSWFlat(rows.shape[1], LINKS, self._faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = BUILD_BEAM
        self._index.add(np.ascontiguousarray(rows))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: Float32, /, k: int) -> tuple[Int64, Float32]:
        """Ids and scores of about the best k of each query, (n, k), best first; -1 and 0 at the end."""
        places = min(k, len(self))
        self._index.hnsw.efSearch = max(SEARCH_BEAM, places)
        scores, ids = self._index.search(np.ascontiguousarray(queries), places)
        return ids.astype(np.int64), np.where(ids >= 0, scores, 0.0).astype(np.float32)

    def save(self, folder: Path, /) -> None:
        """Write the graph and its vectors to a new folder."""
        folder.mkdir(parents=True)
        self._faiss.write_index(self._index, str(folder / "hnsw.faiss"))
