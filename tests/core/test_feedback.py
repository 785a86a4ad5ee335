"""Feedback: what was found first changes the question, by the published formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lexiscope.errors import InvalidValue
from lexiscope.feedback import Feedback


def random_case(seed):
    random = np.random.default_rng(seed)
    queries = (random.random((4, 12)) * (random.random((4, 12)) < 0.4)).astype(np.float32)
    documents = (random.random((9, 12)) * (random.random((9, 12)) < 0.4)).astype(np.float32)
    ids = np.stack([random.permutation(9)[:5] for _ in range(4)])
    lengths = random.integers(0, 6, 4)
    ids[np.arange(5) >= lengths[:, None]] = -1
    return queries, documents, ids


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from(["rocchio", "average"]))
def test_by_the_formulas(seed, number, method):
    queries, documents, ids = random_case(seed)
    feedback = Feedback(number, method, alpha=0.7, beta=0.4, words=12)
    expected = []
    for query, row in zip(queries, ids, strict=True):
        taken = documents[row[:number][row[:number] >= 0]]
        if method == "average":
            expected.append(np.vstack([query[None], taken]).mean(axis=0))
        else:
            expected.append(0.7 * query + (0.4 * taken.mean(axis=0) if len(taken) else 0))
    dense = feedback.apply(queries, ids, documents)
    sparse = feedback.apply(csr_array(queries), ids, csr_array(documents))
    np.testing.assert_allclose(dense, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sparse.toarray(), expected, rtol=1e-5, atol=1e-6)
    short = Feedback(number, method, alpha=0.7, beta=0.4, words=2)
    cut = short.apply(csr_array(queries), ids, csr_array(documents))
    assert np.diff(cut.indptr).max() <= 2


@pytest.mark.parametrize("wrong", [{"documents": 0}, {"words": 0}, {"method": "rm3"}, {"alpha": -1}])
def test_wrong_settings(wrong):
    with pytest.raises(InvalidValue):
        Feedback(**wrong)


def test_the_library_asks_again(library):
    question = "a brown dog"
    (once,) = library.search(question, kind="chapter")
    (twice,) = library.search(question, kind="chapter", feedback=1)
    assert once.id == twice.id
    asked = {match.word for match in once.matches}
    assert asked < {match.word for match in twice.matches}  # words of the chapter that were not asked for
    assert library.search(question, feedback=0) == library.search(question)
    assert library.search(question, feedback=Feedback(2, "average"))
    for wrong in (-1, True, "3"):
        with pytest.raises(InvalidValue, match="feedback is"):
            library.search(question, feedback=wrong)
