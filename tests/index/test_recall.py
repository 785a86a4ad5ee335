"""Search by asked recall, weights as bytes, and efforts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lexiscope.errors import InvalidValue
from lexiscope.index import Collection, InvertedIndex, arrays, calibration
from lexiscope.index.brute_force import search_brute_force
from lexiscope.index.effort import EXACT, Effort, cheapest
from lexiscope.index.packing import given_rows
from lexiscope.index.questions import Questions
from lexiscope.index.vectors import check_rows

TERMS = 2_000


def topical(n: int, seed: int, least: int = 20, most: int = 60) -> csr_array:
    """Rows about one of fifty subjects, whose words are mostly the subject's own, weights log-normal."""
    chance = np.random.default_rng(seed)
    subjects = np.random.default_rng(7).permuted(np.tile(np.arange(TERMS), (50, 1)), axis=1)[:, :150]
    indices, data, pointers = [], [], [0]
    for _ in range(n):
        size = int(chance.integers(least, most))
        own = subjects[chance.integers(50), chance.integers(0, 150, size)]
        words = np.unique(np.where(chance.random(size) < 0.8, own, chance.integers(0, TERMS, size)))
        indices.append(words)
        data.append(chance.lognormal(0, 0.7, len(words)))
        pointers.append(pointers[-1] + len(words))
    values = np.concatenate(data).astype(np.float32)
    return csr_array((values, np.concatenate(indices), pointers), shape=(n, TERMS))


@pytest.fixture(scope="module")
def collection_of_rows() -> csr_array:
    return topical(12_000, seed=0)


@pytest.fixture(scope="module")
def index(collection_of_rows: csr_array) -> InvertedIndex:
    return InvertedIndex.build(collection_of_rows)


def recall_of(index: InvertedIndex, queries: csr_array, k: int, asked: float) -> float:
    """The share of the true best that is found; a score as good as theirs is a hit."""
    true, found = index.search(queries, k)[1], index.search(queries, k, recall=asked)[1]
    return float((found >= true[:, -1:] * (1 - 1e-6)).mean())


def test_a_cut_off_asks_more_of_a_frequent_term_than_of_a_rare_one() -> None:
    """Of two products of one size that of the rarer term is read."""
    n, rare, frequent = 4_000, np.arange(0, 4), np.arange(1, 4_000, 2)
    terms = np.repeat([0, 1], [len(rare), len(frequent)])
    rows = csr_array((np.ones(len(terms)), (np.concatenate([rare, frequent]), terms)), shape=(n, 2))
    index, query = InvertedIndex.build(rows), csr_array(np.ones((1, 2)))
    # Each makes half of the greatest products.
    least, most = (0.5 / (100 * len(rows_with) / n) ** 0.25 for rows_with in (frequent, rare))
    assert least < 0.5 * most
    for cutoff, hits in ((0.99 * least, 100), (1.01 * least, 4), (0.99 * most, 4)):
        ids, _ = index.search(query, 100, effort=Effort(cutoff, 2))
        assert np.count_nonzero(ids[0] >= 0) == hits and set(rare) <= set(ids[0])


@pytest.mark.parametrize("asked", [0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize(("least", "most"), [(3, 8), (20, 60), (80, 140)])
@pytest.mark.parametrize("k", [1, 3, 10, 50])
def test_an_asked_recall_holds_on_questions_it_was_not_measured_on(
    index: InvertedIndex, asked: float, least: int, most: int, k: int
) -> None:
    assert recall_of(index, topical(150, seed=least, least=least, most=most), k, asked) >= asked - 0.01


def test_more_effort_finds_more_and_costs_more(index: InvertedIndex) -> None:
    questions = check_rows(topical(30, seed=5))
    group = calibration._Group(index.parts[0].segment, Questions(questions, 0, np.empty(0, np.int64)), 10)
    tried = [group.try_(effort) for effort in (Effort(0.03, 0.0), Effort(0.01, 0.0), EXACT)]
    recalls = tuple(one.found.sum() / group.wanted.sum() for one in tried)
    costs = tuple(one.costs.mean() for one in tried)
    assert recalls == tuple(sorted(recalls)) and recalls[0] < recalls[2] == 1.0
    assert costs == tuple(sorted(costs)) and costs[0] < costs[2]


def test_a_first_cut_off_is_kept_for_easy_questions_alone(index: InvertedIndex) -> None:
    queries, greater, less = topical(60, seed=11), Effort(0.05, 1), Effort(0.002, 1)

    def scores(first: float, enough: float) -> np.ndarray:
        return index.search(queries, 10, effort=less._replace(first=first, enough=enough))[1]

    one, other = (index.search(queries, 10, effort=effort)[1] for effort in (greater, less))
    assert (one != other).any(axis=1).sum() > 30
    np.testing.assert_array_equal(scores(0.0, 9.0), other)
    np.testing.assert_array_equal(scores(0.05, 0.0), one)
    np.testing.assert_array_equal(scores(0.05, 1.01), other)
    kept = [(scores(0.05, enough) == one).all(axis=1) for enough in (0.05, 0.1, 0.2, 0.4)]
    for some, fewer in pairwise(kept):
        assert (some >= fewer).all()
    assert kept[0].sum() > kept[-1].sum()
    for enough, easy in zip((0.05, 0.1, 0.2, 0.4), kept, strict=True):
        np.testing.assert_array_equal(scores(0.05, enough), np.where(easy[:, None], one, other))


def test_given_questions_are_measured_on(collection_of_rows: csr_array) -> None:
    given = topical(80, seed=3)
    index = InvertedIndex.build(collection_of_rows, queries=given)
    assert recall_of(index, given, 10, 0.9) >= 0.9
    with pytest.raises(InvalidValue, match="row 0"):
        InvertedIndex.build(collection_of_rows, queries=-given[:1])


def test_efforts_are_stored_and_chosen(index: InvertedIndex, tmp_path) -> None:
    index.save(tmp_path / "x")
    saved = InvertedIndex.load(tmp_path / "x").parts[0].segment.effort_table
    np.testing.assert_array_equal(saved, index.parts[0].segment.effort_table)
    entries = [
        *[
            (0.9, 10, 50, 0.01, 0.1, 0.02, 0.3),
            (0.95, 10, 50, 0.005, 0.2, 0, 0),
            (1.0, 10, 50, 0.001, 1.0, 0, 0),
        ],
        (0.9, 10, np.inf, 0.002, 0.3, 0, 0),
    ]
    some = np.array(entries, np.float32).ravel()

    def chosen(recall: float | None, k: int, *terms: int) -> list[Effort]:
        return [
            Effort(*(round(value, 6) for value in effort))
            for effort in cheapest(some, recall, k, np.array(terms))
        ]

    assert chosen(0.8, 10, 15, 50, 51) == [Effort(0.01, 0.1, 0.02, 0.3)] * 2 + [Effort(0.002, 0.3)]
    assert chosen(0.95, 3, 20) == [Effort(0.005, 0.2)]
    assert chosen(0.96, 10, 20, 900) == [Effort(0.001, 1.0), EXACT]
    assert chosen(None, 2, 20) == [Effort(0.001, 1.0)]
    assert chosen(0.9, 11, 20) == chosen(0.9, 1, 20) == chosen(0.9, 101, 20) == chosen(0.9, 10, 2) == [EXACT]


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 1), st.integers(1, 30), st.integers(0, 10**6))
@example(1.0, 1, 0)  # no term is read
def test_any_cutoff_is_exact_where_an_exact_answer_is_asked(cutoff: float, k: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    n = int(chance.integers(1, 300))
    rows, queries = topical(n, seed, 1, 30), topical(4, seed + 1, 1, 40)
    found = InvertedIndex.build(rows).search(queries, k, effort=Effort(cutoff, np.inf))
    for one, other in zip(found, search_brute_force(rows, queries, k), strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 0.1), st.floats(0, 20), st.integers(0, 10**6))
def test_approximate_hits_have_their_exact_scores(cutoff: float, most: float, seed: int) -> None:
    rows, queries = topical(200, seed, 1, 30), topical(3, seed + 1, 1, 40)
    ids, scores = InvertedIndex.build(rows).search(queries, 5, effort=Effort(cutoff, most))
    every, exact = search_brute_force(rows, queries, 200)
    for query in range(3):
        known = dict(zip(every[query].tolist(), exact[query].tolist(), strict=True))
        hits = ids[query][ids[query] >= 0].tolist()
        assert len(set(hits)) == len(hits)
        assert [known[id] for id in hits] == scores[query][: len(hits)].tolist()
        assert sorted(scores[query].tolist(), reverse=True) == scores[query].tolist()


def test_filters_and_deletions_with_an_asked_recall(index: InvertedIndex, collection_of_rows) -> None:
    queries = topical(40, seed=9)
    only = np.arange(0, 12_000, 3)
    found, scores = index.search(queries, 10, recall=0.9, only=only)
    assert np.isin(found[found >= 0], only).all()
    true = index.search(queries, 10, only=only)[1]
    assert (scores >= true[:, -1:] * (1 - 1e-6)).mean() >= 0.89
    fewer = InvertedIndex([part.without(only) for part in index.parts], TERMS)
    assert not np.isin(fewer.search(queries, 10, recall=0.9)[0], only).any()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(1e-6, 1e4), max_size=8), min_size=1, max_size=10))
def test_bytes_keep_every_word_and_round_to_half_a_unit(weights: list[list[float]]) -> None:
    pointers = np.cumsum([0, *map(len, weights)])
    terms = np.concatenate([np.arange(len(row)) for row in weights]).astype(np.int32)
    values = np.array([value for row in weights for value in row], np.float32)
    rows = check_rows(csr_array((values, terms, pointers), shape=(len(weights), 8)))
    given = given_rows(rows, rounded=True)
    unit = np.repeat(given.scales, np.diff(rows.pointers))
    codes, again = given.weights, unit * given.weights
    assert (codes > 0).all()
    rounded = np.abs(again - rows.weights) <= unit * 0.501
    assert (rounded | ((codes == 1) & (rows.weights < unit))).all()
    twice = check_rows(csr_array((again, rows.terms, rows.pointers), shape=(len(weights), 8)))
    second = given_rows(twice, rounded=True)
    np.testing.assert_array_equal(second.weights, codes)  # rounding once more changes nothing


def test_an_index_of_bytes_is_what_it_says(tmp_path) -> None:
    rows, queries = topical(500, seed=1), topical(20, seed=2)
    index = InvertedIndex.build(rows, weights="uint8")
    stored = index.rows(np.arange(500))
    assert abs(stored - rows).max() <= rows.max() / 255
    for one, other in zip(index.search(queries), search_brute_force(stored, queries), strict=True):
        np.testing.assert_array_equal(one, other)
    index.save(tmp_path / "x")
    loaded = InvertedIndex.load(tmp_path / "x")
    np.testing.assert_array_equal(loaded.search(queries)[1], index.search(queries)[1])
    with pytest.raises(InvalidValue, match="uint8"):
        InvertedIndex.build(rows, weights="uint4")


def test_a_collection_of_bytes_stays_one_when_merged(tmp_path, helpers, monkeypatch) -> None:
    monkeypatch.setattr("lexiscope.index.tiers.FANOUT", 2)
    with Collection.create(
        tmp_path / "x", vocabulary_size=helpers.COLUMNS, fingerprint="", model={}, weights="uint8"
    ) as made:
        for name in "abc":
            helpers.add(made, name)
        assert [part.segment.weights for part in made.index.parts] == ["uint8"] * len(made.index.parts)
        assert len(made) == 15
        assert made.verify() == []


def test_a_wide_vocabulary() -> None:
    rows = csr_array(([3.0, 2.0], ([0, 2], [99_999, 70_000])), shape=(3, 100_000), dtype=np.float32)
    index = InvertedIndex.build(rows)
    assert index.search(rows, 2)[0].tolist() == [[0, -1], [-1, -1], [2, -1]]
    assert (index.rows([0, 1, 2]) != rows).nnz == 0


def test_rows_in_several_windows_with_an_asked_recall() -> None:
    n = 2 * arrays.WINDOW + 300
    chance = np.random.default_rng(0)
    terms = np.sort(chance.integers(0, 200, (n, 3)), axis=1)
    values = chance.lognormal(size=3 * n).astype(np.float32)
    rows = csr_array((values, terms.ravel(), np.arange(0, 3 * n + 1, 3)), shape=(n, 200))
    rows.sum_duplicates()
    index = InvertedIndex.build(rows)
    queries = rows[[5, arrays.WINDOW + 5, 2 * arrays.WINDOW + 5]]
    assert index.search(queries, 5)[1][:, 0] == pytest.approx(
        np.asarray((rows @ queries.T).max(axis=0).todense()).ravel(), rel=1e-5
    )
    assert recall_of(index, queries, 10, 0.9) >= 0.8


def test_rows_that_are_mostly_empty() -> None:
    """Questions are made of rows drawn by chance; one of nothing is no question."""
    rows = csr_array(([1.0, 2.0], ([3, 9_000], [0, 1])), shape=(calibration.FEWEST_ROWS, 2))
    ids, _ = InvertedIndex.build(rows).search(csr_array(np.eye(2)), 1, recall=0.9)
    assert ids.ravel().tolist() == [3, 9_000]
