import errno

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ir_measures import Success

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation import evaluate_retrieval, open_dataset, runs

from .conftest import ColourEncoder, picture_bytes, write_parquet


def test_both_runs_give_the_figures_of_the_report(tmp_path):
    rows = [
        ("r 1%", picture_bytes("red"), ["red", "red"]),
        ("r2", picture_bytes("red"), ["red", "red green"]),
        ("g", picture_bytes("green"), ["blue", "nothing known"]),
    ]
    dataset = open_dataset(write_parquet(tmp_path / "ties.parquet", rows))
    run = tmp_path / "run.trec"
    report = evaluate_retrieval(dataset, ColourEncoder(), run=run)
    files = {"text_to_image": run, "image_to_text": tmp_path / "run.image-to-text.trec"}
    assert report["runs"] == {name: str(file) for name, file in files.items()}
    assert len(list(tmp_path.iterdir())) == 5  # the data, two runs, two files of judgements
    for name, file in files.items():
        qrels = list(ir_measures.read_trec_qrels(str(file) + ".qrels"))
        found = list(ir_measures.read_trec_run(str(file)))
        values = ir_measures.calc_aggregate([Success @ k for k in (1, 5, 10)], qrels, found)
        ours = {1: report[name]["R@1"], 5: report[name]["R@5"], 10: report[name]["R@10"]}
        assert ours == pytest.approx({k: 100 * values[Success @ k] for k in ours})


def test_lines(tmp_path):
    rows = [("a b", picture_bytes("red"), ["red"]), ("c", picture_bytes("green"), ["red green"])]
    run = tmp_path / "r"
    evaluate_retrieval(open_dataset(write_parquet(tmp_path / "x.parquet", rows)), ColourEncoder(), run=run)
    assert run.read_text().splitlines() == [
        "txt:a%20b#0 Q0 img:a%20b 1 1 lexiscope",
        "txt:c#0 Q0 img:a%20b 1 1 lexiscope",
        "txt:c#0 Q0 img:c 2 0.99999994 lexiscope",
    ]
    assert (tmp_path / "r.qrels").read_text() == "txt:a%20b#0 0 img:a%20b 1\ntxt:c#0 0 img:c 1\n"
    assert (
        tmp_path / "r.image-to-text.qrels"
    ).read_text() == "img:a%20b 0 txt:a%20b#0 1\nimg:c 0 txt:c#0 1\n"


@given(st.lists(st.text(), unique=True))
def test_names_stay_distinct_and_whole(names):
    written = runs.trec_names("img", names)
    assert len(set(written)) == len(names)
    assert all(name.split() == [name] for name in written)


@given(arrays(np.float32, st.integers(0, 30), elements=st.sampled_from(np.float32([0.5, 1, 1.0000001, 2]))))
def test_scores_fall_strictly_and_hardly_move(scores):
    falling = np.sort(scores)[::-1]
    result = runs.strictly_falling(falling)
    assert (np.diff(result) < 0).all()
    np.testing.assert_allclose(result, falling, rtol=1e-5)


def test_an_older_run_stays_until_the_new_one_is_whole(tmp_path):
    file = tmp_path / "run.trec"
    file.write_text("before")
    with pytest.raises(LexiscopeError, match=r"run\.trec: cannot be written \(No space left on device\)"):
        with runs.written(file) as output:
            output.write("half")
            raise OSError(errno.ENOSPC, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["run.trec"]
    assert file.read_text() == "before"


def test_where_no_run_can_be_written_nothing_is_encoded(colours, tmp_path):
    class Refusing(ColourEncoder):
        def encode_image(self, pictures, **options):
            raise AssertionError("it must be known before")

    for run, says in [(tmp_path / "gone" / "run", "no such folder"), (tmp_path, "is a folder")]:
        with pytest.raises(LexiscopeError, match=says):
            evaluate_retrieval(open_dataset(colours), Refusing(), run=run)


def test_no_rights(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(LexiscopeError, match="no permission to write there"):
        runs.check_writable(tmp_path / "run")
