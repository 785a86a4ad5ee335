"""Whatever stops a write, at whatever step: the folder is as it was before or after, never between."""

from __future__ import annotations

import builtins
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lexiscope.errors import IndexFolderError
from lexiscope.index import Collection, InvertedIndex, files, tiers

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
DATABASE_FULL = sqlite3.OperationalError("database or disk is full")


class Power:
    """Counts the steps that change the disk, and lets one of them fail, before or after it has happened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps = 0
        self.fails_at = -1
        self.after = False
        monkeypatch.setattr(files, "open", self._open, raising=False)
        for owner, name in [(os, "fsync"), (os, "replace"), (Path, "mkdir")]:
            monkeypatch.setattr(owner, name, self._guarded(getattr(owner, name), NO_SPACE))
        self.connect = sqlite3.connect
        monkeypatch.setattr(sqlite3, "connect", self._connect)

    def _guarded(self, real: Callable, error: Exception) -> Callable:
        def step(*args: object, **options: object) -> object:
            self.steps += 1
            fails = self.steps == self.fails_at
            if fails and not self.after:
                raise error
            done = real(*args, **options)
            if fails:
                raise error
            return done

        return step

    def _connect(self, *args: object, **options: object) -> sqlite3.Connection:
        guarded = self._guarded

        class Connection(self.connect.keywords["factory"]):
            def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
                real = super().execute
                if statement.split()[0] in {"BEGIN", "DELETE", "COMMIT"} and statement != "BEGIN":
                    real = guarded(real, DATABASE_FULL)
                return real(statement, *values)

            def executemany(self, statement: str, values: object) -> sqlite3.Cursor:
                return guarded(super().executemany, DATABASE_FULL)(statement, values)

        return self.connect(*args, factory=Connection, **options)

    def _open(self, path: Path, mode: str = "r") -> object:
        file = builtins.open(path, mode)
        if "b" in mode and mode != "rb":
            return _Writing(file, self._guarded(file.write, NO_SPACE))
        return file


class _Writing:
    """A file whose writes are steps."""

    def __init__(self, file: object, write: Callable) -> None:
        self.file, self.write = file, write

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)


def write_something(collection: Collection, helpers) -> None:
    """A commit with everything in it: a new segment, delete marks, an update."""
    with collection.write() as batch:
        batch.add(helpers.rows(4, seed=7), helpers.documents("b", 4, stamp="2"))
        batch.delete([1])
        batch.delete_sources(["c"])


def copy(source: str, target: str) -> None:
    """Link what is never written to again, and copy the rest."""
    (os.link if source.endswith(".npy") else shutil.copy2)(source, target)


@pytest.fixture
def start(tmp_path: Path, helpers) -> Path:
    """A folder with a few commits behind it."""
    with helpers.create(tmp_path / "start") as collection:
        for number, name in enumerate("abc"):
            helpers.add(collection, name, 3, seed=number)
    return tmp_path / "start"


@pytest.mark.parametrize(("merging", "after"), [(False, False), (True, True)], ids=["marks", "merge"])
def test_a_full_disk_at_any_step(
    start: Path, tmp_path: Path, helpers, monkeypatch, after: bool, merging: bool
) -> None:
    if merging:
        monkeypatch.setattr(tiers, "FANOUT", 3)
    with Collection.open(start) as collection:
        old = helpers.contents(collection)
    shutil.copytree(start, tmp_path / "done")
    with monkeypatch.context() as patched, Collection.open(tmp_path / "done") as collection:
        power = Power(patched)
        write_something(collection, helpers)
        new, steps = helpers.contents(collection), power.steps
    assert old != new and steps > 30
    outcomes = set()
    for step in range(1, steps + 1):
        folder = tmp_path / f"step{step}"
        shutil.copytree(start, folder, copy_function=copy)
        with Collection.open(folder) as collection:
            with monkeypatch.context() as patched:
                power = Power(patched)
                power.fails_at, power.after = step, after
                with pytest.raises(
                    IndexFolderError, match=r"nothing stored is lost: (free some space|see to the disk)"
                ):
                    write_something(collection, helpers)
            with Collection.open(folder) as again:
                seen = helpers.contents(again)
                assert seen in (old, new), f"step {step}"
                assert again.verify() == []
            assert helpers.contents(collection) == seen  # the writer shows what is on disk
            outcomes.add(seen == new)
            if step % 5 == 0:
                write_something(collection, helpers)
                assert helpers.contents(collection).keys() == new.keys() and collection.verify() == []
        shutil.rmtree(folder)
    assert outcomes == {True, False}


def test_a_full_disk_while_making_an_index(tmp_path: Path, helpers, monkeypatch) -> None:
    rows = helpers.rows(5)
    for make in (helpers.create, InvertedIndex.build(rows).save):
        step = 0
        while True:
            step += 1
            folder = tmp_path / f"{make.__name__}{step}"
            with monkeypatch.context() as patched:
                power = Power(patched)
                power.fails_at = step
                try:
                    make(folder)
                except IndexFolderError as error:
                    assert "No space left" in str(error)
                else:
                    break
            renamed = (
                make == helpers.create and (folder / "manifest.json").exists()
            )  # the very last step failed
            made = Collection.open(folder) if renamed else make(folder)
            if made is not None:
                made.close()
            assert len(InvertedIndex.load(folder)) == (5 if made is None else 0)
        assert step > 3


def test_a_full_disk_under_sqlite(collection, helpers) -> None:
    helpers.add(collection, "a", 3)
    before = helpers.contents(collection)
    with (
        pytest.raises(IndexFolderError, match=r"sqlite: cannot be used .*full"),
        collection.write() as batch,
    ):
        batch._documents._connection.execute("PRAGMA max_page_count=1")
        batch.add(helpers.rows(900), helpers.documents("b" * 100, 900))
    assert helpers.contents(collection) == before
    helpers.add(collection, "b", 3)
    assert len(collection) == 6 and collection.verify() == []


KILLS = os.environ.get("LEXISCOPE_KILLS", "25")  # thousands, when the writing changes

KILLED = '''
import os, random, signal, sys, time
import numpy as np
from scipy.sparse import csr_array
from lexiscope.index import Collection, Document, InvertedIndex, tiers

tiers.FANOUT = 3
folder, kills = sys.argv[1], int(sys.argv[2])
rng = random.Random(1)


def rows(stamp):
    return csr_array(np.full((5, 6), stamp + 1, np.float32))


def write(start):
    """Every commit replaces all documents by those of the next stamp, and adds one source that stays."""
    with Collection.open(folder) as collection:
        for stamp in range(start, start + 1000):
            with collection.write() as batch:
                batch.delete_sources(["now"])
                now = [Document(-1, f"now#{i}", "image", "now", str(stamp)) for i in range(5)]
                batch.add(rows(stamp), now)
                batch.add(rows(stamp)[:1], [Document(-1, f"kept#{stamp}", "image", "kept", "1")])


def check():
    """One stamp everywhere, in documents and rows; all the sources that stay. Returns the next stamp."""
    with Collection.open(folder) as collection:
        problems = collection.verify()
        if problems:
            sys.exit(problems[0])
        now = collection.documents.find(sources=["now"])
        if not now:
            return 0 if len(collection) == 0 else sys.exit("documents are lost")
        stamp = int(now[0].stamp)
        weights = collection.index.rows([document.id for document in now]).data
        kept = [document.key for document in collection.documents.find(sources=["kept"])]
        stamps = {document.stamp for document in now}
        if len(now) != 5 or stamps != {str(stamp)} or set(weights) != {stamp + 1}:
            sys.exit(f"between two states at {stamp}")
        if kept != [f"kept#{number}" for number in range(stamp + 1)] or len(collection) != stamp + 6:
            sys.exit(f"a source is lost at {stamp}")
        return stamp + 1


InvertedIndex.build(rows(0)).search(rows(0))  # the kernels are loaded once, for all that are killed
Collection.create(folder, vocabulary_size=6, fingerprint="", model={}).close()
after = check()
for _ in range(kills):
    hears, tells = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tells, b".")
        write(after)
    os.read(hears, 1)
    time.sleep(rng.uniform(0, 0.2))
    os.kill(child, signal.SIGKILL)
    os.close(hears), os.close(tells)
    os.waitpid(child, 0)
    after = check()
print(after)
'''


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill_nine_in_the_middle_of_writes(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "x"), KILLS],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 0  # commits that were seen whole
