"""Retrieval measures over ranked lists, where pictures and captions belong together in groups.

Caption retrieval papers call the share of queries with at least one right answer among the first k
"R@k" (CLIP benchmark: `recall@k`). In ir-measures, as in TREC, that is `Success@k`, while its `R@k` is the
share of all right answers that were found: with five captions a picture, `R@1` could not pass 20 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Int64: TypeAlias = npt.NDArray[np.int64]
Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]

CUTOFFS = (1, 5, 10)
RATES = tuple(f"R@{cutoff}" for cutoff in CUTOFFS)


def query_values(ids: Int64, query_groups: Int64, document_groups: Int64) -> dict[str, Float64]:
    """What every query got, by ir-measures.

    Args:
        ids: rows of the documents found, (queries, k), best first; -1 where there are no more. k is 10 or
            more, unless there are fewer documents.
        query_groups: (queries,); a document is right for a query when it is of the same group.
        document_groups: (documents,).

    Returns:
        By measure (queries,) values in percent: `R@1`, `R@5` and `R@10`, 100 where a right answer is among
        the first 1, 5 and 10; `nDCG@10`, where every right answer counts the same.
    """
    import ir_measures
    from ir_measures import Success, nDCG

    names = {str(Success @ cutoff): f"R@{cutoff}" for cutoff in CUTOFFS} | {str(nDCG @ 10): "nDCG@10"}
    # Scores that fall with the rank keep our order of ties: TREC's own would go by the names of documents.
    run = {
        str(query): {str(document): -float(rank) for rank, document in enumerate(row[row >= 0])}
        for query, row in enumerate(ids[:, : max(CUTOFFS)])
    }
    values = {name: np.zeros(len(ids)) for name in names.values()}
    measures = [*(Success @ cutoff for cutoff in CUTOFFS), nDCG @ 10]
    for found in ir_measures.iter_calc(measures, _judgements(query_groups, document_groups), run):
        values[names[str(found.measure)]][int(found.query_id)] = 100.0 * found.value
    return values


def hit_rates(ids: Int64, query_groups: Int64, document_groups: Int64) -> dict[str, float]:
    """Share of queries with a right answer among their first 1, 5 and 10; see `query_values`.

    Returns:
        Percentages by name: `R@1`, `R@5`, `R@10`.
    """
    values = query_values(ids, query_groups, document_groups)
    return {name: float(values[name].mean()) for name in RATES}


def _judgements(query_groups: Int64, document_groups: Int64) -> dict[str, dict[str, int]]:
    right = members(query_groups, document_groups)
    return {str(query): {str(document): 1 for document in documents} for query, documents in enumerate(right)}


def members(query_groups: Int64, document_groups: Int64) -> list[Int64]:
    """The rows of the documents that are right for each query, ascending."""
    order = np.argsort(document_groups, kind="stable")
    ordered = document_groups[order]
    starts = np.searchsorted(ordered, query_groups, side="left")
    ends = np.searchsorted(ordered, query_groups, side="right")
    return [order[start:end] for start, end in zip(starts, ends, strict=True)]


def first_ranks(ids: Int64, query_groups: Int64, document_groups: Int64) -> Int64:
    """Rank of the best right answer of each query, from 1; 0 where there is none among those found.

    Args:
        ids: rows of the documents found, (queries, k), best first; -1 where there are no more.
        query_groups: (queries,); a document is right for a query when it is of the same group.
        document_groups: (documents,).

    Returns:
        (queries,) int64.
    """
    right = (ids >= 0) & (document_groups[ids] == query_groups[:, None])
    return np.where(right.any(axis=1), right.argmax(axis=1) + 1, 0)


def median_rank(ranks: Int64, documents: int) -> float:
    """Median of first ranks; what was not found at all counts as last."""
    return float(np.median(np.where(ranks > 0, ranks, documents)))


def mean_recall(directions: Sequence[Mapping[str, float]]) -> float:
    """Mean of all hit-rates of all directions, in percent (rSum divided by their number)."""
    return float(np.mean([rate for rates in directions for rate in rates.values()]))
