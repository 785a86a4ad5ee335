"""Bytes that several threads make a piece each, one after the other in one array."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np

from lexiscope.index.cores import each_over_cores
from lexiscope.index.vectors import Int64, UInt8

__all__ = ["pieced"]

_GROWTH = 1.125  # of the memory, when a piece has no room; pages that nothing is written to take none


def pieced(make: Callable[[int], UInt8], pieces: int) -> tuple[UInt8, Int64]:
    """Make all pieces over all cores, and put each behind the one before it as soon as that is there.

    So the bytes are never held twice, as they would be where pieces are first kept and then put together.

    Args:
        make: Returns the bytes of the piece of that number.
        pieces: How many there are.

    Returns:
        All bytes, and where each piece begins, (pieces,).
    """
    array, begins = np.empty(0, np.uint8), np.zeros(pieces + 1, np.int64)
    waiting: dict[int, UInt8] = {}
    placed, lock = 0, Lock()

    def place(number: int) -> None:
        nonlocal placed
        piece = make(number)
        with lock:
            waiting[number] = piece
            while placed in waiting:
                fresh = waiting.pop(placed)
                begin, end = begins[placed], begins[placed] + len(fresh)
                if end > len(array):
                    array.resize(max(int(end), int(_GROWTH * len(array))), refcheck=False)
                array[begin:end] = fresh
                placed += 1
                begins[placed] = end

    each_over_cores(place, pieces)
    array.resize(int(begins[-1]), refcheck=False)
    return array, begins[:-1]
