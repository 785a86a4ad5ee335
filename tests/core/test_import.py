"""Vectors made elsewhere: read, checked, and put into an index that answers as theirs would."""

import json
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array, save_npz
from typer.testing import CliRunner

from lexiscope import Retriever, export, read_vectors
from lexiscope.cli import app
from lexiscope.errors import InvalidValue, UnreadableSource, VocabularyMismatch
from lexiscope.export_files import Options
from lexiscope.importing import import_vectors
from lexiscope.index import Collection
from lexiscope.vocabulary import Vocabulary

VOCABULARY = Vocabulary(["dog", "cat", "sea", "boat", "a.b"])


def write_lines(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.fixture
def rows():
    random = np.random.default_rng(3)
    return csr_array((random.random((30, 5)) * (random.random((30, 5)) < 0.6)).astype(np.float32))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "npz"])
@pytest.mark.parametrize("weights", ["float32", "uint8"])
def test_what_is_exported_can_be_read(tmp_path, files, model_folder, suffix, weights, tiny_encoder):
    out = tmp_path / f"x.{suffix}"
    report = export(files, out, model=model_folder, options=Options(weights=weights))
    vocabulary = tiny_encoder.vocabulary if suffix == "jsonl" else None
    read = read_vectors(out, vocabulary)
    expected = tmp_path / "y.npz"
    export(files, expected, model=model_folder)
    true = read_vectors(expected)
    assert (
        read.ids == true.ids and list(read.kind) == list(true.kind) and set(true.kind) == {"image", "chapter"}
    )
    assert list(read.source) == list(true.source)
    unit = (report.scale or 0) if suffix != "jsonl" else 0
    if suffix == "jsonl" and weights == "uint8":
        read = read.__class__(csr_array(read.rows * np.float32(report.scale)), read.vocabulary, read.ids)
        unit = report.scale
    np.testing.assert_allclose(read.rows.toarray(), true.rows.toarray(), atol=unit + 1e-7)


def test_files_of_others(tmp_path, rows):
    by_scipy = tmp_path / "scipy.npz"
    save_npz(by_scipy, rows)
    read = read_vectors(by_scipy, VOCABULARY)
    assert (read.rows != rows).nnz == 0 and read.ids[:2] == ("0", "1")
    decoded = [
        [[VOCABULARY.terms[term], float(weight)] for term, weight in zip(row.indices, row.data, strict=True)]
        for row in (rows[[number]] for number in range(30))
    ]
    by_sentence_transformers = write_lines(
        tmp_path / "st.jsonl", [{"id": number, "vector": one} for number, one in enumerate(decoded)]
    )
    assert (read_vectors(by_sentence_transformers, VOCABULARY).rows != rows).nnz == 0
    by_splade = write_lines(
        tmp_path / "splade.jsonl",
        [{"id": str(n), "contents": "", "vector": dict(one)} for n, one in enumerate(decoded)],
    )
    assert (read_vectors(by_splade, VOCABULARY).rows != rows).nnz == 0
    words = {"id": ["x"], "words": [["sea", "dog"]], "values": [[1.0, 0.5]]}
    pq.write_table(pa.table(words), tmp_path / "words.parquet")
    assert read_vectors(tmp_path / "words.parquet", VOCABULARY).rows.toarray().tolist() == [[0.5, 0, 1, 0, 0]]


GOOD = {"id": "x", "vector": {"dog": 1.0}}


@pytest.mark.parametrize(
    ("row", "error", "says"),
    [
        (
            {"id": "y", "vector": {"dog": float("nan")}},
            InvalidValue,
            "line 2: the weight of 'dog' is not a finite",
        ),
        ({"id": "y", "vector": {"dog": -1}}, InvalidValue, "line 2: the weight of 'dog' is negative"),
        (
            {"id": "y", "vector": {"cow": 1}},
            VocabularyMismatch,
            "line 2: 'cow' is not in the vocabulary of 5",
        ),
        ({"id": "x", "vector": {}}, InvalidValue, "id 'x' stands twice"),
        ({"vector": {"dog": 1}}, InvalidValue, "line 2: has no id"),
        ({"id": "y"}, UnreadableSource, "line 2: is no vector"),
        ({"id": "y", "vector": {"dog": 1}, "kind": "film"}, InvalidValue, "kind is 'film'"),
        ([1], UnreadableSource, "line 2: is no vector"),
    ],
)
def test_bad_lines(tmp_path, row, error, says):
    file = write_lines(tmp_path / "x.jsonl", [GOOD, row])
    with pytest.raises(error, match=says) as caught:
        read_vectors(file, VOCABULARY)
    assert "\n" not in str(caught.value)


def test_bad_files(tmp_path, rows):
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    (tmp_path / "x.bin").write_bytes(b"")
    for name in ("x.npz", "x.parquet", "gone.jsonl", "x.bin"):
        with pytest.raises(UnreadableSource):
            read_vectors(tmp_path / name, VOCABULARY)
    save_npz(tmp_path / "wide.npz", rows[:, :4])
    with pytest.raises(VocabularyMismatch, match="has 4 columns"):
        read_vectors(tmp_path / "wide.npz", VOCABULARY)
    with pytest.raises(InvalidValue, match="does not say what its columns stand for"):
        read_vectors(tmp_path / "wide.npz")
    negative = rows.copy()
    negative.data[3] = -1
    save_npz(tmp_path / "negative.npz", negative)
    with pytest.raises(InvalidValue, match=r"negative\.npz: row \d+ has a negative weight"):
        read_vectors(tmp_path / "negative.npz", VOCABULARY)
    table = {"id": ["x"], "indices": [[9]], "values": [[1.0]]}
    pq.write_table(pa.table(table), tmp_path / "outside.parquet")
    with pytest.raises(VocabularyMismatch, match="row 0: term 9 is outside the vocabulary of 5"):
        read_vectors(tmp_path / "outside.parquet", VOCABULARY)


def test_an_index_of_them_answers_like_the_one_they_came_from(tmp_path, library, model_folder):
    out = tmp_path / "vectors.parquet"
    export(library.collection.folder, out)
    run = CliRunner().invoke
    arguments = ["import", str(out), "--out", str(tmp_path / "i"), "--model", str(model_folder), "--json"]
    assert json.loads(run(app, arguments).stdout) == {"rows": 4, "added": 4, "total": 4}
    with Retriever.open(tmp_path / "i") as other:
        ours, theirs = library.search("a dog in the water"), other.search("a dog in the water")
    assert [(hit.kind, hit.score) for hit in ours] == [(hit.kind, hit.score) for hit in theirs]
    assert json.loads(run(app, arguments).stdout) == {"rows": 4, "added": 0, "total": 4}


def test_a_changed_file_takes_the_place_of_what_it_was(tmp_path):
    file = write_lines(tmp_path / "x.jsonl", [GOOD])
    made_by = {"name": "elsewhere", "weights": "1"}
    import_vectors(file, tmp_path / "i", VOCABULARY, model=made_by)
    write_lines(file, [{"id": "z", "vector": {"cat": 2.0}}, {"id": "w", "vector": {"sea": 2.0}}])
    report = import_vectors(file, tmp_path / "i", VOCABULARY, model=made_by)
    assert (report.added, report.total) == (2, 2)
    with pytest.raises(VocabularyMismatch, match="another vocabulary"):
        import_vectors(file, tmp_path / "i", Vocabulary(["cat", "sea"]), model=made_by)


STOPPED = """
import os, signal, sys
from lexiscope import importing, vector_files
from lexiscope.cli import main
importing.ROWS_A_COMMIT = vector_files.ROWS_AT_A_TIME = 1
real, calls = importing._commit, 0
def commit(*given):
    global calls
    calls += 1
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
importing._commit = commit
main()
"""


def test_killed_then_the_same_command_again(tmp_path):
    rows = [{"id": str(number), "vector": {"dog": number + 1.0}} for number in range(5)]
    file = write_lines(tmp_path / "x.jsonl", rows)
    (tmp_path / "terms.txt").write_text("\n".join(VOCABULARY.terms) + "\n")
    arguments = [
        "import",
        str(file),
        "--out",
        str(tmp_path / "i"),
        "--vocabulary",
        str(tmp_path / "terms.txt"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, *arguments], capture_output=True, timeout=300, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    with Collection.open(tmp_path / "i") as collection:
        assert len(collection) == 2
    again = CliRunner().invoke(app, arguments)
    assert "3 of 5 vectors added" in again.stdout
    with Collection.open(tmp_path / "i") as collection:
        found = collection.index.rows(collection.index.ids).toarray()[:, 0].tolist()
        assert found == [1, 2, 3, 4, 5]


def test_wrong_use(tmp_path):
    done = CliRunner().invoke(app, ["import", str(tmp_path / "gone.npz"), "--out", str(tmp_path / "i")])
    assert done.exit_code == 1 and "there is no such file" in done.stderr
