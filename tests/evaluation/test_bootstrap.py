"""Intervals and paired tests, against a plain bootstrap and scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from lexiscope.evaluation.bootstrap import Sample


def test_intervals_are_those_of_a_plain_bootstrap():
    random = np.random.default_rng(1)
    values = random.random(300)
    low, high = Sample.of(300).intervals({"x": values})["x"]
    drawn = np.random.default_rng(7).integers(300, size=(4000, 300))
    expected = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    assert [low, high] == pytest.approx(expected, abs=0.004)
    standard = values.std() / np.sqrt(300)
    assert [low, high] == pytest.approx(values.mean() + np.array([-1.96, 1.96]) * standard, abs=0.005)


def test_they_cover_the_truth_as_often_as_they_say():
    random, hits = np.random.default_rng(2), 0
    for _ in range(200):
        low, high = Sample.of(100, samples=400).intervals({"x": random.exponential(size=100)})["x"]
        hits += low <= 1.0 <= high
    assert 0.88 <= hits / 200 <= 0.98


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_the_same_seed_gives_the_same_and_weights_count(seed, number):
    random = np.random.default_rng(seed)
    values, weights = random.random(number), random.random(number) + 0.1
    sample = Sample(weights)
    assert sample.mean(values) == pytest.approx((values * weights).sum() / weights.sum())
    first, second = sample.resample([values]), Sample(weights).resample([values])
    assert (first[0] == second[0]).all()
    assert first[0].min() >= values.min() - 1e-12 and first[0].max() <= values.max() + 1e-12


def test_one_model_against_itself_is_the_same():
    values = np.random.default_rng(3).random(50)
    found = Sample.of(50).compare({"x": values}, {"x": values.copy()})["x"]
    assert found == {"difference": 0, "interval": [0, 0], "p_bootstrap": 1, "p_t_test": 1, "verdict": "same"}


def test_better_and_worse_and_the_t_test():
    random = np.random.default_rng(4)
    theirs = random.random(200)
    ours = theirs + random.normal(0.05, 0.1, 200)
    found = Sample.of(200).compare({"x": ours}, {"x": theirs})["x"]
    assert found["verdict"] == "better" and found["p_bootstrap"] < 0.01
    assert found["p_t_test"] == pytest.approx(ttest_rel(ours, theirs).pvalue)
    assert Sample.of(200).compare({"x": theirs}, {"x": ours})["x"]["verdict"] == "worse"
    always = Sample.of(200).compare({"x": theirs + 1}, {"x": theirs})["x"]
    assert always["verdict"] == "better" and always["p_t_test"] < 1e-9
