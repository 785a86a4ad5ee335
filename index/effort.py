"""How hard a search tries: exactly, or as hard as was measured to be enough for a recall.

How much a recall takes depends on how many hits are asked for, and on how long the question is. So a segment
keeps its measured efforts by class, one array with seven numbers each: the recall, the most hits and the most
terms that it holds for, and the four of an `Effort`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lexiscope.index.vectors import Float32, Int64

__all__ = ["COLUMNS", "EXACT", "HITS", "TERMS", "Effort", "cheapest", "wanted"]

HITS = (1, 10, 100)  # more are searched exactly
TERMS = (14, 50, np.inf)  # classes of questions by their length
COLUMNS = 7
GLANCED = 10  # rows of the first window whose bounds say whether a question is an easy one
FEWEST = 10  # hits; for fewer as many rows are kept as for so many
SURE_HITS, SURE = 40, 4  # for an exact answer four rows a hit are kept, of at least forty


class Effort(NamedTuple):
    """What a search reads and how many rows it keeps; see the formula of `lexiscope.index.kernels`."""

    #: Products below this part of the sum of the greatest products are not read, of terms that one row in a
    #: hundred has; see `postings.hurdles_of` for others. From 0, everything, to some 0.1.
    cutoff: float
    most: float  # rows kept a hit, of at least ten, to be rescored; inf: as many as an exact answer takes
    #: A greater cut-off that is tried first; 0: there is none.
    first: float = 0.0
    #: What the first cut-off is kept for: where ten rows of the first window have sums of at least this part
    #: of the sum of the greatest products. Such a question has rows that answer it well, and is an easy one.
    enough: float = 0.0


EXACT = Effort(0.0, np.inf)


def wanted(most: float, k: int) -> int:
    """How many rows are kept for k hits; also compiled."""
    return max(k, SURE * max(k, SURE_HITS) if np.isinf(most) else int(most * max(k, FEWEST)))


def cheapest(efforts: Float32, recall: float | None, k: int, terms: Int64) -> list[Effort]:
    """The effort for each question: that of the least measured recall that is enough.

    Args:
        efforts: of a segment.
        recall: asked; None asks for all.
        k: hits asked.
        terms: how many each question has.

    Returns:
        As many efforts; exact ones where nothing that was measured is enough.
    """
    wanted = np.float32(1.0 if recall is None else recall)
    hits = min((hits for hits in HITS if hits >= k), default=0)
    table = [
        entry for entry in efforts.reshape(-1, COLUMNS).tolist() if entry[0] >= wanted and entry[1] == hits
    ]
    chosen = [min((entry for entry in table if entry[2] == most), default=None) for most in TERMS]
    of_class = [EXACT if entry is None else Effort(*entry[3:]) for entry in chosen]
    return [of_class[number] for number in np.searchsorted(TERMS, terms).tolist()]
