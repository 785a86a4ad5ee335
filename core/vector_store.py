"""Vectors on their way out: encoded once, kept in whole pieces, so that a run can be stopped at any time.

A folder of `vocabulary.txt`, `store.json` (what makes the vectors) and `chunk-00000000.npz`, …: each chunk is
written aside, synced and renamed, and says how far among the sources it reaches. What was encoded before a
run was killed, or the disk was full, is therefore whole, and the next run goes on behind it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack

from lexiscope.errors import LexiscopeError, printable
from lexiscope.index.files import replace_file
from lexiscope.sources import Skipped, Source
from lexiscope.stamps import size_and_time
from lexiscope.vector_sets import Batch
from lexiscope.vocabulary import Vocabulary

__all__ = ["Place", "VectorStore"]

_STORE, _VOCABULARY = "store.json", "vocabulary.txt"


@dataclass(frozen=True)
class Place:
    """How far a run has come.

    Attributes:
        source: number of the source that is being read.
        item: how many things of it were taken.
        digest: of the names, sizes and times of all sources up to this one.
    """

    source: int = 0
    item: int = 0
    digest: str = ""


class VectorStore:
    """A folder of encoded vectors; a `VectorSet`.

    Args:
        folder: made where there is none.
        vocabulary: the terms that the columns stand for.
        meta: what makes the vectors, as JSON.

    Raises:
        LexiscopeError: the folder holds vectors that were made otherwise, or cannot be written to.
    """

    def __init__(self, folder: Path, vocabulary: Vocabulary, meta: dict[str, Any]) -> None:
        self.folder, self.vocabulary, self.meta = folder, vocabulary, meta
        folder.mkdir(parents=True, exist_ok=True)
        known = folder / _STORE
        settings = {"format_version": 1, "vocabulary": vocabulary.fingerprint, **meta}
        if known.is_file():
            self._check(json.loads(known.read_text(encoding="utf-8")), settings)
        else:
            vocabulary.save(folder / _VOCABULARY)
            replace_file(known, json.dumps(settings).encode())
        self._chunks = sorted(folder.glob("chunk-*.npz"))
        self._counts = [self._about(chunk)["rows"] for chunk in self._chunks]

    def _check(self, found: dict[str, Any], settings: dict[str, Any]) -> None:
        other = [name for name in settings if found.get(name) != settings[name]]
        if other:
            raise LexiscopeError(
                f"{printable(self.folder)}: holds vectors of an export with another {other[0]} "
                f"({found.get(other[0])!r}); finish that one, or remove the folder to begin anew"
            )

    @property
    def place(self) -> Place:
        """How far the last whole chunk reaches."""
        return Place(**self._about(self._chunks[-1])["place"]) if self._chunks else Place()

    @property
    def skipped(self) -> list[Skipped]:
        """What could not be read so far."""
        return [Skipped(**one) for chunk in self._chunks for one in self._about(chunk)["skipped"]]

    def __len__(self) -> int:
        return sum(self._counts)

    def append(self, batches: Iterable[Batch], place: Place, skipped: Iterable[Skipped]) -> None:
        """Add a chunk, whole or not at all.

        Raises:
            OSError: it cannot be written; the store stays as it was.
        """
        taken = list(batches)
        empty = csr_array((0, len(self.vocabulary)), dtype=np.float32)
        rows = csr_array(vstack([empty, *(batch.rows for batch in taken)], format="csr"))
        about = {
            "rows": int(rows.shape[0]),
            "place": asdict(place),
            "skipped": [asdict(one) for one in skipped],
            "ids": [name for batch in taken for name in batch.ids],
            "kinds": [kind for batch in taken for kind in batch.kinds],
            "sources": [source for batch in taken for source in batch.sources],
        }
        chunk = self.folder / f"chunk-{len(self._chunks):08}.npz"
        part = chunk.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(
                file,
                about=np.frombuffer(json.dumps(about).encode(), np.uint8),
                data=rows.data.astype(np.float32),
                indices=rows.indices.astype(np.int32),
                indptr=rows.indptr.astype(np.int64),
            )
            file.flush()
            os.fsync(file.fileno())
        part.replace(chunk)
        self._chunks.append(chunk)
        self._counts.append(about["rows"])

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """See `VectorSet`."""
        end, first = len(self) if stop is None else stop, 0
        for chunk, count in zip(self._chunks, self._counts, strict=True):
            low, high = max(start - first, 0), min(end - first, count)
            if low < high:
                yield self._read(chunk)[low:high]
            first += count

    def _read(self, chunk: Path) -> Batch:
        about = self._about(chunk)
        with np.load(chunk, allow_pickle=False) as kept:
            shape = (about["rows"], len(self.vocabulary))
            rows = csr_array((kept["data"], kept["indices"], kept["indptr"]), shape=shape)
        return Batch(tuple(about["ids"]), tuple(about["kinds"]), tuple(about["sources"]), rows)

    def _about(self, chunk: Path) -> dict[str, Any]:
        try:
            with np.load(chunk, allow_pickle=False) as kept:
                found: dict[str, Any] = json.loads(kept["about"].tobytes())
                return found
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise LexiscopeError(
                f"{printable(chunk)}: is damaged ({error}); remove {printable(self.folder)} to begin anew"
            ) from None

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def digests(sources: Iterable[Source]) -> Iterator[str]:
    """For every source: hexadecimal digits of all names, sizes and times up to it."""
    digest = hashlib.blake2b(digest_size=16)
    for source in sources:
        digest.update(f"{source.name}\0{size_and_time(source.files)}\0".encode())
        yield digest.hexdigest()
