"""One index behind the page and the HTTP API, for many requests at once.

Searches see one state of the index from beginning to end. When the index on disk changes — by this server
or by `lexiscope index` — the next search opens the new state and the old one goes with its last reader.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lexiscope.errors import IndexFolderError, printable
from lexiscope.index import Collection
from lexiscope.retriever import Retriever

if TYPE_CHECKING:
    from lexiscope.encoder import LexicalEncoder
    from lexiscope.indexing import AddReport

__all__ = ["Service"]

log = logging.getLogger(__name__)

_Mark = tuple[int, int, int]


class Service:
    """The index of a folder and its model, usable from several threads.

    Args:
        folder: the index.
        model: another place of the model that the index was made with; None takes the one it names.
        make: makes the index, or brings it up to date, when it is first needed; None: it is there already.

    Raises:
        IndexFolderError: there is no index, or it cannot be read.
    """

    def __init__(
        self, folder: Path, *, model: str | None = None, make: Callable[[], object] | None = None
    ) -> None:
        self.folder = folder
        self._model = model
        self._make = make
        self._encoder: LexicalEncoder | None = None
        self._opening = threading.Lock()  # of a state, or of the model
        self._writing = threading.Lock()
        self._mark: _Mark | None = None
        self._collection = None if make else Collection.open(folder)
        self._current: Retriever | None = None

    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""
        return self._current is not None

    def warm_up(self) -> None:
        """Load the model and the search kernels."""
        self.reader().warm_up()

    def reader(self) -> Retriever:
        """The library as it is on disk now. It stays as it is for as long as it is held.

        Raises:
            IndexFolderError: the index is not there any more, or cannot be read.
            ModelError: the model cannot be loaded.
            VocabularyMismatch: the model does not fit the index.
        """
        current = self._current
        if current is not None and self._seen() == self._mark:
            return current
        with self._opening:
            if self._make is not None:
                self._make()
                self._make = None
            mark = self._seen()  # another thread may have opened it while this one waited
            if self._current is None or mark != self._mark:
                self._current = self._open()
                self._mark = mark
            return self._current

    def counts(self) -> dict[str, int]:
        """How many pictures and chapters there are, without waiting for the model."""
        if self._current is not None:
            return self.reader().counts()
        if self._collection is None:  # it is being made
            return {"image": 0, "chapter": 0}
        self._seen()
        counts = self._collection.counts()
        return {kind: counts.get(kind, 0) for kind in ("image", "chapter")}

    def add(self, files: Sequence[Path]) -> AddReport:
        """Index files, one request after another.

        Raises:
            IndexFolderError: the index cannot be written to. What was committed before stays.
        """
        with self._writing, self._writer() as library:
            return library.add(files)

    def delete(self, ids: Sequence[int]) -> int:
        """Remove documents by id; return how many there were.

        Raises:
            IndexFolderError: the index cannot be written to.
        """
        with self._writing, self._writer() as library:
            return library.delete(ids)

    def _writer(self) -> Retriever:
        """The index, opened for one write: what searches see is left alone."""
        reader = self.reader()
        return Retriever(Collection.open(self.folder), reader.model, reader.encoder)

    def _open(self) -> Retriever:
        """Open the last state; the model stays, unless the index was made anew with another."""
        collection = Collection.open(self.folder)
        encoder = self._encoder
        made_with = (collection.fingerprint, collection.meta.get("weights"))
        if encoder is not None and made_with != (encoder.vocabulary.fingerprint, encoder.fingerprint):
            log.warning("%s was made anew with another model", printable(self.folder))
            encoder = None
        name = self._model or str(collection.meta.get("name", "bundled"))
        library = Retriever(collection, name, encoder)
        self._encoder = library.encoder
        return library

    def _seen(self) -> _Mark:
        """What tells one state of the folder from the next."""
        try:
            found = (self.folder / "manifest.json").stat()
        except OSError as error:
            raise IndexFolderError(
                f"{printable(self.folder)}: the index is not there ({error.strerror}); put it back or make "
                "it again with `lexiscope index`, and this page goes on"
            ) from error
        return found.st_mtime_ns, found.st_ino, found.st_size
