"""Fill an index from files: find, compare, encode in batches, commit often, and report.

Every source file is committed as a whole or not at all, so that a run that is killed leaves whole files
behind, and the same run again goes on where that one stopped.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexiscope.changes import changed, gone, size, skip
from lexiscope.chapter_vectors import chapter_vectors
from lexiscope.errors import IndexLocked, UnreadableSource
from lexiscope.index import Document
from lexiscope.sources import Item, Skipped, Source, find_sources, items

if TYPE_CHECKING:
    from PIL.Image import Image
    from scipy.sparse import csr_array

    from lexiscope.encoder import LexicalEncoder
    from lexiscope.index import Collection

__all__ = ["AddReport", "Progress", "add_sources"]

log = logging.getLogger(__name__)

#: Called with how much is done and how much there is; both may grow.
Progress = Callable[[int, int], None]

PICTURES_A_BATCH = 64
CHAPTERS_A_BATCH = 32
ITEMS_A_COMMIT = 2048
SECONDS_A_COMMIT = 10.0
SECONDS_TO_WAIT = 15.0  # for another process that is committing


@dataclass(frozen=True)
class AddReport:
    """What became of the sources that were to be indexed. Counts are files, but for the last two."""

    added: int = 0
    updated: int = 0  # had changed
    unchanged: int = 0
    removed: int = 0  # had been indexed, but are gone from the folders named
    skipped: tuple[Skipped, ...] = ()
    pictures: int = 0  # that the index holds now
    chapters: int = 0  # that the index holds now
    seconds: float = 0.0

    @property
    def errors(self) -> tuple[Skipped, ...]:
        """What could not be read, without what is simply no source."""
        return tuple(skipped for skipped in self.skipped if skipped.error)


def add_sources(
    collection: Collection,
    encoder: Callable[[], LexicalEncoder],
    paths: Sequence[str | Path],
    progress: Progress | None = None,
) -> AddReport:
    """Add what is new under files and folders, update what changed, remove what has gone from the folders.

    Args:
        collection: the index.
        encoder: gives the model; called only where there is something to encode.
        paths: files and folders.
        progress: called as the work goes on.

    Raises:
        IndexFolderError: the index cannot be written to (full disk, no rights). What was committed stays.
    """
    began = time.monotonic()
    sources, skipped = find_sources(paths)
    stamps = collection.stamps()
    todo, unchanged, unreadable = changed(sources, stamps)
    if older := sum(not stamps.get(source.name, source.reading).endswith(source.reading) for source in todo):
        log.warning(
            "%d episodes were indexed by an earlier version; they are indexed anew, in chapters", older
        )
    skipped += unreadable
    run = _Run(collection, encoder, frozenset(stamps), sum(map(size, todo)), progress)
    run.read(todo)
    vanished = gone(paths, stamps, {source.name for source in sources}, skipped)
    if vanished:
        _commit(collection, vanished, None, [])
    counts = collection.counts()
    return AddReport(
        added=run.added,
        updated=run.updated,
        unchanged=unchanged,
        removed=len(vanished),
        skipped=(*skipped, *run.skipped),
        pictures=counts.get("image", 0),
        chapters=counts.get("chapter", 0),
        seconds=time.monotonic() - began,
    )


@dataclass(eq=False)
class _Job:
    """A source on its way into the index."""

    source: Source
    whole: bool = False  # all its items were read
    failed: bool = False


@dataclass(eq=False)
class _Run:
    """One pass over new and changed sources."""

    collection: Collection
    encoder: Callable[[], LexicalEncoder]
    known: frozenset[str]  # sources in the index before
    total: int
    progress: Progress | None
    added: int = 0
    updated: int = 0
    done: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    pictures: list[tuple[_Job, Item]] = field(default_factory=list)  # not yet encoded
    chapters: list[tuple[_Job, Item]] = field(default_factory=list)
    rows: list[csr_array] = field(default_factory=list)  # encoded, not yet committed
    entries: list[tuple[_Job, Item]] = field(default_factory=list)  # one a row
    last_commit: float = field(default_factory=time.monotonic)

    def read(self, sources: Iterable[Source]) -> None:
        """Read, encode and commit sources."""
        self._advance(0)
        with ThreadPoolExecutor(os.cpu_count()) as self._pool:
            for source in sources:
                self._read(_Job(source))
                waiting = len(self.entries) + len(self.pictures) + len(self.chapters)
                late = time.monotonic() - self.last_commit >= SECONDS_A_COMMIT
                if waiting >= ITEMS_A_COMMIT or late:
                    self._commit()
            self._commit()

    def _read(self, job: _Job) -> None:
        """Take all items of a source; encode them as the batches fill."""
        before = len(self.skipped)
        taken = 0
        try:
            for item in items(job.source):
                taken += 1
                self._take(job, item)
        except UnreadableSource as error:
            job.failed = True
            del self.skipped[before:]
            self.skipped.append(skip(job.source.name, error))
        job.whole = True
        if not taken and not job.failed:
            self.skipped.append(Skipped(job.source.name, "holds nothing to index", error=False))
        if job.source.kind == "transcript" or not taken:
            self._advance(1)

    def _take(self, job: _Job, item: Item) -> None:
        if item.picture is not None:
            self.pictures.append((job, item))
            if len(self.pictures) >= PICTURES_A_BATCH:
                self._encode_pictures()
        else:
            self.chapters.append((job, item))
            if len(self.chapters) >= CHAPTERS_A_BATCH:
                self._encode_chapters()

    def _encode_pictures(self) -> None:
        """Open pictures side by side and encode those that open."""
        taken, self.pictures = self.pictures, []
        if not taken:
            return
        encoder = self.encoder()
        side = encoder.model.picture_side
        opened = list(self._pool.map(lambda pair: _open(pair[1], side), taken))
        good: list[Image] = []
        for pair, picture in zip(taken, opened, strict=True):
            if isinstance(picture, UnreadableSource):
                self.skipped.append(skip(pair[1].key, picture))
            else:
                good.append(picture)
                self.entries.append(pair)
        if good:
            self.rows.append(encoder.encode_image(good, show_progress_bar=False))
        self._advance(len(taken))

    def _encode_chapters(self) -> None:
        taken, self.chapters = self.chapters, []
        if not taken:
            return
        chapters = [item.chapter for _, item in taken if item.chapter is not None]
        self.rows.append(chapter_vectors(self.encoder(), chapters))
        self.entries += taken

    def _commit(self) -> None:
        """Store all sources that are whole; the beginning of one that is still being read stays here."""
        from scipy.sparse import csr_array, vstack

        self._encode_pictures()
        self._encode_chapters()
        self.last_commit = time.monotonic()
        if not self.entries:
            return
        rows = csr_array(vstack(self.rows, format="csr"))
        good = [place for place, (job, _) in enumerate(self.entries) if job.whole and not job.failed]
        open_ = [place for place, (job, _) in enumerate(self.entries) if not job.whole]
        stored = [self.entries[place] for place in good]
        if stored:
            names = list(dict.fromkeys(job.source.name for job, _ in stored))
            updated = [name for name in names if name in self.known]
            _commit(self.collection, updated, rows[np.array(good)], [_document(item) for _, item in stored])
            self.updated += len(updated)
            self.added += len(names) - len(updated)
        self.rows = [rows[np.array(open_)]] if open_ else []
        self.entries = [self.entries[place] for place in open_]

    def _advance(self, steps: int) -> None:
        self.done += steps
        if self.progress is not None:
            self.progress(self.done, max(self.total, self.done))


def _open(item: Item, side: int) -> Image | UnreadableSource:
    if item.picture is None:
        return UnreadableSource(f"{item.key}: has no picture")
    try:
        return item.picture(size_hint=side)
    except UnreadableSource as error:
        return error


def _document(item: Item) -> Document:
    return Document(-1, item.key, item.kind, item.source, item.stamp, item.fields)


def _commit(
    collection: Collection, outdated: Sequence[str], rows: csr_array | None, documents: Sequence[Document]
) -> None:
    """Delete sources and add documents in one step; wait a little for another writer."""
    until = time.monotonic() + SECONDS_TO_WAIT
    while True:
        try:
            with collection.write() as batch:
                batch.delete_sources(outdated)
                if rows is not None:
                    batch.add(rows, documents)
            return
        except IndexLocked:
            if time.monotonic() >= until:
                raise
            time.sleep(0.1)
