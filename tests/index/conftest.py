from __future__ import annotations

import functools
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from lexiscope.index import Collection, Document

COLUMNS = 40


def random_rows(n: int, seed: int = 0, columns: int = COLUMNS) -> csr_array:
    """Rows with about six weights each."""
    rng = np.random.default_rng(seed)
    return random_array((n, columns), density=0.15, format="csr", dtype=np.float32, rng=rng)


def make_documents(name: str, n: int, *, kind: str = "image", stamp: str = "1") -> list[Document]:
    """n documents of one source."""
    return [
        Document(-1, f"{name}#{i}", kind, name, stamp, {"title": f"{name} {i}", "n": i}) for i in range(n)
    ]


def add(collection: Collection, name: str, n: int = 5, *, seed: int = 0, **of: str) -> np.ndarray:
    """Commit n documents of one source; return their ids."""
    with collection.write() as batch:
        return batch.add(random_rows(n, seed), make_documents(name, n, **of))


def create(folder: Path) -> Collection:
    """Make an empty collection."""
    return Collection.create(
        folder, vocabulary_size=COLUMNS, fingerprint="00ff", model={"name": "tiny", "dims": 8}
    )


def contents(collection: Collection) -> dict[str, tuple[int, str, list[tuple[int, float]]]]:
    """Everything a reader can see, by key: id, stamp, and the row's terms with their weights."""
    ids = collection.index.ids
    rows = collection.index.rows(ids)
    seen = {}
    for place, document in enumerate(collection.documents.get(ids)):
        row = slice(rows.indptr[place], rows.indptr[place + 1])
        weights = list(zip(rows.indices[row].tolist(), rows.data[row].tolist(), strict=True))
        seen[document.key] = (document.id, document.stamp, weights)
    return seen


class Unsynced(sqlite3.Connection):
    """SQLite without its syncs."""

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        if statement in ("PRAGMA synchronous=FULL", "PRAGMA query_only=1", "PRAGMA journal_mode=WAL"):
            super().execute("PRAGMA synchronous=OFF")
        return super().execute(statement.replace("synchronous=FULL", "synchronous=OFF"), *values)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the syncs: they matter when the power goes, which no test can do."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Unsynced))


@pytest.fixture(scope="session")
def helpers() -> SimpleNamespace:
    return SimpleNamespace(
        COLUMNS=COLUMNS, rows=random_rows, documents=make_documents, add=add, create=create, contents=contents
    )


@pytest.fixture
def collection(tmp_path: Path):
    with create(tmp_path / "x.index") as made:
        yield made
