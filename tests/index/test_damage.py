"""Saved indexes, and what is said when something happened to their files."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from lexiscope.errors import DamagedIndex, IndexFolderError, LexiscopeError
from lexiscope.index import Collection, InvertedIndex, snapshot
from lexiscope.index.files import write_array
from lexiscope.index.manifest import FORMAT_VERSION
from lexiscope.index.packing import given_rows
from lexiscope.index.segment import ARRAYS, LiveSegment, Weights, build_segment

FILES = [*(f"{name}.npy" for name in ARRAYS), "deleted-2.npy"]


@pytest.fixture
def folder(collection, helpers) -> Path:
    """A folder with one segment of five rows, one of them deleted."""
    helpers.add(collection, "a", 5)
    with collection.write() as batch:
        batch.delete([2])
    collection.close()
    return collection.folder


def test_save_and_load(tmp_path: Path, helpers) -> None:
    rows, queries = helpers.rows(50), helpers.rows(3, seed=4)
    index = InvertedIndex.build(rows, ids=np.arange(50) * 2, fingerprint="beef")
    index.save(tmp_path / "saved")
    loaded = InvertedIndex.load(tmp_path / "saved")
    assert (len(loaded), loaded.vocabulary_size, loaded.fingerprint, loaded.nnz) == (
        50,
        40,
        "beef",
        index.nnz,
    )
    for one, other in zip(index.search(queries), loaded.search(queries), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(loaded.rows([98, 0]).toarray(), rows.toarray()[[49, 0]])
    base = loaded.parts[0].segment.posting_buckets.base
    assert isinstance(base, np.memmap) and not loaded.parts[0].segment.posting_buckets.flags.writeable


def test_save_again_replaces_and_a_loaded_index_stays_usable(tmp_path: Path, helpers) -> None:
    InvertedIndex.build(helpers.rows(9)).save(tmp_path / "saved")
    old = InvertedIndex.load(tmp_path / "saved")
    found = old.search(helpers.rows(2))[0]
    old.save(tmp_path / "saved")
    InvertedIndex.build(helpers.rows(3, columns=7), fingerprint="new").save(tmp_path / "saved")
    np.testing.assert_array_equal(old.search(helpers.rows(2))[0], found)
    assert InvertedIndex.load(tmp_path / "saved").vocabulary_size == 7
    assert len(list((tmp_path / "saved" / "segments").iterdir())) == 1


def test_an_empty_index_can_be_saved(tmp_path: Path, helpers) -> None:
    InvertedIndex([], helpers.COLUMNS).save(tmp_path / "saved")
    loaded = InvertedIndex.load(tmp_path / "saved")
    assert len(loaded) == 0
    assert loaded.search(helpers.rows(1), 1)[0].tolist() == [[-1]]


def test_save_compacts_and_keeps_off_other_folders(folder: Path, tmp_path: Path) -> None:
    index = InvertedIndex.load(folder)
    with pytest.raises(IndexFolderError, match=r"documents\.sqlite"):
        index.save(folder)
    index.save(tmp_path / "saved")
    saved = InvertedIndex.load(tmp_path / "saved")
    assert saved.ids.tolist() == [0, 1, 3, 4]
    assert len(saved.parts[0].segment) == 4
    with pytest.raises(DamagedIndex, match=r"documents\.sqlite is missing"):
        Collection.open(tmp_path / "saved")


@pytest.mark.parametrize("name", FILES)
def test_every_altered_byte_of_a_segment_is_found(folder: Path, name: str) -> None:
    path = folder / "segments" / "1" / name
    whole = path.read_bytes()
    for place in {0, 7, 40, len(whole) // 2, len(whole) - 1}:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedIndex, match=name):
            Collection.open(folder)
    path.write_bytes(whole)
    with Collection.open(folder) as mended:
        assert mended.verify() == []


@pytest.mark.parametrize("name", FILES)
def test_truncated_and_missing_files_are_named(folder: Path, name: str) -> None:
    path = folder / "segments" / "1" / name
    whole = path.read_bytes()
    for length in (0, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedIndex, match=f"{name} has {length} bytes instead of {len(whole)}"):
            InvertedIndex.load(folder)
    path.unlink()
    with pytest.raises(DamagedIndex, match=f"{name} is missing"):
        InvertedIndex.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_large_files_are_checked_by_verify_and_never_crash_a_search(
    folder: Path, name: str, monkeypatch, helpers
) -> None:
    monkeypatch.setattr(snapshot, "CHECKED_AT_OPENING", 0)
    path = folder / "segments" / "1" / name
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(12):
        altered = bytearray(whole)
        for place in rng.integers(min(128, len(whole) - 1), len(whole), 3):
            altered[place] = rng.integers(256)
        path.write_bytes(altered)
        try:
            with Collection.open(folder) as opened:
                opened.index.search(helpers.rows(5), 3)
                opened.index.search(helpers.rows(5), 3, only=[0, 1])
                problems = opened.verify()
                assert bytes(altered) == whole or any(name in problem for problem in problems)
        except DamagedIndex as error:
            assert "segments/1" in str(error)


def test_a_broken_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    whole = path.read_bytes()
    wrong = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        whole[:-20],
        whole.replace(b"00ff", b"00fe"),
    ]
    for text in wrong:
        path.write_bytes(text)
        with pytest.raises(DamagedIndex, match=r"manifest\.json"):
            Collection.open(folder)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 150):
        altered = whole[:place] + bytes([whole[place] ^ 1 << int(rng.integers(7))]) + whole[place + 1 :]
        path.write_bytes(altered)
        if altered.split() == whole.split():  # only the layout changed
            continue
        with pytest.raises(LexiscopeError):
            Collection.open(folder)
    path.unlink()
    with pytest.raises(DamagedIndex, match=r"manifest\.json is missing"):
        Collection.open(folder)
    with pytest.raises(DamagedIndex, match=r"manifest\.json is missing"):
        Collection.create(folder, vocabulary_size=3, fingerprint="", model={})
    path.write_bytes(whole)
    with Collection.open(folder) as mended:
        assert len(mended) == 4


def test_a_manifest_of_a_newer_version(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"format_version": FORMAT_VERSION + 1, "something": "new"})
    )
    with pytest.raises(
        IndexFolderError, match=f"version {FORMAT_VERSION + 1}, newer than {FORMAT_VERSION}: upgrade"
    ):
        Collection.open(folder)


def test_missing_documents(folder: Path) -> None:
    (folder / "documents.sqlite").unlink()
    with pytest.raises(DamagedIndex, match=r"documents\.sqlite is missing"):
        Collection.open(folder)


def test_no_database(folder: Path) -> None:
    (folder / "documents.sqlite").write_bytes(b"something else entirely" * 500)
    with pytest.raises(DamagedIndex, match=r"documents\.sqlite is damaged"):
        Collection.open(folder)


def test_an_altered_document_is_not_returned(folder: Path) -> None:
    path = folder / "documents.sqlite"
    whole = path.read_bytes()
    assert whole.count(b"a 3") == 1
    path.write_bytes(whole.replace(b"a 3", b"a 9"))
    with Collection.open(folder) as opened:
        assert opened.documents.get([4])[0].fields["title"] == "a 4"
        with pytest.raises(DamagedIndex, match="document 3 was altered"):
            opened.documents.get([3])
        assert any("document 3 was altered" in problem for problem in opened.verify())


def test_lost_documents_are_noticed(collection, helpers, tmp_path: Path) -> None:
    shutil.copy(collection.folder / "documents.sqlite", tmp_path / "old")
    helpers.add(collection, "a", 2)
    collection.close()
    for ending in ("", "-wal", "-shm"):
        (collection.folder / f"documents.sqlite{ending}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "old", collection.folder / "documents.sqlite")
    with Collection.open(collection.folder) as opened:
        with pytest.raises(DamagedIndex, match="lost the document 1"):
            opened.documents.get([1])
        assert len(opened.verify()) == 2


def test_random_damage_to_the_documents_is_an_error_or_harmless(folder: Path, helpers) -> None:
    path = folder / "documents.sqlite"
    with Collection.open(folder) as opened:
        truth = helpers.contents(opened)
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(60):
        altered = bytearray(whole)
        for place in rng.integers(0, len(whole), 40):
            altered[place] = rng.integers(256)
        path.write_bytes(altered)
        try:
            with Collection.open(folder) as opened:
                opened.stamps(), opened.counts(), opened.verify()
                assert helpers.contents(opened) == truth
        except LexiscopeError as error:
            assert "documents.sqlite" in str(error)


def test_a_folder_that_may_only_be_read(folder: Path, helpers, monkeypatch) -> None:
    import sqlite3

    connect = sqlite3.connect

    def refuse(name: str, **options: object) -> sqlite3.Connection:
        if "immutable" not in name:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(name, **options)

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with Collection.open(folder) as opened:
        assert len(helpers.contents(opened)) == 4


@pytest.mark.parametrize("version", [1, 4, 5, 6])
@pytest.mark.parametrize("kind", ["float32", "uint8"])
def test_an_index_of_an_older_format_is_read_and_written_anew(
    folder: Path, helpers, kind: Weights, version: int
) -> None:
    """Format 1 had the rows as they came in, 4 as they are now; both had postings that nobody reads now. 5
    did not say how many rows have a term, 6 had other efforts."""
    with Collection.open(folder) as now:
        part = now.index.parts[0]
    rows, ids = part.segment.take(np.arange(len(part.segment))), part.segment.ids
    stored = build_segment(ids, rows, kind)
    if version == 1:
        given = given_rows(rows, rounded=kind == "uint8")
        arrays = {"row_pointers": rows.pointers, "row_terms": rows.terms, "row_weights": given.weights}
        arrays |= {"row_scales": given.scales} if kind == "uint8" else {}
    elif version == 4:
        arrays = {name: array for name, array in stored.arrays().items() if name.startswith("row_")}
        arrays |= {"posting_codes": np.frombuffer(b"as it was then", np.uint8)}
    else:
        without = {"ids", "effort_table", *(["term_rows"] if version == 5 else [])}
        arrays = {name: array for name, array in stored.arrays().items() if name not in without}
        arrays |= {"efforts": np.ones(5, np.float32)}
    place, manifest = folder / "segments" / "1", json.loads((folder / "manifest.json").read_text())
    files = manifest["segments"][0]["files"]
    for name in ARRAYS:
        if name != "ids":
            (place / f"{name}.npy").unlink()
            del files[f"{name}.npy"]
    for name, array in arrays.items():
        files[f"{name}.npy"] = asdict(write_array(place / f"{name}.npy", array))
    wanted = InvertedIndex([LiveSegment(stored, part.deleted)], helpers.COLUMNS).search(helpers.rows(6), 3)
    del manifest["format_version"], manifest["checksum"]
    if version == 1:
        del manifest["weights"]
    checksum = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    old = {"format_version": version, "checksum": checksum, **manifest}
    (folder / "manifest.json").write_text(json.dumps(old))
    with Collection.open(folder) as opened:
        assert opened.verify() == []
        for one, other in zip(opened.index.search(helpers.rows(6), 3), wanted, strict=True):
            np.testing.assert_array_equal(one, other)
        helpers.add(opened, "b", 2)
        assert len(opened) == 6
    opened.index.save(folder.parent / "anew")
    again = InvertedIndex.load(folder.parent / "anew").search(helpers.rows(6), 3)
    np.testing.assert_array_equal(again[1], opened.index.search(helpers.rows(6), 3)[1])
