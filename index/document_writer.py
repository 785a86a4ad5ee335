"""The writer's side of documents.sqlite: one transaction, committed before the manifest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from lexiscope.index.documents import COLUMNS, DOCUMENTS, Document, checksum, sqlite_errors, to_sql
from lexiscope.index.vectors import Int64

_SCHEMA = """
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, stamp TEXT NOT NULL,
    fields TEXT NOT NULL, checksum INTEGER NOT NULL
);
CREATE INDEX documents_by_key ON documents (key);
CREATE INDEX documents_by_source ON documents (source);
"""


def create_documents(folder: Path) -> None:
    """Make an empty documents.sqlite, in the place of what an interrupted `create` may have left."""
    path = folder / DOCUMENTS
    for leftover in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        leftover.unlink(missing_ok=True)
    with sqlite_errors(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript("BEGIN;" + _SCHEMA + "COMMIT;")
        finally:
            connection.close()


class DocumentWriter:
    """A write transaction on the documents; `close` without `commit` undoes it."""

    def __init__(self, folder: Path) -> None:
        """Open the file and begin."""
        self.path = folder / DOCUMENTS
        with sqlite_errors(self.path):
            self._connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._connection.execute("PRAGMA synchronous=FULL")
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error:
                self._connection.close()
                raise

    def sweep(self, next_id: int, live: int, contains: Callable[[Int64], Iterable[bool]]) -> None:
        """Remove the rows that earlier writers left: never committed (from `next_id` on) or deleted since."""
        with sqlite_errors(self.path):
            self._connection.execute("DELETE FROM documents WHERE id >= ?", (next_id,))
            (stored,) = self._connection.execute("SELECT count(*) FROM documents").fetchone()
            if stored > live:
                ids = np.array(self._connection.execute("SELECT id FROM documents").fetchall(), np.int64)[
                    :, 0
                ]
                dead = [(id,) for id, here in zip(ids.tolist(), contains(ids), strict=True) if not here]
                self._connection.executemany("DELETE FROM documents WHERE id = ?", dead)

    def insert(self, documents: Sequence[Document]) -> None:
        """Add documents under the ids they carry."""
        rows = []
        for each in documents:
            fields = json.dumps(each.fields)  # ASCII, so that any string survives
            row = (each.id, to_sql(each.key), each.kind, to_sql(each.source), to_sql(each.stamp), fields)
            rows.append((*row, checksum(row)))
        with sqlite_errors(self.path):
            self._connection.executemany(f"INSERT INTO documents ({COLUMNS}) VALUES (?,?,?,?,?,?,?)", rows)

    def ids_of(self, column: str, values: Iterable[str]) -> list[int]:
        """Return the ids, live or not, of the rows with one of these values in the column."""
        query = f"SELECT id FROM documents WHERE {column} = ?"
        with sqlite_errors(self.path):
            return [id for value in values for (id,) in self._connection.execute(query, (to_sql(value),))]

    def forget_stamps(self, accounted: Int64) -> None:
        """Take the stamp from all documents of each source that has a document which is not accounted for."""
        with sqlite_errors(self.path):
            rows = self._connection.execute(f"SELECT {COLUMNS} FROM documents").fetchall()
            known = np.isin(np.array([row[0] for row in rows], np.int64), accounted)
            sources = {row[3] for row, here in zip(rows, known.tolist(), strict=True) if not here}
            unstamped = [(*row[:4], "", row[5]) for row in rows if row[3] in sources]
            self._connection.executemany(
                "UPDATE documents SET stamp = '', checksum = ? WHERE id = ?",
                [(checksum(row), row[0]) for row in unstamped],
            )

    def commit(self) -> None:
        """Make the transaction durable."""
        with sqlite_errors(self.path):
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Undo what is not committed and close."""
        self._connection.close()
