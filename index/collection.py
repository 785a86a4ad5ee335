"""Collection: an index folder that many may search while one writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from lexiscope.errors import IndexFolderError, LexiscopeError, printable
from lexiscope.index import manifest as manifests
from lexiscope.index.document_writer import DocumentWriter, create_documents
from lexiscope.index.documents import DOCUMENTS, DocumentStore
from lexiscope.index.files import explained
from lexiscope.index.inverted import InvertedIndex, check_weights
from lexiscope.index.lock import writer_lock
from lexiscope.index.manifest import Manifest
from lexiscope.index.repair import problems
from lexiscope.index.segment import Weights
from lexiscope.index.snapshot import Snapshot, read_snapshot, refuse_strangers, start, sweep
from lexiscope.index.writer import WriteBatch


class _State(NamedTuple):
    snapshot: Snapshot
    documents: DocumentStore


class Collection:
    """An index folder: manifest.json, segments/, documents.sqlite.

    It shows the state that was committed when it was opened, refreshed or last written to by itself. Indexes
    and document stores taken from it keep their state for as long as they are held.
    """

    def __init__(self, folder: Path, state: _State) -> None:
        """Wrap an opened state; use `open` or `create`."""
        self.folder = folder
        self._state = state

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Collection:
        """Open an index folder.

        Raises:
            IndexFolderError: There is no index, it cannot be read, or its format is newer than this version.
            DamagedIndex: A file is missing, truncated or altered.
        """
        path = Path(folder)
        return cls(path, _read(path))

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        *,
        vocabulary_size: int,
        fingerprint: str,
        model: dict[str, Any],
        weights: Weights = "float32",
    ) -> Collection:
        """Make an empty index in a new or an empty folder.

        Args:
            folder: Made when it is not there.
            vocabulary_size: Columns of all vectors.
            fingerprint: Of the vocabulary.
            model: What makes the vectors, as JSON; see `meta`.
            weights: How to store them, see `InvertedIndex.build`.

        Raises:
            IndexFolderError: The folder holds an index or other files, or cannot be written to.
        """
        path, kind = Path(folder), check_weights(weights)
        with explained(path, "make the folder"):
            path.mkdir(parents=True, exist_ok=True)
            if manifests.exists(path):
                raise IndexFolderError(f"{printable(path)} holds an index: open it, or choose a new folder")
            refuse_strangers(path, documents=DOCUMENTS)
        with writer_lock(path), explained(path, "make an index"):
            create_documents(path)
            start(path, Manifest(vocabulary_size, fingerprint, deepcopy(model), kind))
        return cls.open(path)

    @property
    def index(self) -> InvertedIndex:
        """The rows, ready to search."""
        return self._state.snapshot.index

    @property
    def documents(self) -> DocumentStore:
        """What the rows stand for."""
        return self._state.documents

    @property
    def meta(self) -> dict[str, Any]:
        """What made the vectors: the `model` given to `create`."""
        return deepcopy(self._state.snapshot.manifest.model)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the vocabulary that the columns stand for."""
        return self._state.snapshot.manifest.fingerprint

    @property
    def vocabulary_size(self) -> int:
        """How many columns the vectors have."""
        return self._state.snapshot.manifest.vocabulary_size

    @property
    def generation(self) -> int:
        """The number of the commit that is shown."""
        return self._state.snapshot.manifest.generation

    def stamps(self) -> dict[str, str]:
        """Return the stamp of every source that has live documents."""
        return self.documents.stamps()

    def counts(self) -> dict[str, int]:
        """Return how many live documents there are of each kind."""
        return self.documents.counts()

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return f"Collection({printable(self.folder)!r}, {len(self)} documents)"

    def refresh(self) -> bool:
        """Show what was committed last, by whatever process; return whether that is something new."""
        if Manifest.read(self.folder).generation == self.generation:
            return False
        self._state = _read(self.folder, self._state.snapshot)
        return True

    @contextmanager
    def write(self) -> Iterator[WriteBatch]:
        """Write in one atomic step: `with collection.write() as batch: batch.add(rows, documents)`.

        The commit happens when the block ends; after an exception nothing has changed. The collection then
        shows the new state.

        Raises:
            IndexLocked: Another process, or another batch, is writing.
            IndexFolderError: The disk is full or may not be written to; nothing stored before is lost.
        """
        with writer_lock(self.folder):
            self.refresh()
            base = self._state.snapshot
            with explained(self.folder, "write the index"):
                sweep(self.folder)
            try:
                with closing(DocumentWriter(self.folder)) as documents:
                    documents.sweep(base.manifest.next_id, len(base.index), base.index.contains)
                    batch = WriteBatch(self.folder, base, documents)
                    yield batch
                    if batch.changed:
                        with explained(self.folder, "write the index"):
                            batch.commit()
            except BaseException:
                with suppress(LexiscopeError):  # what went wrong first is what matters
                    self._settle()
                raise
            self._settle()

    def _settle(self) -> None:
        """Sweep what the write left, whether it was committed or not, and show what is on disk now."""
        sweep(self.folder)
        self.refresh()

    def verify(self) -> list[str]:
        """Read every file of the last commit and say what is wrong, a line each; none means whole."""
        try:
            return problems(self.folder)
        except LexiscopeError as error:
            return [str(error)]

    def close(self) -> None:
        """Let go of the documents; the index stays usable."""
        self.documents.close()

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _read(folder: Path, known: Snapshot | None = None) -> _State:
    """Open index and documents of one and the same commit."""
    while True:
        snapshot = read_snapshot(folder, known)
        documents = DocumentStore(folder, snapshot.index)
        # Rows that are live in a manifest leave SQLite only after the next manifest: the same one before and
        # after means that the documents are complete for it.
        if Manifest.read(folder).generation == snapshot.manifest.generation:
            return _State(snapshot, documents)
        documents.close()
