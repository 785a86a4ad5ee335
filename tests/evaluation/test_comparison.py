"""Several models in one run: the report's promises, folds, the folder that is written, and the second run."""

import csv
import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from lexiscope.cli import app
from lexiscope.errors import DatasetError, LexiscopeError
from lexiscope.evaluation import comparison as module
from lexiscope.evaluation.comparison import Settings, compare_models
from lexiscope.evaluation.contestants import VectorModel, folds
from lexiscope.evaluation.datasets import open_dataset
from lexiscope.evaluation.encoding import encode
from lexiscope.evaluation.pruning import pruning_curve
from lexiscope.evaluation.report_files import write_report
from lexiscope.evaluation.retrieval import measure
from lexiscope.evaluation.runs import as_runs, read_run, write_run

from .conftest import COLOURS, ColourEncoder, picture_bytes, write_parquet
from .test_dense import DenseColours


@pytest.fixture
def many(tmp_path):
    """Twelve pictures of four colours, two captions each."""
    names = list(COLOURS)
    rows = [
        (
            f"{number}",
            picture_bytes(names[number % 4]),
            [names[number % 4], f"a {names[(number * 3) % 4]} thing"],
        )
        for number in range(12)
    ]
    return write_parquet(tmp_path / "many.parquet", rows)


@pytest.fixture
def models(monkeypatch):
    """Models by name; how often each encoded pictures."""
    calls = {"lexical": 0, "clip:dense": 0}

    def open_encoder(name):
        encoder = ColourEncoder() if name == "lexical" else DenseColours()
        real = encoder.encode_image

        def encode_image(pictures, **options):
            calls[name] += 1
            return real(pictures, **options)

        encoder.encode_image = encode_image
        encoder.fingerprint = f"weights-of-{name}".replace(":", "-")
        return encoder

    monkeypatch.setattr(module, "open_encoder", open_encoder)
    return calls


def test_everything_side_by_side(many, models, tmp_path):
    settings = Settings(hnsw=True, feedback=2, fuse=True, prune=True)
    found = compare_models(open_dataset(many), ["lexical", "clip:dense", "bm25"], settings)
    names = [one.contestant.name for one in found.measured]
    mixed = "lexical + clip:dense"
    assert names == [
        "lexical",
        "lexical, feedback 2",
        "clip:dense",
        "clip:dense, HNSW",
        "clip:dense, feedback 2",
        mixed,
        *(f"{mixed}, feedback 2 {when}" for when in ("before", "after", "both")),
        "bm25",
    ]
    report = found.as_json()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    first = found.measured[0].report
    assert {name: report[name] for name in first} == first  # what DESIGN.md fixes stands at the top
    assert len(report["models"]) == len(names) and len(report["comparisons"]) == len(names) - 1
    dense = report["comparisons"][1]
    assert dense["model"] == "clip:dense" and dense["text_to_image"]["R@1"]["verdict"] == "same"
    assert set(report["pruning"]) == {"lexical"}
    assert report["settings"]["seed"] == 0 and report["versions"]["lexiscope"]
    for one in report["models"]:
        for direction in ("text_to_image", "image_to_text"):
            for rate, value in one[direction].items():
                low, high = one["intervals"][direction][rate]
                assert 0 <= low <= value <= high <= 100


def test_the_folder_and_the_second_run(many, models, tmp_path, monkeypatch):
    out = tmp_path / "out"
    command = [
        "evaluate",
        "retrieval",
        str(many),
        "--model",
        "lexical",
        "--model",
        "clip:dense",
        "--out",
        str(out),
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "gain over lexical" in done.stdout and "same" in done.stdout
    assert models == {"lexical": 1, "clip:dense": 1}
    first = json.loads((out / "report.json").read_text())
    rows = list(csv.DictReader((out / "table.csv").read_text().splitlines()))
    assert [row["model"] for row in rows] == ["lexical", "clip:dense"]
    assert float(rows[0]["t2i R@1"]) == pytest.approx(first["text_to_image"]["R@1"], abs=1e-3)
    assert (out / "table.md").read_text().count("\n|") == 4
    assert (out / "effectiveness.png").read_bytes().startswith(b"\x89PNG")
    again = CliRunner().invoke(app, [*command, "--json"])
    assert models == {"lexical": 1, "clip:dense": 1}  # vectors were kept
    second = json.loads(again.stdout)
    for name in ("text_to_image", "image_to_text", "intervals", "data_fingerprint", "settings", "encode"):
        assert first[name] == second[name]
    (out / "vectors" / next(file.name for file in (out / "vectors").iterdir())).write_bytes(b"damaged")
    assert CliRunner().invoke(app, command).exit_code == 0


def test_without_matplotlib_all_else_is_written(many, models, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    found = compare_models(open_dataset(many), ["lexical"])
    files = write_report(found, tmp_path / "out")
    assert [file.name for file in files] == ["report.json", "table.csv", "table.md"]


def test_without_faiss_the_line_says_what_to_install(many, models, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(LexiscopeError, match=r"pip install 'lexiscope\[dense\]'"):
        compare_models(open_dataset(many), ["clip:dense"], Settings(hnsw=True))


def test_what_cannot_be_measured_is_said(tmp_path, models):
    rows = [(name, picture_bytes(name), [name]) for name in COLOURS]
    file = write_parquet(tmp_path / "single.parquet", rows)
    found = compare_models(open_dataset(file), ["lexical", "bm25"])
    assert found.as_json()["not_measured"][0]["model"] == "bm25"
    with pytest.raises(DatasetError, match=r"no model can be measured here.*it cannot be computed"):
        compare_models(open_dataset(file), ["bm25"])
    done = CliRunner().invoke(
        app, ["evaluate", "retrieval", str(file), "--model", "lexical", "--model", "bm25"]
    )
    assert done.exit_code == 0 and "it cannot be computed" in done.stderr


def test_folds_are_means_of_data_sets_of_their_own(many, tmp_path):
    dataset, encoder = open_dataset(many), ColourEncoder()
    model = VectorModel.of("x", encoder, encode(dataset, encoder))
    found = measure(dataset, model, parts=3)
    alone = []
    for fold in folds(dataset, 3):
        part = dataset.part(fold.pictures)
        assert list(part.sources()) == [list(dataset.sources())[row] for row in fold.pictures]
        alone.append(measure(part, VectorModel.of("x", encoder, encode(part, encoder))).report)
    assert found.report["folds"] == 3
    for direction in ("text_to_image", "image_to_text"):
        for rate in ("R@1", "R@5", "R@10"):
            expected = np.mean([one[direction][rate] for one in alone])
            assert found.report[direction][rate] == pytest.approx(expected)
    with pytest.raises(LexiscopeError, match="leave out --run or --folds"):
        measure(dataset, model, parts=3, run=tmp_path / "run")
    with pytest.raises(DatasetError, match="do not make 13 folds"):
        folds(dataset, 13)


def test_the_pruning_curve_ends_where_nothing_is_cut(colours):
    dataset, encoder = open_dataset(colours), ColourEncoder({"red": {"red": 0.2, "blue": 0.9}})
    model = VectorModel.of("x", encoder, encode(dataset, encoder))
    one, many = pruning_curve(model, folds(dataset, 1)[0], (1, 4))
    whole = measure(dataset, model).report
    assert many["text_to_image"] == whole["text_to_image"]
    assert one["active_dims"]["text"] <= 1 < many["active_dims"]["text"]
    assert many["overlap"] == whole["overlap"]
    dense = VectorModel.of("x", DenseColours(), encode(dataset, DenseColours()))
    assert pruning_curve(dense, folds(dataset, 1)[0]) == []


def test_the_fingerprint_sees_every_change(tmp_path, colours):
    rows = [("r", picture_bytes("red"), ["x"])]
    prints = {open_dataset(colours).fingerprint}
    for number, changed in enumerate(
        [rows, [("s", *rows[0][1:])], [("r", picture_bytes("blue"), ["x"])], [(*rows[0][:2], ["y"])]]
    ):
        prints.add(open_dataset(write_parquet(tmp_path / f"{number}.parquet", changed)).fingerprint)
    assert len(prints) == 5
    same = write_parquet(tmp_path / "other-name.parquet", rows)
    assert open_dataset(same).fingerprint in prints


def test_runs_there_and_back(tmp_path):
    ids = np.array([[2, 0, -1], [1, 2, 0]])
    scores = np.array([[3.0, 3.0, 0.0], [2.5, 1.0, 0.25]], np.float32)
    run = as_runs(ids, scores, ["q 1", "q%2"], ["a b", "c", "d"])
    assert list(run["q 1"]) == ["d", "a b"]
    write_run(tmp_path / "x.trec", run, "ours")
    read = read_run(tmp_path / "x.trec")
    assert read == {name: pytest.approx(one) for name, one in run.items()}
    (tmp_path / "bad.trec").write_text("q Q0 d 1\n")
    with pytest.raises(LexiscopeError, match="line 1 has 4 columns"):
        read_run(tmp_path / "bad.trec")
