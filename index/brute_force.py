"""The brute-force twin of the index: every score of every row, sorted. The oracle of the tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, sparray, spmatrix

from lexiscope.index.inverted import check_ids, check_k
from lexiscope.index.vectors import Float32, Int64, check_rows


def search_brute_force(
    rows: csr_array | sparray | spmatrix,
    queries: csr_array | sparray | spmatrix,
    k: int = 10,
    *,
    ids: npt.ArrayLike | None = None,
    only: npt.ArrayLike | None = None,
) -> tuple[Int64, Float32]:
    """Do what `InvertedIndex.build(rows, ids=ids).search(queries, k, only=only)` does, with dense columns.

    The products are summed in float32 by ascending term, as the kernels do, so that results are equal bit for
    bit. Memory is O(n · V): for small collections.
    """
    k = check_k(k)
    checked = check_rows(rows)
    asked = check_rows(queries, checked.columns)
    names = np.arange(len(checked)) if ids is None else check_ids(ids)
    allowed = np.ones(len(names), np.bool_) if only is None else np.isin(names, check_ids(only))
    dense = checked.to_csr().toarray()
    best_ids = np.full((len(asked), k), -1, np.int64)
    best_scores = np.zeros((len(asked), k), np.float32)
    for number in range(len(asked)):
        scores = np.zeros(len(names), np.float32)
        for place in range(asked.pointers[number], asked.pointers[number + 1]):
            scores += asked.weights[place] * dense[:, asked.terms[place]]
        order = np.lexsort((names, -scores))
        hits = order[(scores[order] > 0) & allowed[order]][:k]
        best_ids[number, : len(hits)] = names[hits]
        best_scores[number, : len(hits)] = scores[hits]
    return best_ids, best_scores
