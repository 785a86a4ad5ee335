"""How many rows have a term."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lexiscope.index.inverted import InvertedIndex, Selection
from lexiscope.index.segment import LiveSegment
from lexiscope.index.vectors import Int32, Int64


def document_frequencies(index: InvertedIndex, terms: npt.ArrayLike, only: Selection | None = None) -> Int64:
    """Count the live rows that have each term.

    Reads the postings of these terms and nothing else.

    Args:
        index: where to count.
        terms: (n,) ids of terms.
        only: count among these rows.

    Returns:
        (n,) int64.
    """
    wanted = np.asarray(terms, np.int64)
    counts = np.zeros(len(wanted), np.int64)
    for number, part in enumerate(index.parts):
        counts += _in_segment(part, wanted, None if only is None else only.rows[number])
    return counts


def _in_segment(part: LiveSegment, wanted: Int64, chosen: Int32 | None) -> Int64:
    segment = part.segment
    counts = np.zeros(len(wanted), np.int64)
    live = np.zeros(len(segment), np.bool_)
    live[part.live_rows() if chosen is None else chosen] = True
    for number, term in enumerate(wanted.tolist()):
        counts[number] = np.count_nonzero(live[segment.rows_with(term)])
    return counts
