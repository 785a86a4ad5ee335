"""Between manifest and memory: opens and writes the segments of a folder, and sweeps what is left over.

FOLDER/manifest.json
FOLDER/segments/<number>/{ids,row_*,term_*,posting_*,efforts}.npy    written once
FOLDER/segments/<number>/deleted-<generation>.npy                          rows marked as deleted
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from lexiscope.errors import DamagedIndex, IndexFolderError, LexiscopeError, printable
from lexiscope.index import manifest as manifests
from lexiscope.index.files import (
    FileEntry,
    check_content,
    check_size,
    damaged,
    explained,
    open_array,
    sync_folder,
    write_array,
)
from lexiscope.index.inverted import InvertedIndex
from lexiscope.index.lock import LOCK, writer_lock
from lexiscope.index.manifest import Manifest, SegmentEntry
from lexiscope.index.packing import forward_of, unpack
from lexiscope.index.segment import ARRAYS, LiveSegment, Segment, Weights, build_segment
from lexiscope.index.vectors import Int32, Int64, Rows, check_rows

SEGMENTS = "segments"
CHECKED_AT_OPENING = (
    1 << 24
)  # bytes read and compared with their checksums at each opening; `verify` reads all
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One committed state of a folder, opened."""

    manifest: Manifest
    index: InvertedIndex

    def segments(self) -> Iterator[tuple[SegmentEntry, LiveSegment]]:
        """Walk over the manifest's entries with what they stand for."""
        return zip(self.manifest.segments, self.index.parts, strict=True)


def read_snapshot(folder: Path, known: Snapshot | None = None) -> Snapshot:
    """Open the committed state of a folder; segments that `known` has open are shared with it.

    Raises:
        IndexFolderError: There is no index, or one of a newer format version.
        DamagedIndex: A file is missing, truncated or altered.
    """
    opened = {} if known is None else {entry.number: part.segment for entry, part in known.segments()}
    while True:
        manifest = Manifest.read(folder)
        try:
            return _open(folder, manifest, opened)
        except DamagedIndex:
            if Manifest.read(folder).generation == manifest.generation:
                raise
            # A writer merged these segments away while they were being opened: the newer state has what they
            # held.


def _open(folder: Path, manifest: Manifest, opened: Mapping[int, Segment]) -> Snapshot:
    budget = CHECKED_AT_OPENING
    parts = []
    for entry in manifest.segments:
        place = folder / SEGMENTS / str(entry.number)
        fresh = {
            name: known
            for name, known in entry.files.items()
            if entry.number not in opened or name == entry.marks
        }
        for name, known in sorted(fresh.items(), key=lambda item: item[1].size):
            budget -= known.size
            (check_content if budget >= 0 else check_size)(place / name, known)
        parts.append(open_part(folder, entry, manifest.vocabulary_size, opened.get(entry.number)))
    return Snapshot(manifest, InvertedIndex(parts, manifest.vocabulary_size, manifest.fingerprint))


def open_part(folder: Path, entry: SegmentEntry, columns: int, segment: Segment | None = None) -> LiveSegment:
    """Open what an entry stands for, its files unread.

    Args:
        folder: The index.
        entry: Of its manifest.
        columns: Terms in the vocabulary.
        segment: The segment, where it is open already.

    Raises:
        DamagedIndex: A file is missing, or they do not belong together.
    """
    place = folder / SEGMENTS / str(entry.number)
    segment = segment or _open_segment(place, entry, columns)
    part = LiveSegment(segment, _open_marks(place, entry, len(segment)))
    if len(segment) != entry.rows or len(part.deleted) != entry.deleted:
        raise damaged(place, "does not have the rows that the manifest says")
    return part


def open_rows(folder: Path, entry: SegmentEntry, columns: int) -> tuple[Int64, Rows, Int32]:
    """Read the ids, rows and delete marks of a segment, and nothing of its postings.

    Raises:
        DamagedIndex: A file is missing, or they do not belong together.
    """
    place = folder / SEGMENTS / str(entry.number)
    ids, rows, _ = _open_rows(place, entry, columns)
    return ids, rows, _open_marks(place, entry, len(ids))


def _open_rows(place: Path, entry: SegmentEntry, columns: int) -> tuple[Int64, Rows, Weights]:
    """The ids and rows of a segment of any format, and how its weights are stored."""
    if "row_codes.npy" not in entry.files:
        return _old_rows(place, columns)
    arrays: list[Any] = [open_array(place / f"{name}.npy", ARRAYS[name]) for name in _ROWS]
    ids, vocabulary, offsets, codes, width = arrays
    if len(offsets) != len(ids) + 1 or width.tolist() not in ([1], [4]):
        raise damaged(place, "holds arrays that do not belong together")
    forward = forward_of(ids, offsets, codes, width)
    rows = unpack(forward, np.arange(len(ids)), vocabulary, columns)
    return np.array(ids), rows, "uint8" if width[0] == 1 else "float32"


def _open_segment(place: Path, entry: SegmentEntry, columns: int) -> Segment:
    if "term_rows.npy" not in entry.files:  # formats 1 to 5
        return build_segment(*_open_rows(place, entry, columns))
    arrays: dict[str, Any] = {"effort_table": np.empty(0, np.float32)}  # format 6 had efforts of another kind
    for name, dtypes in ARRAYS.items():
        if name not in arrays or f"{name}.npy" in entry.files:
            arrays[name] = open_array(place / f"{name}.npy", dtypes)
    segment = Segment(**arrays, columns=columns, nnz=entry.weights)
    try:
        segment.check()
    except DamagedIndex as error:
        raise damaged(place, "holds arrays that do not belong together") from error
    return segment


#: Files with the rows.
_ROWS = "ids", "row_vocabulary", "row_offsets", "row_codes", "row_width"
#: Files with the rows of formats 1 to 3, and the types that they may have.
_OLD: dict[str, tuple[type[np.generic], ...]] = {
    "ids": (np.int64,),
    "row_pointers": (np.int64,),
    "row_terms": (np.uint16, np.int32),
    "row_weights": (np.float32, np.uint8),
}


def _old_rows(place: Path, columns: int) -> tuple[Int64, Rows, Weights]:
    """The ids and rows of a segment as formats 1 to 3 stored them, and how their weights were."""
    ids, pointers, terms, weights = (
        np.array(open_array(place / f"{name}.npy", dtypes)) for name, dtypes in _OLD.items()
    )
    kind: Weights = "float32"
    if weights.dtype == np.uint8:
        kind = "uint8"
        weights = weights * np.repeat(open_array(place / "row_scales.npy", (np.float32,)), np.diff(pointers))
    try:
        return ids, check_rows(csr_array((weights, terms, pointers), shape=(len(ids), columns))), kind
    except (LexiscopeError, ValueError) as error:
        raise damaged(place, "holds arrays that do not belong together") from error


def _open_marks(place: Path, entry: SegmentEntry, rows: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    if entry.marks is None:
        return np.empty(0, np.int32)
    marks = np.array(open_array(place / entry.marks, (np.int32,)))
    if len(marks) and (marks[0] < 0 or marks[-1] >= rows or np.any(marks[1:] <= marks[:-1])):
        raise damaged(place / entry.marks, "marks rows that are not there")
    return marks


def write_segment(folder: Path, number: int, segment: Segment) -> SegmentEntry:
    """Write a segment under a new number, and sync it. Nobody sees it until a manifest names it."""
    place = folder / SEGMENTS / str(number)
    place.parent.mkdir(exist_ok=True)
    place.mkdir()
    files = {
        f"{name}.npy": write_array(place / f"{name}.npy", array) for name, array in segment.arrays().items()
    }
    sync_folder(place)
    sync_folder(place.parent)
    return SegmentEntry(number, len(segment), segment.nnz, files)


def write_marks(folder: Path, entry: SegmentEntry, part: LiveSegment, generation: int) -> SegmentEntry:
    """Write a segment's delete marks, where there are new ones, under the name of the coming generation."""
    if entry.deleted == len(part.deleted):
        return entry
    place = folder / SEGMENTS / str(entry.number)
    name = f"deleted-{generation}.npy"
    files: dict[str, FileEntry] = {file: known for file, known in entry.files.items() if file != entry.marks}
    files[name] = write_array(place / name, part.deleted)
    sync_folder(place)
    return replace(entry, files=files, deleted=len(part.deleted), marks=name)


def sweep(folder: Path) -> None:
    """Remove what the manifest on disk does not name. Only for the holder of the write lock."""
    live = {str(entry.number): entry.files for entry in Manifest.read(folder).segments}
    for place in (folder / SEGMENTS).glob("*"):
        try:
            if place.name not in live:
                shutil.rmtree(place)
                continue
            for file in place.iterdir():
                if file.name not in live[place.name]:
                    file.unlink()
        except OSError as error:  # costs space, not data; the next writer tries again
            _LOG.warning("%s could not be removed: %s", printable(place), error.strerror)


def save_index(folder: Path, segment: Segment, fingerprint: str) -> None:
    """Make one segment the whole of an index folder without documents; see `InvertedIndex.save`."""
    with explained(folder, "make the folder"):
        folder.mkdir(parents=True, exist_ok=True)
    refuse_strangers(folder)
    with writer_lock(folder), explained(folder, "write the index"):
        if not manifests.exists(folder):
            start(folder, Manifest(segment.columns, fingerprint))
        before = Manifest.read(folder)
        sweep(folder)
        after = replace(
            before,
            vocabulary_size=segment.columns,
            fingerprint=fingerprint,
            generation=before.generation + 1,
            next_id=int(segment.ids[-1]) + 1 if len(segment) else 0,
            next_segment=before.next_segment + 1,
            segments=(write_segment(folder, before.next_segment, segment),),
        )
        after.write(folder)
        sweep(folder)


def start(folder: Path, manifest: Manifest) -> None:
    """Write the first manifest of a folder, before any segment: one without the other is a damage.

    Raises:
        DamagedIndex: There are segments already.
    """
    if any((folder / SEGMENTS).glob("*")):
        Manifest.read(folder)  # says what is missing and what to do
    manifest.write(folder)


def refuse_strangers(folder: Path, *, documents: str | None = None) -> None:
    """Raise IndexFolderError when a folder holds anything but parts of an index."""
    ours = {manifests.MANIFEST, manifests.MANIFEST + ".new", LOCK, SEGMENTS}
    strangers = [
        name
        for name in sorted(path.name for path in folder.iterdir())
        if name not in ours and not (documents and name.startswith(documents))
    ]
    if strangers:
        raise IndexFolderError(
            f"{printable(folder)} holds other files ({printable(strangers[0])}): choose a new or empty folder"
        )
