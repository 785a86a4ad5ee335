"""manifest.json: the one file that says what an index folder holds. Replacing it is the only commit point.

    {"format_version": 2, "checksum": "…",           sha256 of all the rest
     "generation": 7,                                 counts the commits
     "vocabulary_size": 12000, "fingerprint": "…",    of the vocabulary the columns stand for
     "model": {…},                                    what made the vectors, as the caller gave it
     "weights": "float32",                            or "uint8": how the segments to come store them
     "next_id": 421, "next_segment": 9,               neither is ever used twice
     "segments": [{"number": 3, "rows": 300, "weights": 9000, "deleted": 2, "marks": "deleted-7.npy",
                   "files": {"ids.npy": {"size": 2528, "sha256": "…"}, …}}, …]}

Whatever lies in the folder and is not named here is left over from a write that did not finish.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lexiscope.errors import DamagedIndex, IndexFolderError, printable
from lexiscope.index.files import FileEntry, damaged, explained, replace_file

FORMAT_VERSION = 7  # 6 had other measured efforts, others other postings; rows are read, the rest made anew
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class SegmentEntry:
    """One live segment: the folder segments/<number>."""

    number: int
    rows: int  # deleted ones included
    weights: int
    files: dict[str, FileEntry]
    deleted: int = 0  # rows marked
    marks: str | None = None  # the file with their numbers


@dataclass(frozen=True)
class Manifest:
    """What an index folder holds."""

    vocabulary_size: int
    fingerprint: str
    model: dict[str, Any] = field(default_factory=dict)
    weights: str = "float32"
    generation: int = 0
    next_id: int = 0
    next_segment: int = 1
    segments: tuple[SegmentEntry, ...] = ()

    def write(self, folder: Path) -> None:
        """Make this what the folder holds, durably and in one step."""
        body = asdict(self)
        payload = {"format_version": FORMAT_VERSION, "checksum": _checksum(body), **body}
        replace_file(folder / MANIFEST, json.dumps(payload, indent=1).encode() + b"\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read and check the manifest of a folder.

        Raises:
            IndexFolderError: There is none, it cannot be read, or its format is newer than this version.
            DamagedIndex: It is broken or was altered.
        """
        path = folder / MANIFEST
        try:
            with explained(folder, f"read {MANIFEST}"):
                text = path.read_bytes()
        except IndexFolderError as error:
            if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                raise _absent(folder) from None
            raise
        try:
            return _parse(path, json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise damaged(path, "is broken") from error


def exists(folder: Path) -> bool:
    """Say whether the folder has a manifest."""
    return (folder / MANIFEST).exists()


def _absent(folder: Path) -> IndexFolderError:
    segments = folder / "segments"
    if segments.is_dir() and any(segments.iterdir()):
        return DamagedIndex(
            f"{printable(folder / MANIFEST)} is missing: restore it from a backup, or index into a new folder"
        )
    return IndexFolderError(
        f"{printable(folder)} holds no index: make one with `lexiscope index SOURCE… --out FOLDER`"
    )


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _parse(path: Path, payload: dict[str, Any]) -> Manifest:
    version = payload.pop("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise IndexFolderError(
            f"{printable(path)} has format version {version}, newer than {FORMAT_VERSION}: "
            "upgrade lexiscope to read it"
        )
    if payload.pop("checksum") != _checksum(payload):
        raise damaged(path, "has changed since it was written (its checksum differs)")
    return replace(Manifest(**payload), segments=tuple(_segment(entry) for entry in payload["segments"]))


def _segment(entry: dict[str, Any]) -> SegmentEntry:
    files = {name: FileEntry(**known) for name, known in entry["files"].items()}
    return SegmentEntry(**{**entry, "files": files})
