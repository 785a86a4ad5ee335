"""Questions made of a segment's own rows, to measure on.

A question is a row's heaviest words after noise on their weights, or those of twenty rows together, which no
row answers as well. These rows themselves do not count as answers: finding them is too easy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lexiscope.index.segment import Segment
from lexiscope.index.vectors import Int64, Rows, concatenate

__all__ = ["Questions", "among", "made"]

LENGTHS = ((3, 15), (15, 51), (51, 151))  # terms of each class of `effort.TERMS`, from and below
KINDS = (1, 20)  # rows that make a question: what finds itself, and what no row answers well
_NOISE = 0.8  # standard deviation of the logarithm of a weight's factor


class Questions(NamedTuple):
    """Questions of one kind."""

    rows: Rows
    parts: int  # rows of the segment that made each: its best answers, which do not count
    sources: Int64  # (questions · parts,) these rows


def among(queries: Rows, number: int, most: int) -> Questions:
    """Those of a class of length among given queries, so many at most."""
    least, below = LENGTHS[number]
    lengths = np.diff(queries.pointers)
    kept = np.flatnonzero((lengths >= least) & (lengths < below))[:most]
    return Questions(queries.take(kept), 0, kept[:0])


def made(segment: Segment, number: int, count: int) -> Iterator[Questions]:
    """So many of a class of length, of each kind."""
    chance = np.random.default_rng(number)
    for parts in KINDS:
        sources = chance.integers(0, len(segment), (count, parts))
        rows = [_question(segment, own, int(chance.integers(*LENGTHS[number])), chance) for own in sources]
        yield Questions(concatenate(rows, segment.columns), parts, sources.ravel())


def _question(segment: Segment, sources: Int64, most: int, chance: np.random.Generator) -> Rows:
    """The heaviest terms, after noise on their weights, of some rows together."""
    rows = segment.take(sources)
    terms, places = np.unique(rows.terms, return_inverse=True)
    weights = np.bincount(places, rows.weights, minlength=len(terms)).astype(np.float64)  # int64 where empty
    weights *= np.exp(_NOISE * chance.normal(size=len(weights)))
    kept = np.sort(np.argsort(-weights, kind="stable")[:most])
    return Rows(np.array([0, len(kept)]), terms[kept], weights[kept].astype(np.float32), segment.columns)
