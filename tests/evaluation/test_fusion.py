"""Interpolation, feedback around it, HNSW and BM25 over captions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lexiscope.errors import DatasetError, InvalidValue
from lexiscope.evaluation.bm25 import BM25, LaterCaptions, OtherCaptions
from lexiscope.evaluation.contestants import Captions
from lexiscope.evaluation.datasets import open_dataset
from lexiscope.evaluation.fusion import FeedbackIndex, Interpolated, Part, When, interpolate, min_max
from lexiscope.evaluation.hnsw import HnswIndex
from lexiscope.evaluation.vectors import DenseIndex
from lexiscope.feedback import Feedback
from lexiscope.index import InvertedIndex

from .conftest import picture_bytes, write_parquet


def by_hand(first, second, alpha, k):
    """The formula, with dictionaries."""
    lists = []
    for ids, scores in zip(first, second, strict=True):
        total = {}
        for (found, values), weight in ((ids, alpha), (scores, 1 - alpha)):
            kept = {int(i): float(v) for i, v in zip(found, values, strict=True) if i >= 0}
            low, high = min(kept.values(), default=0), max(kept.values(), default=0)
            for name, value in kept.items():
                share = 1.0 if high == low else (value - low) / (high - low)
                total[name] = total.get(name, 0) + weight * share
        lists.append(sorted(total.items(), key=lambda pair: (-round(pair[1], 5), pair[0]))[:k])
    return lists


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(1, 12))
def test_interpolation_by_hand(seed, alpha, k):
    random = np.random.default_rng(seed)

    def lists():
        ids = np.stack([random.permutation(10)[:6] for _ in range(3)])
        scores = -np.sort(-random.random((3, 6)).astype(np.float32), axis=1)
        ids[np.arange(6) >= random.integers(0, 7, 3)[:, None]] = -1
        return ids, np.where(ids >= 0, scores, 0).astype(np.float32)

    first, second = lists(), lists()
    ids, scores = interpolate(first, second, alpha, k)
    paired = list(zip(zip(*first, strict=True), zip(*second, strict=True), strict=True))
    expected = by_hand([one for one, _ in paired], [two for _, two in paired], alpha, k)
    for row, values, wanted in zip(ids, scores, expected, strict=True):
        assert sorted(row[row >= 0].tolist()) == sorted(name for name, _ in wanted) or k < 12
        np.testing.assert_allclose(values[row >= 0], [value for _, value in wanted], atol=1e-4)
    shares = min_max(*first)
    assert (shares >= 0).all() and (shares <= 1).all()


@pytest.fixture
def systems():
    random = np.random.default_rng(5)
    rows = csr_array((random.random((40, 30)) * (random.random((40, 30)) < 0.3)).astype(np.float32))
    asked = csr_array((random.random((6, 30)) * (random.random((6, 30)) < 0.3)).astype(np.float32))
    dense, dense_asked = (
        random.normal(size=(40, 8)).astype(np.float32),
        random.normal(size=(6, 8)).astype(np.float32),
    )
    return Part(asked, InvertedIndex.build(rows), rows), Part(dense_asked, DenseIndex(dense), dense)


@pytest.mark.parametrize("when", [None, *When])
def test_feedback_around_interpolation_step_by_step(systems, when):
    first, second = systems
    feedback = None if when is None else Feedback(3, words=30)
    mixed = Interpolated(first, second, 0.4, feedback, when or When.both)
    found = first.index.search(first.queries, k=40)
    others = second.index.search(second.queries, k=40)
    if feedback is not None:
        chosen = interpolate(found, others, 0.4, 40) if when in ("before", "both") else found
        found = first.index.search(feedback.apply(first.queries, chosen[0], first.documents), k=40)
    expected = found if when == "before" else interpolate(found, others, 0.4, 40)
    ids, scores = mixed.search(np.arange(6), k=10)
    assert ids.tolist() == expected[0][:, :10].tolist()
    np.testing.assert_allclose(scores, expected[1][:, :10], rtol=1e-6)
    assert mixed.search(np.array([4]), k=10)[0].tolist() == ids[[4]].tolist()


def test_feedback_needs_vectors(systems):
    bm25 = Part(np.array(["x"]), BM25(["x"]))
    with pytest.raises(InvalidValue, match="name a model first"):
        _ = Interpolated(bm25, systems[0], feedback=Feedback()).documents


def test_dense_feedback(systems):
    part = systems[1]
    asked = FeedbackIndex(part.index, part.documents, Feedback(2, "average"))
    ids, _ = part.index.search(part.queries, k=2)
    changed = (part.queries + part.documents[ids].sum(axis=1)) / 3
    assert (
        asked.search(part.queries, k=5)[0].tolist()
        == part.index.search(changed.astype(np.float32), k=5)[0].tolist()
    )


def test_hnsw_finds_what_exact_search_finds(tmp_path):
    rows = np.random.default_rng(6).normal(size=(500, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    pytest.importorskip("faiss")
    graph, exact = HnswIndex(rows), DenseIndex(rows)
    ids, scores = graph.search(rows[:50], k=10)
    true, best = exact.search(rows[:50], k=10)
    shared = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(ids, true, strict=True)])
    assert shared > 0.97 and not graph.exact
    np.testing.assert_allclose(scores[:, 0], best[:, 0], atol=1e-5)
    graph.save(tmp_path / "x")
    assert (tmp_path / "x" / "hnsw.faiss").stat().st_size > rows.nbytes


@pytest.fixture
def described(tmp_path):
    rows = [
        ("a", picture_bytes("red"), ["red wall", "crimson wall here"]),
        ("b", picture_bytes("green"), ["green lawn", "green grass lawn"]),
        ("c", picture_bytes("blue"), ["blue sky", "water"]),
    ]
    return open_dataset(write_parquet(tmp_path / "described.parquet", rows))


def test_a_caption_never_finds_itself(described):
    index = OtherCaptions(described)
    ids, _ = index.search(np.arange(6), k=3)
    # "red wall" finds a by "crimson wall here"; "blue sky" has nothing in common with "water".
    assert ids[:, 0].tolist() == [0, 0, 1, 1, -1, -1]
    later, _ = LaterCaptions(described).search(np.arange(3), k=3)
    assert later[:, 0].tolist() == [0, 1, -1]


def test_single_captions_cannot_be_measured(tmp_path):
    rows = [("a", picture_bytes("red"), ["x", "y"]), ("b", picture_bytes("red"), ["z"])]
    with pytest.raises(DatasetError, match="1 of the 2 pictures have one: it cannot be computed"):
        Captions(open_dataset(write_parquet(tmp_path / "x.parquet", rows)))
