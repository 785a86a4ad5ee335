"""Rows and postings as they are packed, against what was put in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lexiscope.index import InvertedIndex
from lexiscope.index.arrays import WINDOW
from lexiscope.index.bucket_kernels import PAGED, unpack_pages
from lexiscope.index.packing import given_rows
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
    """Rows that have a term: spread, close together, and more on a page than four bits count."""
    n, chance = 2 * WINDOW + 500, np.random.default_rng(3)
    return {
        "none": np.empty(0, np.int64),
        "one": np.array([n - 1]),
        "all": np.arange(n),
        "few": np.sort(chance.choice(n, PAGED - 1, replace=False)),
        "spread": np.sort(chance.choice(n, 20 * PAGED, replace=False)),
        "a page": np.arange(256 * 7, 256 * 8),
        "close": np.arange(1000, 1000 + PAGED),
        "fifteen a page": np.flatnonzero(np.arange(n) % 256 < 15),
        "the ends": np.concatenate([np.arange(PAGED), np.arange(n - PAGED, n)]),
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


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300), st.integers(1, WINDOW))
def test_pages_of_any_bytes_stay_where_they_belong(data: bytes, at: int, size: int) -> None:
    codes, pages = np.frombuffer(data, np.uint8), np.full(WINDOW + 64, 77, np.uint8)
    assert at <= unpack_pages(codes, at, size, pages) <= max(at, len(codes))
    assert (pages[WINDOW + 32 :] == 77).all()


def test_a_bucket_that_is_cut_off_is_not_read(tmp_path) -> None:
    """An altered file gives wrong numbers, never a wild access."""
    rows = csr_array(np.ones((4 * PAGED, 1), np.float32))
    index = InvertedIndex.build(rows)
    whole = index.parts[0].segment.postings
    from lexiscope.index.postings import rows_of

    assert len(rows_of(whole, 0, 4 * PAGED)) == 4 * PAGED
    for length in range(0, len(whole.codes), 97):
        cut = whole._replace(codes=whole.codes[:length])
        assert len(rows_of(cut, 0, 4 * PAGED)) in (0, 4 * PAGED)
