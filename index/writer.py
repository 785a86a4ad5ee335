"""One write transaction on an index folder, in the order that keeps it whole whatever stops it.

new segments and marks written aside and synced → documents committed → manifest replaced → leftovers swept
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, sparray, spmatrix

from lexiscope.errors import InvalidValue
from lexiscope.index.calibration import calibrated
from lexiscope.index.document_writer import DocumentWriter
from lexiscope.index.documents import Document
from lexiscope.index.files import explained
from lexiscope.index.inverted import check_ids, check_weights
from lexiscope.index.manifest import Manifest, SegmentEntry
from lexiscope.index.segment import LiveSegment, build_segment, merge_segments
from lexiscope.index.snapshot import Snapshot, write_marks, write_segment
from lexiscope.index.tiers import plan_merge
from lexiscope.index.vectors import Int64, Rows, check_rows, concatenate

WEIGHTS_IN_MEMORY = 1 << 25  # about 256 MiB of rows are gathered before they become a segment


class WriteBatch:
    """Additions and deletions that are committed together; see `Collection.write`."""

    def __init__(self, folder: Path, base: Snapshot, documents: DocumentWriter) -> None:
        """Begin on top of a snapshot. The caller holds the write lock."""
        self._folder = folder
        self._base = base
        self._documents = documents
        self._next_id = base.manifest.next_id
        self._next_segment = base.manifest.next_segment
        self._weights = check_weights(base.manifest.weights)
        self._parts: list[tuple[SegmentEntry | None, LiveSegment]] = list(base.segments())
        self._pending: list[tuple[Int64, Rows]] = []
        self._deleted: set[int] = set()

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return self._next_id > self._base.manifest.next_id or bool(self._deleted)

    def add(self, rows: csr_array | sparray | spmatrix, documents: Sequence[Document]) -> Int64:
        """Add documents with their lexical vectors; one with the key of an older document takes its place.

        Args:
            rows: Non-negative weights, (n, V).
            documents: The n documents; the ids they carry are not looked at.

        Returns:
            The ids given to them, (n,) ascending; no id is ever given twice.

        Raises:
            VocabularyMismatch: The rows have another number of columns than the index.
            InvalidValue: A weight is negative or not finite, or there is not one document for each row.
        """
        checked = check_rows(rows, self._base.manifest.vocabulary_size)
        if len(checked) != len(documents):
            raise InvalidValue(
                f"{len(checked)} rows came with {len(documents)} documents: give one for each row"
            )
        latest = {document.key: place for place, document in enumerate(documents)}
        self.delete(self._documents.ids_of("key", latest))
        ids = np.arange(self._next_id, self._next_id + len(documents))
        self._documents.insert([each.stored(id) for each, id in zip(documents, ids.tolist(), strict=True)])
        self._next_id += len(documents)
        replaced = np.setdiff1d(np.arange(len(documents)), list(latest.values()))
        self._deleted.update(ids[replaced].tolist())
        self._pending.append((ids, checked.copy()))
        if sum(len(rows.terms) for _, rows in self._pending) >= WEIGHTS_IN_MEMORY:
            self._flush()
        return ids

    def delete(self, ids: npt.ArrayLike) -> int:
        """Delete documents by id; ids that are not live are passed over. Returns how many there were."""
        wanted = np.unique(check_ids(ids))
        live = self._base.index.contains(wanted)
        fresh = (wanted >= self._base.manifest.next_id) & (wanted < self._next_id)
        doomed = set(wanted[live | fresh].tolist()) - self._deleted
        self._deleted |= doomed
        return len(doomed)

    def delete_sources(self, sources: Iterable[str]) -> int:
        """Delete all documents of these sources. Returns how many there were."""
        return self.delete(self._documents.ids_of("source", sources))

    def commit(self) -> Manifest:
        """Write everything in the order above; when it returns, the new state is on disk."""
        self._flush()
        deleted = np.array(sorted(self._deleted), np.int64)
        parts = [(entry, part.without(deleted)) for entry, part in self._parts]
        parts = self._merge([(entry, part) for entry, part in parts if len(part)])
        generation = self._base.manifest.generation + 1
        entries = tuple(self._stored(entry, part, generation) for entry, part in parts)
        self._documents.commit()
        manifest = replace(
            self._base.manifest,
            generation=generation,
            next_id=self._next_id,
            next_segment=self._next_segment,
            segments=entries,
        )
        manifest.write(self._folder)
        return manifest

    def _flush(self) -> None:
        """Turn the rows gathered so far into a segment, without those that were deleted since."""
        if not self._pending:
            return
        ids = np.concatenate([ids for ids, _ in self._pending])
        rows = concatenate([rows for _, rows in self._pending], self._base.manifest.vocabulary_size)
        self._pending = []
        kept = np.flatnonzero([id not in self._deleted for id in ids.tolist()])
        if len(kept) < len(ids):
            ids, rows = ids[kept], rows.take(kept)
        part = LiveSegment(build_segment(ids, rows, self._weights), np.empty(0, np.int32))
        big = part.segment.nnz >= WEIGHTS_IN_MEMORY
        self._parts.append((self._write(part) if big else None, part))

    def _merge(
        self, parts: list[tuple[SegmentEntry | None, LiveSegment]]
    ) -> list[tuple[SegmentEntry | None, LiveSegment]]:
        while chosen := plan_merge([part for _, part in parts]):
            merged = merge_segments(
                [parts[place][1] for place in chosen], self._base.manifest.vocabulary_size, self._weights
            )
            parts = [pair for place, pair in enumerate(parts) if place not in chosen]
            parts.append((None, LiveSegment(merged, np.empty(0, np.int32))))
        return parts

    def _stored(self, entry: SegmentEntry | None, part: LiveSegment, generation: int) -> SegmentEntry:
        """Write what of a segment is not on disk yet."""
        if entry is None:
            entry = self._write(part)
        return write_marks(self._folder, entry, part, generation)

    def _write(self, part: LiveSegment) -> SegmentEntry:
        with explained(self._folder, "write the index"):
            entry = write_segment(self._folder, self._next_segment, calibrated(part.segment))
        self._next_segment += 1
        return entry
