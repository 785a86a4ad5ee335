"""Rows and postings as they are packed, against what was put in."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lexiscope.index import InvertedIndex
from lexiscope.index.arrays import WINDOW
from lexiscope.index.bucket_kernels import FAR, GAPS
from lexiscope.index.packing import given_rows
from lexiscope.index.pieces import pieced
from lexiscope.index.postings import rows_of
from lexiscope.index.segment import Segment, Weights, build_segment
from lexiscope.index.vectors import check_rows

COLUMNS = 70_000  # more terms than two bytes count


def segment_of(rows: csr_array, weights: Weights = "float32") -> Segment:
    return build_segment(np.arange(rows.shape[0]), check_rows(rows), weights)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 2_000), min_size=1, max_size=6), st.integers(1, COLUMNS), st.integers(0, 10**6)
)
def test_rows_come_back_as_they_went_in(lengths: list[int], among: int, seed: int) -> None:
    """Every term occurs, so that the gaps between ranks are of one byte, of twelve bits and of more."""
    chance = np.random.default_rng(seed)
    some = [np.sort(chance.choice(among, min(length, among), replace=False)) for length in lengths]
    terms = np.concatenate([*some, np.arange(COLUMNS)])
    pointers = np.cumsum([0, *map(len, some), COLUMNS])
    values = chance.lognormal(0, 3, len(terms)).astype(np.float32)
    rows = csr_array((values, terms, pointers), shape=(len(lengths) + 1, COLUMNS))
    taken = segment_of(rows).take(np.arange(len(lengths) + 1))
    np.testing.assert_array_equal(taken.pointers, pointers)
    np.testing.assert_array_equal(taken.terms, terms)
    np.testing.assert_array_equal(taken.weights, values)
    rounded = given_rows(check_rows(rows), rounded=True)
    taken = segment_of(rows, "uint8").take(np.arange(len(lengths) + 1)[::-1])
    units = np.repeat(rounded.scales, np.diff(pointers)) * rounded.weights
    wanted = csr_array((units, terms, pointers), shape=rows.shape)[::-1]
    assert (taken.to_csr() != wanted).nnz == 0 and len(taken.terms) == len(terms)


def patterns() -> dict[str, np.ndarray]:
    """Rows that have a term: few, many, close together, and as far apart as a gap just is or is not."""
    n, chance = 2 * WINDOW + 500, np.random.default_rng(3)
    return {
        "none": np.empty(0, np.int64),
        "one": np.array([n - 1]),
        "all": np.arange(n),
        "few": np.sort(chance.choice(n, GAPS - 1, replace=False)),
        "spread": np.sort(chance.choice(n, 20 * GAPS, replace=False)),
        "close": np.arange(1000, 1000 + GAPS),
        "nearly far": np.concatenate([np.arange(GAPS), np.arange(GAPS, WINDOW, FAR - 1)]),
        "far": np.concatenate([np.arange(GAPS), np.arange(GAPS, WINDOW, FAR)]),
        "farther": np.concatenate([np.arange(GAPS), np.arange(GAPS, WINDOW, FAR + 1)]),
        "twice as far": np.concatenate([np.arange(GAPS), np.arange(GAPS, WINDOW, 2 * FAR)]),
        "the ends": np.concatenate([np.arange(GAPS), np.arange(n - GAPS, n)]),
    }


@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_postings_come_back_as_they_went_in(levels: int) -> None:
    n, chance = 2 * WINDOW + 500, np.random.default_rng(levels)
    holders = list(patterns().values())
    terms = np.repeat(np.arange(len(holders)), [len(one) for one in holders])
    values = chance.integers(1, levels + 1, len(terms)).astype(np.float32)
    rows = csr_array((values, (np.concatenate(holders), terms)), shape=(n, len(holders)))
    segment = segment_of(rows)
    for term, wanted in enumerate(holders):
        np.testing.assert_array_equal(np.sort(segment.rows_with(term)), wanted)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([1, 2, FAR - 1, FAR, FAR + 1, 2 * FAR, 3000]), min_size=1),
    st.integers(0, 2 * FAR),
)
def test_gaps_of_any_width_come_back(gaps: list[int], first: int) -> None:
    holders = first + np.cumsum([0, *[1] * GAPS, *gaps])
    n = int(holders[-1]) + 1
    rows = csr_array((np.ones(len(holders)), (holders, np.zeros(len(holders), int))), shape=(n, 1))
    np.testing.assert_array_equal(np.sort(segment_of(rows).rows_with(0)), holders)


def test_what_stands_for_a_wide_gap_is_no_hit() -> None:
    """FAR adds nothing to the row where it leads, which may have the term with more weight."""
    chance, n, columns = np.random.default_rng(5), WINDOW + 3000, 12
    dense = np.zeros((n, columns), np.float32)
    for term in range(columns):
        holders = chance.choice(n, GAPS + 20 * term, replace=False)
        dense[holders, term] = chance.integers(1, 4, len(holders))
    index, queries = (
        InvertedIndex.build(csr_array(dense)),
        chance.integers(1, 5, (20, columns)).astype(np.float32),
    )
    wanted = queries @ dense.T
    ids, scores = index.search(csr_array(queries), 30)
    np.testing.assert_array_equal(scores, np.take_along_axis(wanted, ids, axis=1))
    np.testing.assert_array_equal(scores, -np.sort(-wanted, axis=1)[:, :30])
    found, _ = index.search(csr_array(np.eye(columns, dtype=np.float32)), 2 * GAPS + 20 * columns)
    for term in range(columns):
        np.testing.assert_array_equal(np.sort(found[term][found[term] >= 0]), np.flatnonzero(dense[:, term]))


@pytest.mark.parametrize("size", [GAPS - 1, 4 * GAPS])
def test_a_bucket_that_is_cut_off_is_not_read(size: int) -> None:
    """An altered file gives wrong numbers, never a wild access."""
    postings = segment_of(csr_array(np.ones((size, 1), np.float32))).postings
    assert len(rows_of(postings, 0, size)) == size
    for length in range(0, len(postings.codes), 97):
        assert len(rows_of(postings._replace(codes=postings.codes[:length]), 0, size)) == 0


@pytest.mark.parametrize("recall", [None, 0.9])
def test_the_best_row_where_a_wide_gap_of_a_lighter_bucket_leads(recall: float | None) -> None:
    """Its sum is as great as a sum can be; whatever were added would make it small."""
    n = WINDOW
    light = np.concatenate([np.arange(GAPS), np.arange(GAPS - 1 + 2 * FAR, n, 2 * FAR)])
    heavy = np.arange(GAPS - 1 + FAR, n, 2 * FAR)
    terms = np.zeros(len(light) + len(heavy), int)
    weights = np.repeat(np.float32([1, 9]), [len(light), len(heavy)])
    index = InvertedIndex.build(csr_array((weights, (np.concatenate([light, heavy]), terms)), shape=(n, 1)))
    ids, scores = index.search(csr_array([[1.0]]), 5, recall=recall)
    np.testing.assert_array_equal(ids[0], heavy[:5])
    assert (scores == 9).all()


def test_a_piece_that_comes_late_is_put_where_it_belongs(monkeypatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    second_is_made = Event()

    def make(number: int) -> np.ndarray:
        if number == 0:
            assert second_is_made.wait(60)
        second_is_made.set()
        return np.full(number % 3 * 1000, number, np.uint8)

    codes, begins = pieced(make, 50)
    np.testing.assert_array_equal(
        codes, np.concatenate([np.full(n % 3 * 1000, n, np.uint8) for n in range(50)])
    )
    np.testing.assert_array_equal(begins, np.cumsum([0, *(n % 3 * 1000 for n in range(49))]))
