"""Export: what is written, what is skipped, and runs that were stopped and go on."""

import json
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, load_npz, vstack
from typer.testing import CliRunner

from lexiscope import exporting, vector_stream
from lexiscope.cli import app
from lexiscope.errors import InvalidValue, LexiscopeError, UnreadableSource
from lexiscope.export_files import Options
from lexiscope.exporting import export
from lexiscope.quantising import Scale
from lexiscope.sparse import heaviest
from lexiscope.vector_sets import MemoryVectors
from lexiscope.vocabulary import Vocabulary

from .conftest import make_picture


@pytest.fixture
def small_steps(monkeypatch):
    """A chunk a picture."""
    monkeypatch.setattr(exporting, "ROWS_A_CHUNK", 1)
    monkeypatch.setattr(vector_stream, "ITEMS_A_STEP", 1)


def rows_of(file):
    """The rows of a Parquet export by id."""
    table = pq.read_table(file)
    values = zip(
        table["id"].to_pylist(), table["indices"].to_pylist(), table["values"].to_pylist(), strict=True
    )
    return {name: (terms, weights) for name, terms, weights in values}


def test_pictures_and_chapters_as_the_index_has_them(files, tmp_path, model_folder, tiny_encoder, library):
    out = tmp_path / "out" / "vectors.npz"
    report = export(files, out, model=model_folder)
    assert (report.rows, report.terms, report.skipped) == (4, len(tiny_encoder.vocabulary), ())
    rows = load_npz(out)
    documents = library.collection.documents.get(library.collection.index.ids)
    by_key = {one.key: library.collection.index.rows([one.id]) for one in documents}
    with np.load(out) as arrays:
        names, kinds = arrays["ids"].tolist(), arrays["kinds"].tolist()
    assert set(names) == set(by_key) and sorted(kinds) == ["chapter", "image", "image", "image"]
    for number, name in enumerate(names):
        np.testing.assert_allclose(rows[[number]].toarray(), by_key[name].toarray(), atol=1e-6)
    stored = json.loads((tmp_path / "out" / "vectors.export.json").read_text())
    assert stored["made_by"]["weights"] == tiny_encoder.fingerprint
    assert stored["weights"] == report.weights == rows.nnz
    assert not list(tmp_path.glob("out/*.parts")) and not list(tmp_path.glob("out/*.part"))


def test_an_index_gives_its_vectors_without_the_model(library, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "_load", lambda model: pytest.fail("the model is not needed"))
    out = tmp_path / "vectors.npz"
    report = export(library.collection.folder, out)
    assert report.rows == 4
    expected = library.collection.index.rows(library.collection.index.ids)
    assert (load_npz(out) != expected).nnz == 0


def test_a_function_takes_batches(files, model_folder, tmp_path):
    taken, seen = [], []
    report = export(files, taken.append, model=model_folder, progress=lambda *now: seen.append(now))
    export(files, tmp_path / "x.npz", model=model_folder)
    assert sum(len(batch) for batch in taken) == report.rows == 4
    assert report.weights == sum(batch.rows.nnz for batch in taken)
    stacked = vstack([batch.rows for batch in taken], format="csr")
    np.testing.assert_allclose(stacked.toarray(), load_npz(tmp_path / "x.npz").toarray())
    assert seen[-1][0] == seen[-1][1]


def test_what_cannot_be_read_is_counted_and_named(files, tmp_path, model_folder):
    (files / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (files / "notes.xyz").write_text("no source")
    report = export([files], tmp_path / "x.parquet", model=model_folder)
    assert report.rows == 4
    reasons = {one.path.rpartition("/")[2]: one.error for one in report.skipped}
    assert reasons == {"broken.jpg": True, "notes.xyz": False}
    assert len(json.loads((tmp_path / "x.export.json").read_text())["skipped"]) == 2
    with pytest.raises(UnreadableSource, match=r"broken\.jpg.*all the rest is written"):
        export([files], tmp_path / "y.parquet", model=model_folder, strict=True)
    assert rows_of(tmp_path / "y.parquet") == rows_of(tmp_path / "x.parquet")


def test_again_there_is_nothing_to_do(files, tmp_path, model_folder):
    out = tmp_path / "x.parquet"
    first = export(files, out, model=model_folder)
    changed = out.stat().st_mtime_ns
    again = export(files, out, model=model_folder)
    assert again.unchanged and not first.unchanged and out.stat().st_mtime_ns == changed
    assert export(files, out, model=model_folder, options=Options(words=3)).unchanged is False
    make_picture(files / "new.png", 9)
    assert export(files, out, model=model_folder).rows == 5


def test_shards_and_pruning(files, tmp_path, model_folder):
    whole, cut = tmp_path / "x.parquet", tmp_path / "y.parquet"
    export(files, whole, model=model_folder)
    report = export(files, cut, model=model_folder, options=Options(words=3, shard_rows=3))
    names = [one["name"] for one in report.files]
    assert names == ["y-00000-of-00002.parquet", "y-00001-of-00002.parquet"]
    assert [one["rows"] for one in report.files] == [3, 1]
    found = {name: row for one in names for name, row in rows_of(tmp_path / one).items()}
    for name, (terms, weights) in rows_of(whole).items():
        row = csr_array((weights, terms, [0, len(terms)]), shape=(1, report.terms))
        kept = heaviest(row, 3)
        assert found[name] == (kept.indices.tolist(), kept.data.tolist())


STOPPED = """
import os, resource, signal, sys
from lexiscope import exporting, vector_stream, vector_store
from lexiscope.cli import main
exporting.ROWS_A_CHUNK = vector_stream.ITEMS_A_STEP = 1
{how}
main()
"""
KILLED = """
real, calls = vector_store.VectorStore.append, 0
def append(self, *given):
    global calls
    calls += 1
    if calls == {nth} and not {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, *given)
    if calls == {nth} and {after}:
        os.kill(os.getpid(), signal.SIGKILL)
vector_store.VectorStore.append = append
"""
FULL = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
real, calls = vector_store.VectorStore.append, 0
def append(self, *given):
    global calls
    calls += 1
    if calls == 3:  # from here on, no file may grow beyond some bytes: the disk is full
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    real(self, *given)
vector_store.VectorStore.append = append
"""


def stopped(how, *arguments):
    command = [sys.executable, "-c", STOPPED.format(how=how), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("how", "code", "chunks"),
    [
        (KILLED.format(nth=3, after=False), -signal.SIGKILL, 2),
        (KILLED.format(nth=3, after=True), -signal.SIGKILL, 3),
        (FULL, 1, 2),
    ],
    ids=["killed before a commit", "killed after a commit", "disk full"],
)
def test_a_run_that_was_stopped_goes_on(
    tmp_path, files, model_folder, small_steps, monkeypatch, how, code, chunks
):
    out = tmp_path / "x.parquet"
    done = stopped(how, "export", files, "--out", out, "--model", model_folder)
    assert done.returncode == code, done.stderr
    if code == 1:
        (line,) = done.stderr.strip().splitlines()
        assert "make room and run the same command again" in line and "Traceback" not in line
    assert not out.exists()
    whole = sorted((tmp_path / "x.parquet.parts").glob("chunk-*.npz"))
    assert len(whole) == chunks
    for chunk in whole:  # what was encoded is whole, and anybody can read it
        with np.load(chunk, allow_pickle=False) as arrays:
            assert len(arrays["data"]) == arrays["indptr"][-1]

    encoded = []
    real = vector_stream._encode
    monkeypatch.setattr(
        vector_stream, "_encode", lambda chunk, *more: encoded.extend(chunk) or real(chunk, *more)
    )
    report = export(files, out, model=model_folder)
    assert report.rows == 4 and 0 < len(encoded) < 4  # the rest only
    monkeypatch.setattr(vector_stream, "_encode", real)
    export(files, tmp_path / "y.parquet", model=model_folder)
    assert rows_of(out) == rows_of(tmp_path / "y.parquet")
    assert not (tmp_path / "x.parquet.parts").exists()


def test_a_full_disk_while_the_file_is_written(tmp_path, files, model_folder, monkeypatch):
    out = tmp_path / "x.npz"
    full = OSError(28, "No space left on device")

    def write(*given):
        raise full

    with monkeypatch.context() as patch:
        patch.setattr("lexiscope.sink_files.write_npz", write)
        with pytest.raises(LexiscopeError, match=r"No space left.*make room and run the same command again"):
            export(files, out, model=model_folder)
    assert not out.exists() and not list(tmp_path.glob("*.part"))
    monkeypatch.setattr(vector_stream, "_encode", lambda *given: pytest.fail("all is encoded already"))
    assert export(files, out, model=model_folder).rows == 4


def test_sources_that_changed_meanwhile(tmp_path, files, model_folder, small_steps):
    out = tmp_path / "x.parquet"
    stopped(KILLED.format(nth=3, after=False), "export", files, "--out", out, "--model", model_folder)
    make_picture(files / "beach.png", 77)
    with pytest.raises(
        LexiscopeError, match="sources have changed since this export began; remove that folder"
    ):
        export(files, out, model=model_folder)


def test_vectors_of_another_model_are_not_mixed_in(tmp_path, files, model_folder, small_steps):
    out = tmp_path / "x.parquet"
    stopped(KILLED.format(nth=3, after=False), "export", files, "--out", out, "--model", model_folder)
    with pytest.raises(LexiscopeError, match=r"another (vocabulary|model)"):
        export(files, out, model="bundled")


def test_a_data_set_in_the_middle(tmp_path, files, model_folder, small_steps, monkeypatch):
    """A Parquet file is resumed by row."""
    rows = [(files / name).read_bytes() for name in ("beach.png", "cat.jpg", "horse.webp")]
    table = {"id": ["a", "b", "c"], "image": [{"bytes": row, "path": None} for row in rows]}
    pq.write_table(pa.table(table), tmp_path / "three.parquet")
    out = tmp_path / "x.npz"
    stopped(
        KILLED.format(nth=2, after=True),
        "export",
        tmp_path / "three.parquet",
        "--out",
        out,
        "--model",
        model_folder,
    )
    report = export(tmp_path / "three.parquet", out, model=model_folder)
    assert report.rows == 3
    with np.load(out) as arrays:
        assert [name.rpartition("#")[2] for name in arrays["ids"].tolist()] == ["a", "b", "c"]


def test_wrong_use(tmp_path, files, model_folder):
    run = CliRunner().invoke
    for arguments, says in [
        ([tmp_path / "gone", "--out", tmp_path / "x.npz"], "does not exist"),
        ([files, "--out", tmp_path / "x.abc"], "its ending does not say the format"),
        ([files, "--out", tmp_path / "x.npz", "--format", "faiss"], "there is no such format"),
        ([files, "--out", files / "beach.png" / "x.npz", "--model", model_folder], "name another --out"),
    ]:
        done = run(app, ["export", *map(str, arguments)])
        assert done.exit_code == 1 and says in done.stderr.splitlines()[-1], done.stderr
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableSource, match="nothing was exported"):
        export(tmp_path / "empty", tmp_path / "x.npz", model=model_folder)
    with pytest.raises(InvalidValue, match="words is 0"):
        Options(words=0)
    with pytest.raises(InvalidValue, match="float16"):
        Options(weights="float16")
    with pytest.raises(InvalidValue, match="different ids"):
        MemoryVectors(csr_array((2, 1), dtype=np.float32), Vocabulary(["a"]), ["x", "x"])


def test_the_command_says_what_it_wrote(tmp_path, files, model_folder):
    run = CliRunner().invoke
    arguments = ["export", str(files), "--out", str(tmp_path / "x.ciff"), "--model", str(model_folder)]
    done = run(app, arguments)
    assert done.exit_code == 0 and "4 vectors" in done.stdout and "1 stands for" in done.stdout, done.output
    report = json.loads(run(app, [*arguments, "--json"]).stdout)
    assert report["unchanged"] and report["rows"] == 4 and report["format"] == "ciff"


weights = st.lists(st.floats(2.0**-20, 2.0**20, width=32), min_size=1, max_size=50)


@settings(deadline=None)
@given(weights)
def test_whole_numbers_lose_no_word_and_half_a_unit_at_most(values):
    data = np.array(values, np.float32)
    scale = Scale.of(float(data.max()))
    codes = scale.codes(data)
    assert codes.min() >= 1 and codes.max() == 255
    wrong = np.abs(scale.weights(codes) - data)
    assert (wrong <= np.where(codes == 1, scale.unit, 0.5 * scale.unit) * (1 + 1e-4)).all()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_heaviest_against_sorting(seed, number):
    random = np.random.default_rng(seed)
    dense = (random.integers(0, 4, (5, 9)) * (random.random((5, 9)) < 0.6)).astype(np.float32)
    kept = heaviest(csr_array(dense), number).toarray()
    for row, expected in zip(kept, dense, strict=True):
        order = np.argsort(-expected, kind="stable")[:number]
        wanted = np.zeros_like(expected)
        wanted[order] = expected[order]
        assert row.tolist() == wanted.tolist()
