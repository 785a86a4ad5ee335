"""Document frequencies are counted among live and chosen rows, over all segments."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from lexiscope.index import InvertedIndex, document_frequencies
from lexiscope.index.inverted import InvertedIndex as Index

ROWS = np.array([[1, 0, 2, 0], [1, 1, 0, 0], [0, 0, 3, 0]], np.float32)


def test_frequencies_of_terms():
    index = InvertedIndex.build(csr_array(ROWS))
    assert document_frequencies(index, [0, 1, 2, 3]).tolist() == [2, 1, 2, 0]
    assert document_frequencies(index, []).tolist() == []
    assert document_frequencies(index, [-1, 2, 4]).tolist() == [0, 2, 0]  # no row has what is no term


def test_only_chosen_and_live_rows_count():
    index = InvertedIndex.build(csr_array(ROWS))
    assert document_frequencies(index, [0, 2], index.select([0, 2])).tolist() == [1, 2]
    (part,) = index.parts
    living = Index([part.without(np.array([0]))], 4)
    assert document_frequencies(living, [0, 2]).tolist() == [1, 1]


def test_an_empty_index_has_no_terms():
    index = InvertedIndex.build(csr_array((0, 4), dtype=np.float32))
    assert document_frequencies(index, [0, 3]).tolist() == [0, 0]
