"""Vectors kept between runs: what was encoded once is not encoded again.

A file a kind of vectors, named after what it depends on: `DATASET-MODEL-image.npz`, with both fingerprints.
Each appears under its name only when it is whole, so that a run that is killed leaves whole files behind.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, issparse

from lexiscope.errors import LexiscopeError, printable
from lexiscope.evaluation.vectors import Rows

__all__ = ["VectorCache"]


@dataclass(frozen=True)
class VectorCache:
    """A folder of vectors.

    Attributes:
        folder: made when something is kept.
        key: of data set and model, for the names of files.
    """

    folder: Path
    key: str

    def get(self, name: str, make: Callable[[], tuple[Rows, float]]) -> tuple[Rows, float]:
        """Vectors and the seconds that it took to make them, from the folder or made now.

        Args:
            name: which: image, query or document.
            make: makes them.

        Raises:
            LexiscopeError: the folder cannot be written to.
        """
        file = self.folder / f"{self.key}-{name}.npz"
        if file.is_file():
            kept = _load(file)
            if kept is not None:
                return kept
        rows, seconds = make()
        self._store(file, rows, seconds)
        return rows, seconds

    def _store(self, file: Path, rows: Rows, seconds: float) -> None:
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        arrays = {"dense": rows} if not issparse(rows) else _arrays(rows)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as output:
                np.savez(output, seconds=np.float64(seconds), **arrays)
            part.replace(file)
        except OSError as error:
            raise LexiscopeError(
                f"{printable(file)}: cannot be written ({error.strerror}); free some space and run it again"
            ) from None
        finally:
            part.unlink(missing_ok=True)


def _arrays(rows: csr_array) -> dict[str, np.ndarray]:
    shape = np.array(rows.shape, np.int64)
    return {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr, "shape": shape}


def _load(file: Path) -> tuple[Rows, float] | None:
    """What is in a file; None where it is damaged, so that it is made anew."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            seconds = float(kept["seconds"])
            if "dense" in kept:
                return kept["dense"], seconds
            triple = (kept["data"], kept["indices"], kept["indptr"])
            return csr_array(triple, shape=tuple(kept["shape"])), seconds
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
