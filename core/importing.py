"""Import: lexical vectors that were made elsewhere, into an index folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.sparse import csr_array, vstack

from lexiscope.errors import VocabularyMismatch, printable
from lexiscope.index import Collection, Document
from lexiscope.stamps import content_hash, size_and_time
from lexiscope.vector_files import read_batches
from lexiscope.vector_sets import Batch
from lexiscope.vocabulary import Vocabulary

__all__ = ["ImportReport", "import_vectors"]

ROWS_A_COMMIT = 20_480


@dataclass(frozen=True)
class ImportReport:
    """What was imported."""

    rows: int  # of the file
    added: int  # now; the others were there
    total: int  # that the index holds


def import_vectors(
    file: str | Path,
    folder: str | Path,
    vocabulary: Vocabulary,
    *,
    model: Mapping[str, Any],
    kind: str = "image",
) -> ImportReport:
    """Put the vectors of a file into an index folder.

    Every commit is whole, and a run that was stopped goes on behind the last one. A file that has changed
    since takes the place of what it was.

    Args:
        file: see `read_vectors`.
        folder: the index; made where there is none.
        vocabulary: the terms.
        model: what made the vectors, as the index remembers it: `name` and `weights`.
        kind: image or chapter, for rows that do not say.

    Raises:
        UnreadableSource: the file cannot be read.
        InvalidValue: a weight, an id or a kind is not what it may be; the vectors before it are in the index.
        VocabularyMismatch: the vectors do not belong to the vocabulary, or the vocabulary not to the index.
        IndexFolderError: the index cannot be written to.
    """
    path, place = Path(file).expanduser(), Path(folder).expanduser()
    name, stamp = printable(path.resolve()), f"{size_and_time([path])}-{content_hash([path])}"
    collection = _open(place, vocabulary, model)
    try:
        same = collection.stamps().get(name) == stamp
        done = len(collection.documents.ids(sources=[name])) if same else 0
        if not done and name in collection.stamps():
            with collection.write() as batch:
                batch.delete_sources([name])
        rows = added = 0
        pending: list[Batch] = []
        for read in read_batches(path, vocabulary, kind=kind):
            fresh = read[max(0, done - rows) :]
            rows += len(read)
            if len(fresh):
                pending.append(fresh)
            if sum(map(len, pending)) >= ROWS_A_COMMIT:
                added += _commit(collection, pending, name, stamp)
                pending = []
        added += _commit(collection, pending, name, stamp)
        return ImportReport(rows, added, len(collection))
    finally:
        collection.close()


def _open(folder: Path, vocabulary: Vocabulary, model: Mapping[str, Any]) -> Collection:
    if not (folder / "manifest.json").exists():
        return Collection.create(
            folder, vocabulary_size=len(vocabulary), fingerprint=vocabulary.fingerprint, model=dict(model)
        )
    collection = Collection.open(folder)
    if collection.fingerprint != vocabulary.fingerprint:
        raise VocabularyMismatch(
            f"{printable(folder)}: was made with another vocabulary; import into another folder"
        )
    return collection


def _commit(collection: Collection, batches: Sequence[Batch], source: str, stamp: str) -> int:
    if not batches:
        return 0
    rows = csr_array(vstack([batch.rows for batch in batches], format="csr"))
    documents = [
        Document(-1, name, kind, source, stamp, {"captions": [], "imported_from": origin})
        for batch in batches
        for name, kind, origin in zip(batch.ids, batch.kinds, batch.sources, strict=True)
    ]
    with collection.write() as batch:
        batch.add(rows, documents)
    return len(documents)
