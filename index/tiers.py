"""Which segments to merge: tiers of similar size, as Lucene's TieredMergePolicy, in its simplest form.

A commit adds a segment. As soon as FANOUT segments of one tier stand side by side they become one of the next
tier, so that a row is rewritten at most log_FANOUT(N) times and a search visits O(FANOUT · log N) segments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lexiscope.index.segment import MAX_ROWS, LiveSegment

FANOUT = 8
FLOOR = 1 << 16  # weights; all smaller segments are of one tier
MOST_DELETED = 0.33  # the share of a segment's rows that may be marked before it is rewritten without them


def plan_merge(parts: Sequence[LiveSegment]) -> list[int]:
    """Return the places of the segments to merge into one now, or nothing. Ask again afterwards.

    A single place means: rewrite without the deleted rows.
    """
    tiers: dict[int, list[int]] = defaultdict(list)
    for place, part in enumerate(parts):
        if len(part.deleted) > MOST_DELETED * len(part.segment):
            return [place]
        tiers[_tier(part)].append(place)
    for _, places in sorted(tiers.items()):
        if len(places) >= FANOUT and sum(len(parts[place]) for place in places) <= MAX_ROWS:
            return places
    return []


def _tier(part: LiveSegment) -> int:
    tier, bound = 0, FLOOR
    while part.segment.nnz >= bound:
        tier, bound = tier + 1, bound * FANOUT
    return tier
