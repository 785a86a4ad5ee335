"""What the rows stand for: one SQLite table of documents beside the segments.

SQLite commits before the manifest does and never decides: a row whose id is not live in the manifest is
passed over by readers and removed by the next writer. Readers hold one read transaction (write-ahead log), so
that a snapshot stays whole while writers go on.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import weakref
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lexiscope.errors import DamagedIndex, IndexFolderError, IndexLocked, UnknownDocument, printable
from lexiscope.index.files import REMEDY
from lexiscope.index.inverted import InvertedIndex, Selection, check_ids
from lexiscope.index.vectors import Int64

DOCUMENTS = "documents.sqlite"
COLUMNS = "id, key, kind, source, stamp, fields, checksum"
_VALUES_A_QUERY = 500
_SELECTIONS_KEPT = 64
_Row = tuple[Any, ...]


@dataclass(frozen=True)
class Document:
    """What one row of the index stands for."""

    id: int  # -1 before it is stored
    key: str  # unique among live documents: an absolute path, or path#passage-3
    kind: str  # image or chapter
    source: str  # the file it came from
    stamp: str  # size, time and hash of the source, to see whether it changed
    fields: dict[str, Any] = field(default_factory=dict)  # JSON: episode, title, start, end, text, …

    def stored(self, id: int) -> Document:
        """Return the same document under an id."""
        return replace(self, id=id)


class DocumentStore:
    """The documents of one snapshot. Usable from several threads."""

    def __init__(self, folder: Path, index: InvertedIndex) -> None:
        """Open the documents of a folder as they are now; live are those that `index` has."""
        self._index = index
        self._path = folder / DOCUMENTS
        self._lock = threading.Lock()
        self._selections: dict[tuple[Any, ...], Selection] = {}
        with sqlite_errors(self._path):
            connection = _open_pinned(self._path)
        self._connection = connection
        self.close = weakref.finalize(self, connection.close)  # also when the last reference goes

    def get(self, ids: npt.ArrayLike) -> list[Document]:
        """Return the documents of these ids, in the order asked.

        Raises:
            UnknownDocument: An id is not live.
            DamagedIndex: The documents of the folder are incomplete or were altered.
        """
        wanted = check_ids(ids)
        live = self._index.contains(wanted)
        if not live.all():
            raise UnknownDocument(f"no document has the id {wanted[~live][0]}: it was deleted or never added")
        found = {row[0]: row for row in self._where("id", np.unique(wanted).tolist())}
        missing = [id for id in wanted.tolist() if id not in found]
        if missing:
            raise DamagedIndex(f"{printable(self._path)} has lost the document {missing[0]}: {REMEDY}")
        return [self._document(found[id]) for id in wanted.tolist()]

    def find(
        self,
        *,
        sources: Iterable[str] | None = None,
        keys: Iterable[str] | None = None,
        kind: str | None = None,
    ) -> list[Document]:
        """Return the live documents that meet every given condition, by ascending id."""
        if sources is not None:
            rows = self._where("source", sources)
        elif keys is not None:
            rows = self._where("key", keys)
        else:
            rows = self._fetch(f"SELECT {COLUMNS} FROM documents")
        found = [self._document(row) for row in self._live(rows)]
        wanted = None if keys is None else set(keys)
        return [
            document
            for document in sorted(found, key=lambda document: document.id)
            if (kind is None or document.kind == kind) and (wanted is None or document.key in wanted)
        ]

    def ids(
        self,
        *,
        kind: str | None = None,
        sources: Iterable[str] | None = None,
        under: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Int64:
        """Return the ids of the live documents that meet every given condition, ascending.

        Args:
            kind: "image" or "chapter".
            sources: they come from one of these files.
            under: their source is this file, or lies in this folder.
            since: they end after this moment of their episode, in seconds; without times nothing is met.
            until: they begin before this moment.
        """
        rows = self._fetch("SELECT id, kind, source, fields FROM documents")
        wanted = None if sources is None else set(sources)
        folder = (under or "").rstrip(os.sep) + os.sep

        def meets(of: str, source: str, fields: str) -> bool:
            return (
                (kind is None or of == kind)
                and (wanted is None or source in wanted)
                and (under is None or source == under or source.startswith(folder))
                and _within(fields, since, until)
            )

        with sqlite_errors(self._path):
            found = [id for id, of, source, fields in self._live(rows) if meets(of, from_sql(source), fields)]
        return np.sort(np.array(found, np.int64))

    def select(
        self,
        kind: str | None = None,
        *,
        under: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> Selection:
        """Return documents for `InvertedIndex.search(only=…)`, looked up once a snapshot; see `ids`."""
        asked = (kind, under, since, until)
        if asked not in self._selections:
            if len(self._selections) >= _SELECTIONS_KEPT:
                self._selections.clear()
            ids = self.ids(kind=kind, under=under, since=since, until=until)
            self._selections[asked] = self._index.select(ids)
        return self._selections[asked]

    def stamps(self) -> dict[str, str]:
        """Return the stamp of every source that has live documents."""
        rows = self._live(self._fetch("SELECT id, source, stamp FROM documents"))
        with sqlite_errors(self._path):
            return {from_sql(source): from_sql(stamp) for _, source, stamp in rows}

    def counts(self) -> dict[str, int]:
        """Return how many live documents there are of each kind."""
        return dict(Counter(kind for _, kind in self._live(self._fetch("SELECT id, kind FROM documents"))))

    def problems(self) -> list[str]:
        """Read everything and say what is wrong, a line each."""
        try:
            found = [
                f"{printable(self._path)}: {line}"
                for (line,) in self._fetch("PRAGMA quick_check")
                if line != "ok"
            ]
            rows = list(self._live(self._fetch(f"SELECT {COLUMNS} FROM documents")))
        except DamagedIndex as error:
            return [str(error)]
        altered = [row[0] for row in rows if row[6] != _checksum_read(row)]
        lost = np.setdiff1d(self._index.ids, np.array([row[0] for row in rows], np.int64))
        found += [f"{printable(self._path)}: the document {id} was altered" for id in altered]
        return found + [f"{printable(self._path)}: the document {id} is lost" for id in lost.tolist()]

    def whole(self) -> Int64:
        """Return the ids of the live documents that are as they were written, ascending."""
        rows = self._live(self._fetch(f"SELECT {COLUMNS} FROM documents"))
        return np.sort(np.array([row[0] for row in rows if row[6] == _checksum_read(row)], np.int64))

    def _where(self, column: str, values: Iterable[Any]) -> list[_Row]:
        wanted = [to_sql(value) if isinstance(value, str) else value for value in dict.fromkeys(values)]
        rows: list[_Row] = []
        for start in range(0, len(wanted), _VALUES_A_QUERY):
            some = wanted[start : start + _VALUES_A_QUERY]
            places = ",".join("?" * len(some))
            rows += self._fetch(f"SELECT {COLUMNS} FROM documents WHERE {column} IN ({places})", some)
        return rows

    def _fetch(self, query: str, values: Iterable[Any] = ()) -> list[_Row]:
        with self._lock, sqlite_errors(self._path):
            return self._connection.execute(query, tuple(values)).fetchall()

    def _live(self, rows: list[_Row]) -> Iterator[_Row]:
        live = self._index.contains(np.array([row[0] for row in rows], np.int64))
        return (row for row, here in zip(rows, live.tolist(), strict=True) if here)

    def _document(self, row: _Row) -> Document:
        if row[6] != _checksum_read(row):
            raise DamagedIndex(f"{printable(self._path)}: the document {row[0]} was altered: {REMEDY}")
        id, key, kind, source, stamp, fields = row[:6]
        return Document(id, from_sql(key), kind, from_sql(source), from_sql(stamp), json.loads(fields))


def _within(fields: str, since: float | None, until: float | None) -> bool:
    """Whether a document's times, if that is asked, meet a range."""
    if since is None and until is None:
        return True
    known = json.loads(fields)
    start, end = known.get("start"), known.get("end")
    if start is None:
        return False
    last = start if end is None else end
    return (since is None or last >= since) and (until is None or start < until)


def _open_pinned(path: Path) -> sqlite3.Connection:
    """Open a connection inside a read transaction, in the weakest mode that the folder's rights ask for."""
    if not path.exists():
        raise DamagedIndex(
            f"{printable(path)} is missing: restore it from a backup, or index into a new folder"
        )
    modes = ["mode=rw", "mode=ro"]
    log = path.with_name(path.name + "-wal")
    if not log.exists() or log.stat().st_size == 0:
        modes.append("mode=ro&immutable=1")  # a folder that may only be read, with no log to replay
    for mode in modes:
        try:
            return _begin(f"{path.absolute().as_uri()}?{mode}")
        except sqlite3.OperationalError:
            if mode == modes[-1]:
                raise
    raise IndexFolderError(f"{printable(path)} cannot be opened: see to its rights")


def _begin(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA query_only=1")
        connection.execute("BEGIN")
        connection.execute("SELECT id FROM documents LIMIT 1").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def to_sql(text: str) -> str | bytes:
    """Return a string as SQLite can hold it: file names that are not UTF-8 become bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def from_sql(value: str | bytes) -> str:
    """Undo `to_sql`."""
    if not isinstance(value, str | bytes):
        raise sqlite3.DatabaseError("a text has become something else")
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def checksum(values: _Row) -> int:
    """Return the CRC-32 of a row's values, id to fields; SQLite keeps none."""
    text = "\0".join(from_sql(value) if isinstance(value, bytes) else str(value) for value in values)
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def _checksum_read(row: _Row) -> int:
    """Return the checksum of a row as it was read: -1 when it holds what was never written."""
    try:
        return checksum(row[:6])
    except UnicodeDecodeError:
        return -1


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours: locked, damaged, or cannot be written."""
    try:
        yield
    except sqlite3.ProgrammingError:  # a mistake of the caller's, such as using what was closed
        raise
    except (sqlite3.Error, UnicodeDecodeError) as error:
        name, what = printable(path), str(error)
        if "locked" in what or "busy" in what:
            raise IndexLocked(
                f"{name} is in use by another program ({what}): wait until it is done"
            ) from error
        if isinstance(error, sqlite3.OperationalError) and any(
            word in what for word in ("full", "disk I/O", "readonly", "open")
        ):
            raise IndexFolderError(
                f"{name}: cannot be used ({what}); nothing stored is lost: see to the disk and its rights"
            ) from error
        raise DamagedIndex(f"{name} is damaged ({what}): {REMEDY}") from error
