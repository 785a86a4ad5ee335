import io
import json

import numpy as np
import pytest
from rich.console import Console
from scipy.sparse import csr_array

from lexiscope.errors import DatasetError, UnreadableSource
from lexiscope.evaluation import evaluate_retrieval, open_dataset, searching, table
from lexiscope.evaluation.measures import first_ranks
from lexiscope.evaluation.searching import Direction, search
from lexiscope.index import InvertedIndex

from .conftest import ColourEncoder, picture_bytes, write_parquet


def test_a_perfect_model(colours):
    report = evaluate_retrieval(open_dataset(colours), ColourEncoder(), model="colours")
    every = {"R@1": 100.0, "R@5": 100.0, "R@10": 100.0}
    assert report["text_to_image"] == report["image_to_text"] == every
    assert report["mean_recall"] == 100
    assert report["median_rank"] == {"text_to_image": 1, "image_to_text": 1}
    assert (report["dataset"], report["model"]) == ("colours", "colours")
    assert (report["images"], report["captions"]) == (3, 6)
    assert report["active_dims"] == {"image": 1.0, "text": 1.0}
    assert report["vocabulary"] == {"terms": 4, "fingerprint": ColourEncoder().vocabulary.fingerprint}
    assert "runs" not in report
    assert json.loads(json.dumps(report)) == report


def test_by_hand(tmp_path):
    names = ["red", "green", "blue"]
    rows = [(name, picture_bytes(name), [f"{name}?", f"{name}!"]) for name in names]
    weights = {
        "red?": {"red": 1.0},  # first
        "red!": {"green": 2.0, "red": 1.0},  # second
        "green?": {"red": 1.0, "blue": 2.0},  # not found
        "green!": {"green": 3.0, "blue": 3.0},  # a tie with blue, which comes later: first
        "blue?": {"red": 1.0, "blue": 1.0},  # a tie with red, which comes before: second
        "blue!": {},  # an empty vector: not found
    }
    dataset = open_dataset(write_parquet(tmp_path / "hand.parquet", rows))
    report = evaluate_retrieval(dataset, ColourEncoder(weights))
    assert report["text_to_image"] == pytest.approx({"R@1": 200 / 6, "R@5": 400 / 6, "R@10": 400 / 6})
    assert report["median_rank"]["text_to_image"] == 2  # 1, 1, 2, 2 and twice the last of three
    # red: all of weight 1, its own first. green: its own 3 before red!. blue: green! 3, green? 2, its own 1.
    assert report["image_to_text"] == pytest.approx({"R@1": 200 / 3, "R@5": 100, "R@10": 100})
    assert report["median_rank"]["image_to_text"] == 1
    assert report["active_dims"]["text"] == pytest.approx(9 / 6)


def test_ties_go_to_the_first_in_both_directions(tmp_path):
    rows = [(str(n), picture_bytes("red"), ["red"]) for n in range(4)]
    report = evaluate_retrieval(open_dataset(write_parquet(tmp_path / "ties.parquet", rows)), ColourEncoder())
    assert report["text_to_image"] == report["image_to_text"] == {"R@1": 25.0, "R@5": 100.0, "R@10": 100.0}
    assert report["median_rank"] == {"text_to_image": 2.5, "image_to_text": 2.5}


def test_ranks_below_the_depth_are_exact(monkeypatch):
    random = np.random.default_rng(5)
    documents = random.random((300, 12)) * (random.random((300, 12)) < 0.5)
    queries = random.random((40, 12)) * (random.random((40, 12)) < 0.3)
    owners = random.integers(0, 300, size=40)
    index = InvertedIndex.build(csr_array(documents))
    direction = Direction("", csr_array(queries).tocsr(), index, owners, np.arange(300))
    monkeypatch.setattr(searching, "_QUERIES_AT_A_TIME", 7)
    monkeypatch.setattr(searching, "_PLACES_AT_A_TIME", 900)
    calls = []
    found = search(direction, lambda first, ids, scores: calls.append((first, ids.shape, scores.shape)))
    scores = csr_array(queries).astype(np.float32).toarray() @ documents.astype(np.float32).T
    order = np.argsort(-scores, axis=1, kind="stable")
    order[np.take_along_axis(scores, order, axis=1) == 0] = -1
    expected = first_ranks(order, owners, np.arange(300))
    assert (found.ranks > 100).any()
    assert found.ranks.tolist() == expected.tolist()
    assert calls[:2] == [(0, (7, 100), (7, 100)), (7, (7, 100), (7, 100))]
    assert sum(shape[0] for _, shape, _ in calls) == 40


def test_captions_are_queries_one_way_and_documents_the_other(colours):
    class OneSided(ColourEncoder):
        def encode_document(self, texts, **options):
            return self._rows(["grey"] * len(texts))

    report = evaluate_retrieval(open_dataset(colours), OneSided())
    assert report["text_to_image"]["R@1"] == 100
    assert report["image_to_text"]["R@10"] == 0
    assert report["median_rank"]["image_to_text"] == 6


def test_a_damaged_picture_is_named(tmp_path):
    rows = [("fine", picture_bytes("red"), ["x"]), ("broken", picture_bytes("red")[:40], ["y"])]
    file = write_parquet(tmp_path / "damaged.parquet", rows)
    with pytest.raises(UnreadableSource, match=r"damaged\.parquet: picture 'broken': "):
        evaluate_retrieval(open_dataset(file), ColourEncoder())


def test_a_missing_picture_is_named(tmp_path):
    rows = [("a", picture_bytes("red"), ["x"]), ("b", {"bytes": None, "path": "gone.png"}, ["y"])]
    with pytest.raises(DatasetError, match=r"row 1: the picture .*gone\.png is missing"):
        evaluate_retrieval(open_dataset(write_parquet(tmp_path / "x.parquet", rows)), ColourEncoder())


def test_progress_goes_to_standard_error_when_asked(colours, capsys):
    evaluate_retrieval(open_dataset(colours), ColourEncoder())
    assert capsys.readouterr() == ("", "")
    evaluate_retrieval(open_dataset(colours), ColourEncoder(), show_progress_bar=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "pictures" in shown.err and "text to image" in shown.err


def test_the_table(colours):
    report = evaluate_retrieval(open_dataset(colours), ColourEncoder(), model="./mine")
    out = io.StringIO()
    Console(file=out, width=160).print(table(report))
    shown = out.getvalue()
    assert "colours · 3 pictures, 6 captions · ./mine" in shown
    assert "text → image" in shown and "image → text" in shown and "100.0 %" in shown
    assert "mean recall 100.0 % (100.0–100.0) · 1.0 words a picture" in shown
