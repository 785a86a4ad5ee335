"""Mend an index folder: keep what is whole, make anew what can be made of it, and say what is lost.

A segment whose rows are whole but whose postings are not gets new postings, and loses nothing. One whose rows
or delete marks are damaged goes: what was deleted must not come back. A row whose document is lost or altered
goes, too. Nothing is written over: the mended state is a new generation, committed as any other.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lexiscope.errors import LexiscopeError
from lexiscope.index.calibration import calibrated
from lexiscope.index.document_writer import DocumentWriter
from lexiscope.index.documents import DOCUMENTS, DocumentStore
from lexiscope.index.files import check_content, explained
from lexiscope.index.inverted import InvertedIndex, check_weights
from lexiscope.index.lock import writer_lock
from lexiscope.index.manifest import Manifest, SegmentEntry
from lexiscope.index.segment import LiveSegment, build_segment
from lexiscope.index.snapshot import SEGMENTS, open_part, open_rows, sweep, write_marks, write_segment
from lexiscope.index.vectors import Int64

__all__ = ["Mended", "problems", "repair"]

_MADE_OF_ROWS = ("term_", "posting_", "effort")  # files that can be made anew


@dataclass(frozen=True)
class Mended:
    """What `repair` did."""

    problems: tuple[str, ...]  # what was wrong, a line each
    kept: int  # rows
    lost: int  # rows that were live, as far as the manifest tells

    @property
    def changed(self) -> bool:
        """Whether anything had to be done."""
        return bool(self.problems)


def problems(folder: Path) -> list[str]:
    """Read every file that the manifest names, and every document, and say what is wrong, a line each.

    Raises:
        IndexFolderError: There is no index, or its manifest cannot be read or mended.
    """
    manifest = Manifest.read(folder)
    found = [line for entry in manifest.segments for line in _wrong_files(folder, entry).values()]
    if found:
        return found
    try:
        parts = [open_part(folder, entry, manifest.vocabulary_size) for entry in manifest.segments]
        index = InvertedIndex(parts, manifest.vocabulary_size)
        return _with_documents(folder, manifest, index)[0]
    except LexiscopeError as error:
        return [str(error)]


def repair(folder: Path) -> Mended:
    """Keep what is whole; see the head of this file.

    Raises:
        IndexFolderError: There is no index, manifest or documents are beyond mending, or the disk is full.
        IndexLocked: Another process is writing to it.
    """
    with writer_lock(folder), explained(folder, "mend the index"):
        manifest = Manifest.read(folder)
        sweep(folder)
        wrong: list[str] = []
        parts: list[tuple[SegmentEntry | None, LiveSegment]] = []
        for entry in manifest.segments:
            files = _wrong_files(folder, entry)
            wrong += files.values()
            part = _salvaged(folder, manifest, entry, set(files))
            if part is not None:
                parts.append((None if files else entry, part))
        index = InvertedIndex([part for _, part in parts], manifest.vocabulary_size)
        lines, bad = _with_documents(folder, manifest, index)
        wrong += lines
        before = sum(entry.rows - entry.deleted for entry in manifest.segments)
        if not wrong:
            return Mended((), before, 0)
        kept = [(entry, part.without(bad)) for entry, part in parts]
        gone_before = [part.segment.ids[part.deleted] for _, part in parts]
        here = [part.segment.ids[part.live_rows()] for _, part in kept]
        _forget_stamps(folder, np.concatenate([bad[:0], *gone_before, *here]))
        _commit(folder, manifest, [(entry, part) for entry, part in kept if len(part)])
        left = sum(len(part) for _, part in kept)
        return Mended(tuple(wrong), left, before - left)


def _wrong_files(folder: Path, entry: SegmentEntry) -> dict[str, str]:
    """What is wrong with each damaged file of a segment."""
    wrong = {}
    for name, known in entry.files.items():
        try:
            check_content(folder / SEGMENTS / str(entry.number) / name, known)
        except LexiscopeError as error:
            wrong[name] = str(error)
    return wrong


def _salvaged(folder: Path, manifest: Manifest, entry: SegmentEntry, wrong: set[str]) -> LiveSegment | None:
    """A segment as it is, or made anew of its rows; None where they or the marks are damaged."""
    if not wrong:
        return open_part(folder, entry, manifest.vocabulary_size)
    if any(not name.startswith(_MADE_OF_ROWS) for name in wrong):
        return None
    ids, rows, deleted = open_rows(folder, entry, manifest.vocabulary_size)
    made = calibrated(build_segment(ids, rows, check_weights(manifest.weights)))
    return LiveSegment(made, deleted)


def _with_documents(folder: Path, manifest: Manifest, index: InvertedIndex) -> tuple[list[str], Int64]:
    """What is wrong with the documents, and the ids of rows without a whole one."""
    if not manifest.model and not (folder / DOCUMENTS).exists():
        return [], np.empty(0, np.int64)  # an index that was saved by itself
    store = DocumentStore(folder, index)
    with closing(store):
        return store.problems(), np.setdiff1d(index.ids, store.whole())


def _forget_stamps(folder: Path, accounted: Int64) -> None:
    """Have the next `lexiscope index` read the sources of all other documents again."""
    if (folder / DOCUMENTS).exists():
        with closing(DocumentWriter(folder)) as documents:
            documents.forget_stamps(accounted)
            documents.commit()


def _commit(folder: Path, before: Manifest, parts: list[tuple[SegmentEntry | None, LiveSegment]]) -> None:
    generation, number, entries = before.generation + 1, before.next_segment, []
    for known, part in parts:
        entry = known
        if entry is None:
            entry = write_segment(folder, number, part.segment)
            number += 1
        entries.append(write_marks(folder, entry, part, generation))
    replace(before, generation=generation, next_segment=number, segments=tuple(entries)).write(folder)
    with suppress(LexiscopeError):
        sweep(folder)
