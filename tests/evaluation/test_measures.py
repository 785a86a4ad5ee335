import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import R, Success

from lexiscope.evaluation.measures import first_ranks, hit_rates, mean_recall, median_rank, members


def test_by_hand():
    # Two pictures with two captions each, and one with one; every picture asks for its captions.
    captions = np.array([0, 0, 1, 1, 2])
    found = np.array(
        [
            [1, 4, 0, -1, -1],  # its second caption is first
            [0, 4, 1, 2, 3],  # its captions are fourth and fifth
            [0, 1, 2, -1, -1],  # its caption is not found
        ]
    )
    pictures = np.arange(3)
    assert hit_rates(found, pictures, captions) == pytest.approx(
        {"R@1": 100 / 3, "R@5": 200 / 3, "R@10": 200 / 3}
    )
    ranks = first_ranks(found, pictures, captions)
    assert ranks.tolist() == [1, 4, 0]
    assert median_rank(ranks, documents=5) == 4
    assert median_rank(np.array([0, 0, 3]), documents=5) == 5
    assert [rows.tolist() for rows in members(pictures, captions)] == [[0, 1], [2, 3], [4]]


def test_a_query_that_finds_nothing_counts_as_a_miss():
    found = np.array([[0], [-1]])
    assert hit_rates(found, np.arange(2), np.arange(2)) == {"R@1": 50.0, "R@5": 50.0, "R@10": 50.0}


def test_mean_recall():
    assert mean_recall([{"R@1": 10.0, "R@5": 30.0}, {"R@1": 20.0, "R@5": 40.0}]) == 25.0


@st.composite
def searches(draw):
    """Groups of captions, and for each picture or caption a ranking of the others, cut anywhere."""
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    owners, pictures = np.repeat(np.arange(len(counts)), counts), np.arange(len(counts))
    groups = (owners, pictures) if draw(st.booleans()) else (pictures, owners)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found = np.stack([random.permutation(len(groups[1])) for _ in groups[0]])
    lengths = random.integers(0, found.shape[1] + 1, size=len(found))
    found[np.arange(found.shape[1]) >= lengths[:, None]] = -1
    return found, *groups


@given(searches())
def test_agrees_with_ranks_and_with_success_of_trec(search):
    found, query_groups, document_groups = search
    rates = hit_rates(found, query_groups, document_groups)
    ranks = first_ranks(found, query_groups, document_groups)
    qrels = [
        ir_measures.Qrel(f"q{query}", f"d{document}", 1)
        for query, group in enumerate(query_groups)
        for document in np.flatnonzero(document_groups == group)
    ]
    run = [
        ir_measures.ScoredDoc(f"q{query}", f"d{document}", float(len(row) - place))
        for query, row in enumerate(found)
        for place, document in enumerate(row)
        if document >= 0
    ]
    for cutoff in (1, 5, 10):
        by_ranks = 100 * np.mean((ranks > 0) & (ranks <= cutoff))
        by_trec = 100 * ir_measures.calc_aggregate([Success @ cutoff], qrels, run)[Success @ cutoff]
        assert rates[f"R@{cutoff}"] == pytest.approx(by_ranks) == pytest.approx(by_trec)


def test_the_trap_recall_of_trec_is_another_measure():
    captions = np.zeros(5, dtype=np.int64)
    found = np.arange(5)[None, :]
    qrels, run = {"0": {str(n): 1 for n in range(5)}}, {"0": {str(n): -float(n) for n in range(5)}}
    assert hit_rates(found, np.zeros(1, dtype=np.int64), captions)["R@1"] == 100
    assert ir_measures.calc_aggregate([R @ 1], qrels, run)[R @ 1] == pytest.approx(0.2)
