"""Repair: what is whole is kept, what was deleted stays away, what is lost is said and read again."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from lexiscope.errors import DamagedIndex, IndexFolderError
from lexiscope.index import Collection, InvertedIndex
from lexiscope.index.repair import problems, repair
from lexiscope.index.segment import ARRAYS

ANEW = [name for name in ARRAYS if not name.startswith(("ids", "row_"))]
OF_ROWS = [name for name in ARRAYS if name.startswith(("ids", "row_"))]


@pytest.fixture
def folder(collection, helpers) -> Path:
    """Two segments of five rows; of the first one row is deleted."""
    helpers.add(collection, "a")
    helpers.add(collection, "b", seed=1)
    with collection.write() as batch:
        batch.delete([2])
    collection.close()
    return collection.folder


def damage(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def searched(folder: Path, helpers) -> list[list[float]]:
    with Collection.open(folder) as opened:
        return opened.index.search(helpers.rows(4, seed=8), 9)[1].tolist()


def test_a_whole_index_is_left_as_it_is(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.npy")} | {
        folder / "manifest.json": (folder / "manifest.json").read_bytes()
    }
    assert problems(folder) == []
    assert repair(folder) == repair(folder)
    assert not repair(folder).changed and repair(folder).kept == 9
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", ANEW)
def test_postings_are_made_anew_and_nothing_is_lost(folder: Path, name: str, helpers) -> None:
    wanted = searched(folder, helpers)
    damage(folder / "segments" / "1" / f"{name}.npy")
    assert any(name in line for line in problems(folder))
    mended = repair(folder)
    assert (mended.kept, mended.lost) == (9, 0)
    assert problems(folder) == []
    assert searched(folder, helpers) == wanted
    with Collection.open(folder) as opened:
        assert 2 not in opened.index.ids
        helpers.add(opened, "c")
        assert len(opened) == 14


@pytest.mark.parametrize("name", [*OF_ROWS, "deleted-3"])
def test_a_segment_without_whole_rows_or_marks_goes_and_its_source_is_read_again(
    folder: Path, name: str, helpers
) -> None:
    damage(folder / "segments" / "1" / f"{name}.npy")
    mended = repair(folder)
    assert (mended.kept, mended.lost) == (5, 4)
    assert problems(folder) == []
    with Collection.open(folder) as opened:
        assert opened.index.ids.tolist() == [5, 6, 7, 8, 9]
        assert opened.stamps() == {"b": "1"}
        helpers.add(opened, "a")
        assert len(opened) == 10


def test_the_rest_of_a_source_that_lost_a_document_is_read_again(folder: Path) -> None:
    with sqlite3.connect(folder / "documents.sqlite") as base:
        base.execute("UPDATE documents SET fields = '{}' WHERE id = 6")
    base.close()
    assert any("document 6 was altered" in line for line in problems(folder))
    mended = repair(folder)
    assert (mended.kept, mended.lost) == (8, 1)
    assert problems(folder) == []
    with Collection.open(folder) as opened:
        assert opened.stamps() == {"a": "1", "b": ""}  # no stamp that a file could have
        assert 6 not in opened.index.ids


def test_a_missing_segment(folder: Path) -> None:
    shutil.rmtree(folder / "segments" / "2")
    assert (repair(folder).kept, problems(folder)) == (4, [])


def test_an_index_without_documents(tmp_path: Path, helpers) -> None:
    InvertedIndex.build(helpers.rows(20)).save(tmp_path / "saved")
    assert problems(tmp_path / "saved") == []
    damage(next((tmp_path / "saved").rglob("posting_buckets.npy")))
    assert repair(tmp_path / "saved").kept == 20
    found = InvertedIndex.load(tmp_path / "saved").search(helpers.rows(2))
    np.testing.assert_array_equal(found[1], InvertedIndex.build(helpers.rows(20)).search(helpers.rows(2))[1])


def test_what_cannot_be_mended_says_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(IndexFolderError, match="holds no index"):
        repair_nothing = tmp_path / "nothing"
        repair_nothing.mkdir()
        problems(repair_nothing)
    (folder / "documents.sqlite").write_bytes(b"no database" * 100)
    for leftover in ("documents.sqlite-wal", "documents.sqlite-shm"):
        (folder / leftover).unlink(missing_ok=True)
    assert "documents.sqlite" in problems(folder)[0]
    with pytest.raises(DamagedIndex, match=r"documents\.sqlite"):
        repair(folder)
    damage(folder / "manifest.json")
    with pytest.raises(DamagedIndex, match=r"manifest\.json"):
        problems(folder)


def test_an_index_that_lost_everything_is_an_empty_one(folder: Path, helpers) -> None:
    for path in folder.rglob("row_codes.npy"):
        path.unlink()
    assert (repair(folder).kept, repair(folder).changed) == (0, False)
    with Collection.open(folder) as opened:
        assert len(opened) == 0
        helpers.add(opened, "a")
        assert opened.verify() == []
