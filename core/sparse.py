"""What several folders do with sparse rows."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

__all__ = ["heaviest"]


def heaviest(rows: csr_array, number: int) -> csr_array:
    """Cut every row to its heaviest weights; of equal ones the smaller terms stay.

    Args:
        rows: (n, V) weights.
        number: how many a row keeps at most.

    Returns:
        (n, V), terms ascending within a row.
    """
    lengths = np.diff(rows.indptr)
    owners = np.repeat(np.arange(rows.shape[0]), lengths)
    order = np.lexsort((rows.indices, -rows.data, owners))
    place = np.arange(rows.nnz) - np.repeat(rows.indptr[:-1], lengths)
    kept = order[place < number]
    kept = kept[np.lexsort((rows.indices[kept], owners[kept]))]
    pointers = np.concatenate([[0], np.cumsum(np.bincount(owners[kept], minlength=rows.shape[0]))])
    return csr_array((rows.data[kept], rows.indices[kept], pointers), shape=rows.shape)
