"""Memory for one thread to search in: kernels take none themselves, and never give any back."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np

from lexiscope.index.arrays import WINDOW
from lexiscope.index.native import Lent, lend
from lexiscope.index.vectors import Float32, Float64, Int64, UInt8, UInt16, UInt32

__all__ = [
    "BLOCKS",
    "MAXIMA",
    "PART",
    "PARTS",
    "PIECE",
    "STRIDE",
    "WAITING",
    "Memory",
    "Scratch",
    "memory",
]

PIECE = 8192  # rows that are looked at and cleared together, while they are in the first-level cache
BLOCKS = 64  # of a piece: of its rows every 64th shares a maximum, so that maxima of neighbours make a vector
PART = 8  # rows of a block that share a maximum of their own
STRIDE = PART * BLOCKS  # rows of a piece, one part of each block
MAXIMA = BLOCKS + PIECE // PART  # first those of the blocks, then those of all parts, stride by stride
PARTS = 1024  # of a histogram of bounds of 16 bits, whose last six are not told apart
COARSE_PARTS = 256  # of a histogram of bounds of 8 bits
WAITING = 32  # rows fetched together
ROOM = 8192  # rows that can be kept, at the least
TERMS = 256  # of a query, at the least
_OF_THREAD = threading.local()


class Scratch(NamedTuple):
    """Arrays to work in. Sums, positions and `found` but for its first place are zeros between queries."""

    sums: UInt8 | UInt16  # (WINDOW,) the bounds of a window's rows
    maxima: UInt8 | UInt16  # (WINDOW // PIECE · MAXIMA,) of all pieces
    histogram: Int64  # (PARTS or COARSE_PARTS,) of the bounds of the rows kept
    seen: Int64  # likewise, of all rows that ever were
    rows: Int64  # (PIECE + 1,) those of a piece that could be hits
    kept: Int64  # (room,) those of all that could be
    bounds: UInt16  # (room,) theirs
    waiting: Int64  # (WAITING,) those to be scored next
    scores: Float32  # (WAITING,) theirs
    positions: UInt32  # (at least T,) one more than the place in the query of each term, by rank
    found: Float32  # (terms of the query + 1,) what a row has of each
    ranks: Int64  # (terms,) of the terms that are read
    products: Float64  # (terms,) their greatest
    factors: Float64  # (terms,) their weights in units of a sum
    hurdles: Float64  # (terms,) what a product has to reach, in the same


class Memory(NamedTuple):
    """The same memory twice: for sums of 16 bits, and for those of 8, which half of it holds."""

    fine: Lent
    coarse: Lent


def memory(ranks: int, terms: int, room: int) -> Memory:
    """Return this thread's memory; what one search left is used by the next.

    Args:
        ranks: T, terms that occur in the segment.
        terms: Those that a query has at most, or more than that.
        room: Rows to be kept.
    """
    wanted = max(ranks, 1), max(terms, TERMS), max(room, ROOM)
    size, made = getattr(_OF_THREAD, "held", (wanted, None))
    if made is None or any(one < other for one, other in zip(size, wanted, strict=True)):
        size = tuple(max(pair) for pair in zip(size, wanted, strict=True))
        made = _made(*size)
        _OF_THREAD.held = size, made
    return made


def _made(ranks: int, terms: int, room: int) -> Memory:
    fine = Scratch(
        sums=np.zeros(WINDOW, np.uint16),
        maxima=np.zeros(WINDOW // PIECE * MAXIMA, np.uint16),
        histogram=np.zeros(PARTS, np.int64),
        seen=np.zeros(PARTS, np.int64),
        rows=np.zeros(PIECE + 1, np.int64),
        kept=np.zeros(room, np.int64),
        bounds=np.zeros(room, np.uint16),
        waiting=np.zeros(WAITING, np.int64),
        scores=np.zeros(WAITING, np.float32),
        positions=np.zeros(ranks, np.uint32),
        found=np.zeros(terms + 1, np.float32),
        ranks=np.zeros(terms, np.int64),
        products=np.zeros(terms, np.float64),
        factors=np.zeros(terms, np.float64),
        hurdles=np.zeros(terms, np.float64),
    )
    coarse = fine._replace(
        sums=fine.sums.view(np.uint8)[:WINDOW],
        maxima=fine.maxima.view(np.uint8)[: len(fine.maxima)],
        histogram=fine.histogram[:COARSE_PARTS],
        seen=fine.seen[:COARSE_PARTS],
    )
    return Memory(lend(fine), lend(coarse))
