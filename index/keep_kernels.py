"""Numba kernels that keep the rows of the greatest bounds, window by window, without a heap.

A histogram of all blocks' maxima says what bound so many rows reach at least; rows below it need not be kept.
"""

from __future__ import annotations

from lexiscope.index.arrays import Postings
from lexiscope.index.effort import GLANCED
from lexiscope.index.jit import jit
from lexiscope.index.read_kernels import (
    clear,
    fetch,
    maxima_of,
    read_window,
    rows_reaching,
    set_maxima,
    windows_of,
)
from lexiscope.index.scratch import BLOCKS, PARTS, PIECE, Scratch
from lexiscope.index.vectors import Float64, Int64, UInt8


@jit
def bits_of(parts: int) -> int:
    """The last bits of a bound that a histogram of so many parts does not tell apart."""
    return 6 if parts == PARTS else 0


@jit
def reached(histogram: Int64, wanted: int) -> int:
    """A bound, at least 1, that so many of the counted have, or more; 1 where there are not so many."""
    counted = 0
    for part in range(len(histogram) - 1, 0, -1):
        counted += histogram[part]
        if counted >= wanted:
            return part << bits_of(len(histogram))
    return 1


@jit
def count_bounds(scratch: Scratch, count: int) -> None:
    """Make the histogram that of the bounds kept."""
    bounds, histogram = scratch.bounds, scratch.histogram
    bits = bits_of(len(histogram))
    histogram[:] = 0
    for place in range(count):
        histogram[bounds[place] >> bits] += 1


@jit
def _leave_best(scratch: Scratch, count: int, wanted: int) -> tuple[int, int, int]:
    """Of the rows kept leave the wanted many of the greatest bounds.

    Returns:
        How many are left, a bound that all of them have, and the greatest that was dropped.
    """
    count_bounds(scratch, count)
    rows, bounds, histogram = scratch.kept, scratch.bounds, scratch.histogram
    bits = bits_of(len(histogram))
    least = reached(histogram, wanted)
    room = wanted - histogram[(least >> bits) + 1 :].sum()  # for those that hardly reach it
    left, dropped = 0, 0
    for place in range(count):
        bound = bounds[place]
        hardly = bound >> bits == least >> bits
        if bound >= least and (room > 0 or not hardly):
            rows[left], bounds[left] = rows[place], bound
            left += 1
            room -= int(hardly)
        else:
            dropped = max(dropped, int(bound))
    return left, least, dropped


@jit
def _guess(rows: int, wanted: int, scratch: Scratch) -> tuple[int, int]:
    """Bounds that so many of the first window's rows reach at least, and that GLANCED of them do.

    Without the first all would be kept.
    """
    sums, histogram = scratch.sums, scratch.histogram
    bits = bits_of(len(histogram))
    histogram[:] = 0
    for first in range(0, rows, PIECE):
        maxima = maxima_of(first, scratch)
        set_maxima(sums, first, maxima)
        for block in range(BLOCKS):
            histogram[maxima[block] >> bits] += 1
    return reached(histogram, wanted), reached(histogram, GLANCED)


@jit
def _keep(
    base: int, rows: int, least: int, wanted: int, scratch: Scratch, count: int
) -> tuple[int, int, int]:
    """Keep those of a window's rows with bounds of at least `least`, of too many the best; clear the sums.

    Args:
        base: The window's first row.
        rows: How many it has.
        least: See above.
        wanted: How many of the best are enough.
        scratch: With the sums; `seen` counts up the bounds of rows that reach the bound.
        count: How many rows are kept.

    Returns:
        How many rows are kept now, the bound to reach from now on, and the greatest that was dropped.
    """
    dropped, sums, bits = 0, scratch.sums, bits_of(len(scratch.seen))
    found, kept, bounds, seen = scratch.rows, scratch.kept, scratch.bounds, scratch.seen
    for first in range(0, rows, PIECE):
        maxima = maxima_of(first, scratch)
        if base > 0:  # those of the first window are there: `_guess` took them
            set_maxima(sums, first, maxima)
        for number in range(rows_reaching(least, sums, first, maxima, found)):
            row = found[number]
            if count == len(kept):
                count, bound, lost = _leave_best(scratch, count, wanted)
                least, dropped = max(least, bound), max(dropped, lost)
            seen[sums[row] >> bits] += 1
            kept[count], bounds[count] = base + row, sums[row]
            count += 1
        clear(sums, first)
    return count, max(least, reached(seen, wanted)), dropped


@jit
def collect(
    ranks: Int64,
    factors: Float64,
    hurdles: Float64,
    wanted: int,
    enough: int,
    n: int,
    postings: Postings,
    allowed: UInt8,
    scratch: Scratch,
) -> tuple[int, int, int, int, int]:
    """Read every window, and keep the wanted many rows of the greatest bounds.

    Returns:
        How many rows are kept, or -1 where too few of the first window's have bounds that are enough, and no
        other was read; the greatest bound that any other row can have; the most that was not read in any
        window; all postings read; and the bound that GLANCED rows of the first window reach.
    """
    count, least, dropped, unread, read, glance = 0, 1, 0, 0, 0, 0
    scratch.seen[:] = 0
    fetch(ranks, postings, windows_of(n))
    for window in range(windows_of(n)):
        base, rows, missing, some = read_window(
            ranks, factors, hurdles, window, n, postings, allowed, scratch
        )
        unread, read = max(unread, missing), read + some
        if window == 0:
            least, glance = _guess(rows, wanted, scratch)
            if glance < enough:
                scratch.sums[:] = 0
                return -1, 0, 0, read, glance
        count, least, lost = _keep(base, rows, least, wanted, scratch, count)
        dropped = max(dropped, lost)
    count, bound, lost = _leave_best(scratch, count, wanted)
    return count, max(dropped, lost, max(least, bound) - 1), unread, read, glance
