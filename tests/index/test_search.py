"""Exact search against its brute-force twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array

from lexiscope.errors import InvalidValue, LexiscopeError, UnknownDocument, VocabularyMismatch
from lexiscope.index import InvertedIndex, arrays, cores, executor
from lexiscope.index.arrays import as_queries, no_hits
from lexiscope.index.brute_force import search_brute_force
from lexiscope.index.effort import EXACT
from lexiscope.index.native import lend
from lexiscope.index.segment import LiveSegment, build_segment
from lexiscope.index.vectors import check_rows

SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
COLUMNS = 9


def weights() -> st.SearchStrategy[float]:
    return st.one_of(st.sampled_from([1.0, 2.0, 0.0]), st.floats(1e-6, 1e4))


@st.composite
def sparse_rows(draw: st.DrawFn, most: int = 30) -> csr_array:
    """Rows of few terms, so that ties are frequent; entries out of order and twice; some rows empty."""
    n = draw(st.integers(1, most))
    entries = draw(
        st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, COLUMNS - 1), weights()), max_size=4 * n)
    )
    places = [row for row, _, _ in entries]
    order = np.argsort(places, kind="stable")
    data = np.array([weight for _, _, weight in entries], np.float32)[order]
    terms = np.array([term for _, term, _ in entries], np.int32)[order]
    pointers = (
        np.concatenate([[0], np.cumsum(np.bincount(places, minlength=n))]) if entries else np.zeros(n + 1)
    )
    return csr_array((data, terms, pointers.astype(np.int32)), shape=(n, COLUMNS))


def same(found: tuple[np.ndarray, np.ndarray], wanted: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_array_equal(found[1], wanted[1])
    assert found[0].dtype == np.int64 and found[1].dtype == np.float32


@SETTINGS
@given(sparse_rows(), sparse_rows(5), st.integers(1, 40), st.data())
def test_search_equals_the_twin(rows: csr_array, queries: csr_array, k: int, data: st.DataObject) -> None:
    n = rows.shape[0]
    ids = np.array(data.draw(st.lists(st.integers(0, 2**40), min_size=n, max_size=n, unique=True)))
    before = rows.copy(), queries.copy()
    index = InvertedIndex.build(rows, ids=ids)
    same(index.search(queries, k), search_brute_force(rows, queries, k, ids=ids))
    only = np.array(data.draw(st.lists(st.sampled_from([*ids.tolist(), 3, 2**41]), max_size=2 * n)), np.int64)
    wanted = search_brute_force(rows, queries, k, ids=ids, only=only)
    same(index.search(queries, k, only=only), wanted)
    same(index.search(queries, k, only=index.select(only)), wanted)
    for now, then in zip((rows, queries), before, strict=True):  # nothing that was passed in has changed
        np.testing.assert_array_equal(now.data, then.data)
        np.testing.assert_array_equal(now.indices, then.indices)


@SETTINGS
@given(sparse_rows(60), sparse_rows(3), st.integers(1, 70), st.integers(1, 5), st.data())
def test_segments_with_delete_marks_equal_the_twin(
    rows: csr_array, queries: csr_array, k: int, parts: int, data: st.DataObject
) -> None:
    n = rows.shape[0]
    ids = np.arange(n) * 3
    dead = np.array(data.draw(st.lists(st.sampled_from(ids.tolist()), max_size=n)), np.int64)
    live = np.flatnonzero(~np.isin(ids, dead))
    checked = check_rows(rows)
    segments = [
        LiveSegment(build_segment(ids[part], checked.take(part)), np.empty(0, np.int32)).without(dead)
        for part in (np.arange(n)[start::parts] for start in range(parts))
    ]
    index = InvertedIndex(segments, COLUMNS)
    assert len(index) == len(live)
    assert index.ids.tolist() == ids[live].tolist()
    wanted = search_brute_force(checked.take(live).to_csr(), queries, k, ids=ids[live])
    same(index.search(queries, k), wanted)
    same(index.search(queries, k, only=ids), wanted)
    np.testing.assert_array_equal(index.rows(ids[live]).toarray(), rows.toarray()[live])


@SETTINGS
@given(sparse_rows(), sparse_rows(3), st.lists(st.integers(0, 29), min_size=1, unique=True))
def test_both_kernels_give_the_same_bits(rows: csr_array, queries: csr_array, chosen: list[int]) -> None:
    segment = build_segment(np.arange(rows.shape[0]), check_rows(rows))
    asked = check_rows(queries)
    some = np.array(sorted(row for row in chosen if row < len(segment)), np.int32)
    query = as_queries(asked)
    part = LiveSegment(segment, np.setdiff1d(np.arange(len(segment)), some).astype(np.int32))
    efforts = arrays.Efforts(*(np.full(len(asked), value) for value in EXACT))
    by_term = executor.plan(part, None)
    one = no_hits(len(asked), 7) if by_term is None else executor.search(by_term, query, 7, efforts)
    by_row = executor.Plan(segment, lend(some.astype(np.int64)), lend(part.allowed))
    same(one, executor.search(by_row, query, 7, efforts))


def test_more_rows_than_a_window(helpers) -> None:
    n = 2 * arrays.WINDOW + 77
    rng = np.random.default_rng(5)
    terms = np.sort(rng.choice(30, (n, 2)), axis=1).ravel()
    values = rng.choice(np.array([0.5, 1.0, 1.5], np.float32), 2 * n)
    rows = csr_array((values, terms, np.arange(0, 2 * n + 1, 2)), shape=(n, 30))
    queries = helpers.rows(3, columns=30)
    same(InvertedIndex.build(rows).search(queries, 20), search_brute_force(rows, queries, 20))


def test_all_ties_go_by_id() -> None:
    rows = csr_array(np.ones((100, 2), np.float32))
    ids, scores = InvertedIndex.build(rows, ids=np.arange(100)[::-1]).search(rows[:1], 10)
    assert ids.tolist() == [list(range(10))]
    assert scores.tolist() == [[2.0] * 10]


def test_one_term_and_the_last_term() -> None:
    rows = csr_array(([3.0, 2.0], ([0, 2], [2**31 - 2, 2**31 - 2])), shape=(3, 2**31 - 1), dtype=np.float32)
    checked = check_rows(rows)  # as wide as a vocabulary can be, without a column pointer for each
    assert checked.terms.tolist() == [2**31 - 2] * 2
    narrow = csr_array(([3.0, 2.0], ([0, 2], [29999, 29999])), shape=(3, 30000), dtype=np.float32)
    assert InvertedIndex.build(narrow).search(narrow[2:])[0][0, :3].tolist() == [0, 2, -1]


def test_many_queries_over_threads_equal_one_by_one(helpers, monkeypatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert cores.cores() == 3
    rows, queries = helpers.rows(300), helpers.rows(5 * executor.QUERIES_A_TASK + 3, seed=1)
    index = InvertedIndex.build(rows)
    ids, scores = index.search(queries, 4)
    for number in range(queries.shape[0]):
        alone = index.search(queries[[number]], 4)
        same(alone, (ids[[number]], scores[[number]]))


def test_nothing_to_find(helpers) -> None:
    empty = csr_array((0, helpers.COLUMNS), dtype=np.float32)
    index = InvertedIndex.build(helpers.rows(5))
    assert index.search(empty, 3)[0].shape == (0, 3)
    assert index.search(csr_array((2, helpers.COLUMNS)), 3)[0].tolist() == [[-1] * 3] * 2
    assert InvertedIndex.build(empty).search(helpers.rows(2), 3)[1].tolist() == [[0.0] * 3] * 2
    assert InvertedIndex([], helpers.COLUMNS).search(helpers.rows(2), 3)[0].tolist() == [[-1] * 3] * 2
    assert InvertedIndex([], helpers.COLUMNS).rows([]).shape == (0, helpers.COLUMNS)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr"])
def test_any_sparse_format_and_number_type(helpers, form: str) -> None:
    rows = csr_array(np.eye(4, 3, dtype=np.float64) * 2)
    for given_rows in (rows.asformat(form), rows.astype(np.int64).asformat(form)):
        index = InvertedIndex.build(given_rows)
        assert index.search(given_rows.asformat("csr")[[1]], 1)[1].tolist() == [[4.0]]
    assert InvertedIndex.build(rows).search(coo_array(np.array([0.0, 1.0, 0.0])), 1)[0].tolist() == [[1]]


def test_duplicates_are_summed_and_zeros_dropped() -> None:
    rows = csr_array(
        (np.array([1, 2, 0, 4], np.float32), np.array([1, 1, 0, 0]), np.array([0, 2, 4])), shape=(2, 2)
    )
    index = InvertedIndex.build(rows)
    assert index.nnz == 2
    assert index.rows([0, 1]).toarray().tolist() == [[0, 3], [4, 0]]


def test_an_index_keeps_nothing_of_the_callers_memory() -> None:
    rows = csr_array(np.ones((2, 2), np.float32))
    index = InvertedIndex.build(rows)
    rows.data[:] = np.nan
    assert index.rows([1]).toarray().tolist() == [[1, 1]]


def test_rows_come_in_the_order_asked(helpers) -> None:
    rows = helpers.rows(6)
    index = InvertedIndex.build(rows, ids=np.arange(6) + 10)
    asked = [14, 10, 14]
    np.testing.assert_array_equal(index.rows(asked).toarray(), rows.toarray()[[4, 0, 4]])
    with pytest.raises(UnknownDocument, match="no document has the id 9"):
        index.rows([14, 9])
    with pytest.raises(KeyError):
        index.rows([-1])


@pytest.mark.parametrize(
    ("value", "what"),
    [(np.nan, "NaN"), (-1.0, "negative"), (np.inf, "infinite"), (-np.inf, "infinite"), (1e39, "infinite")],
)
def test_wrong_weights_are_refused_with_their_row(value: float, what: str) -> None:
    rows = csr_array(np.array([[1.0, 0, 0], [0, 0, 0], [0, 2.0, value]]))
    for refuse in (InvertedIndex.build, InvertedIndex.build(csr_array(np.eye(3))).search):
        with pytest.raises(InvalidValue, match=f"row 2 .*{what}"):
            refuse(rows)


def test_wrong_input_is_refused(helpers) -> None:
    index = InvertedIndex.build(helpers.rows(5))
    query = helpers.rows(1)
    with pytest.raises(VocabularyMismatch, match="has 40 terms"):
        index.search(helpers.rows(1, columns=41))
    with pytest.raises(InvalidValue, match="not ndarray"):
        index.search(query.toarray())
    with pytest.raises(InvalidValue, match="not complex"):
        InvertedIndex.build(query.astype(np.complex64))
    outside = csr_array((np.ones(1, np.float32), np.array([1]), np.array([0, 1])), shape=(1, 2))
    outside.indices[0] = 7
    with pytest.raises(InvalidValue, match="row 0 has a term outside"):
        InvertedIndex.build(outside)
    broken = helpers.rows(3)
    broken.indptr[1] = 100
    with pytest.raises(InvalidValue, match="indptr"):
        InvertedIndex.build(broken)
    with pytest.raises(InvalidValue, match="another state"):
        index.search(query, only=InvertedIndex.build(query).select([0]))


@pytest.mark.parametrize("ids", [[0, 0], [-1, 2], [1], [[0, 1]], [0.5, 1.0]])
def test_wrong_ids_are_refused(helpers, ids: list[float]) -> None:
    with pytest.raises(InvalidValue):
        InvertedIndex.build(helpers.rows(2), ids=ids)


@pytest.mark.parametrize("k", [0, -1, 1.5, "3", None])
def test_wrong_k_is_refused(helpers, k: object) -> None:
    with pytest.raises(InvalidValue, match="k is"):
        InvertedIndex.build(helpers.rows(2)).search(helpers.rows(1), k)


@pytest.mark.parametrize("recall", [0, -0.1, 1.01, float("nan"), "high", True])
def test_wrong_recall_is_refused(helpers, recall: object) -> None:
    with pytest.raises(ValueError, match="recall is"):
        InvertedIndex.build(helpers.rows(2)).search(helpers.rows(1), recall=recall)


def test_every_recall_is_served_exactly(helpers) -> None:
    index, queries = InvertedIndex.build(helpers.rows(50)), helpers.rows(3, seed=2)
    for recall in (1e-9, 0.5, 1, np.float32(0.95)):
        same(index.search(queries, recall=recall), index.search(queries))


def test_scores_are_those_of_double_precision(helpers) -> None:
    rows, queries = helpers.rows(200), helpers.rows(10, seed=3)
    rows.data *= np.float32(1e4)
    ids, scores = InvertedIndex.build(rows).search(queries)
    exact = (queries.astype(np.float64) @ rows.astype(np.float64).T).toarray()
    np.testing.assert_allclose(scores, np.take_along_axis(exact, ids, axis=1), rtol=1e-6)


def test_errors_are_one_line(helpers) -> None:
    with pytest.raises(LexiscopeError) as caught:
        InvertedIndex.build(helpers.rows(2)).rows([5])
    assert "\n" not in str(caught.value) and not str(caught.value).startswith("'")


def test_a_searcher_answers_as_search_does(helpers) -> None:
    rows, queries = helpers.rows(200), helpers.rows(6, seed=3)
    queries.sort_indices()
    index = InvertedIndex.build(rows)
    search, filtered = index.searcher(4, recall=0.9), index.searcher(4, only=[1, 2, 3])
    for number, (begin, end) in enumerate(zip(queries.indptr, queries.indptr[1:], strict=False)):
        ids, scores = search(queries.indices[begin:end], queries.data[begin:end])
        same((ids[None], scores[None]), index.search(queries[[number]], 4))
        ids, scores = filtered(queries.indices[begin:end], queries.data[begin:end])
        same((ids[None], scores[None]), index.search(queries[[number]], 4, only=[1, 2, 3]))
    for terms in ([2, 1], [1, 1], [-1, 2], [1, helpers.COLUMNS], [1]):
        with pytest.raises(InvalidValue, match="ascend"):
            search(np.array(terms), np.ones(2))
    for weight in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InvalidValue, match="above zero"):
            search(np.array([1, 2]), np.array([1.0, weight]))
    assert search(np.empty(0, np.int32), np.empty(0))[0].tolist() == [-1] * 4
