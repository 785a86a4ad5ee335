"""Between façade and kernels: chooses the kernel, shares a batch among threads, merges results."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lexiscope.index.arrays import Best, Queries, Scratch, no_hits
from lexiscope.index.effort import Effort
from lexiscope.index.segment import LiveSegment, Segment
from lexiscope.index.vectors import Float32, Int32, Int64, UInt8, frozen

# A few milliseconds of work, so that threads neither wait for each other nor for the next task.
QUERIES_A_TASK = 16
_OF_THREAD = threading.local()


def search_segment(
    part: LiveSegment, chosen: Int32 | None, queries: Queries, k: int, efforts: Sequence[Effort]
) -> tuple[Int64, Float32]:
    """Find the best k of one segment for each query.

    Args:
        part: The segment with its delete marks.
        chosen: The live rows that may be hits, ascending; None for all.
        queries: Canonical rows.
        k: Places a query.
        efforts: How hard to try, for each query.

    Returns:
        ids int64 and scores float32, both (queries, k): best first, ties by smaller id, -1 and 0 where there
        is no hit.
    """
    n = len(queries.pointers) - 1
    best = no_hits(n, k)
    if len(part) == 0 or (chosen is not None and len(chosen) == 0):
        return best
    _over_cores(_task(part, chosen, queries, best, efforts), n)
    return np.where(best.rows >= 0, part.segment.ids[best.rows], -1), best.scores


def _task(
    part: LiveSegment, chosen: Int32 | None, queries: Queries, best: Best, efforts: Sequence[Effort]
) -> Callable[[int, int], None]:
    """Return the function that answers the queries from its first to before its second argument."""
    from lexiscope.index.kernels import search_postings, search_rows

    segment = part.segment
    if chosen is not None and len(chosen) * segment.nnz < len(segment) ** 2:
        # Reading the weights of the few costs less than one pass over all rows' bounds.
        return lambda first, last: search_rows(
            queries, first, last, chosen, segment.forward, scratch(segment).dense, best
        )
    allowed = part.allowed if chosen is None else _mask(chosen, len(segment))
    cutoffs, shares = np.array(efforts, np.float64).reshape(-1, 2).T.copy()
    return lambda first, last: search_postings(
        queries,
        first,
        last,
        cutoffs,
        shares,
        segment.postings,
        segment.forward,
        allowed,
        scratch(segment),
        best,
        np.zeros(2, np.int64),
    )


def scratch(segment: Segment) -> Scratch:
    """Return this thread's memory for searching a segment; what one search left is used by the next."""
    from lexiscope.index.kernels import BLOCK, WINDOW

    rows = max(1, -(-len(segment) // WINDOW)) * WINDOW
    held: Scratch | None = getattr(_OF_THREAD, "scratch", None)
    if held is None or len(held.sums) < rows or len(held.dense) < segment.columns:
        most, widest = (rows, 0) if held is None else (max(rows, len(held.sums)), len(held.dense))
        _OF_THREAD.scratch = held = Scratch(
            np.zeros(most, np.uint16),
            np.zeros(most // BLOCK, np.uint16),
            np.zeros(max(widest, segment.columns), np.float32),
        )
    blocks = -(-len(segment) // BLOCK)
    return Scratch(held.sums[:rows], held.maxima[:blocks], held.dense[: segment.columns])


def _mask(chosen: Int32, n: int) -> UInt8:
    mask = np.zeros(n, np.uint8)
    mask[chosen] = 1
    return frozen(mask, np.uint8)


def _over_cores(task: Callable[[int, int], None], n: int) -> None:
    """Run the task over 0 … n - 1 in as many threads as there are cores; the kernels hold no GIL.

    Threads of ours rather than numba's prange: the same kernel serves one query and a thousand, and several
    callers may search at the same time, which numba's built-in threading layer does not survive.
    """
    tasks = (n + QUERIES_A_TASK - 1) // QUERIES_A_TASK
    workers = min(cores(), tasks) if tasks > 1 else 1
    if workers == 1:
        task(0, n)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="lexiscope-search") as pool:
        futures = [
            pool.submit(task, first, min(first + QUERIES_A_TASK, n)) for first in range(0, n, QUERIES_A_TASK)
        ]
        for future in futures:
            future.result()


def cores() -> int:
    """Return how many cores this process may use: NUMBA_NUM_THREADS or, without it, the affinity mask."""
    asked = os.environ.get("NUMBA_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def better_of(one: tuple[Int64, Float32], other: tuple[Int64, Float32]) -> tuple[Int64, Float32]:
    """Merge two results of the same shape (queries, k) into the best k of both; ties by smaller id."""
    ids = np.concatenate([one[0], other[0]], axis=1)
    scores = np.concatenate([one[1], other[1]], axis=1)
    best = np.lexsort((ids, -scores), axis=1)[:, : one[0].shape[1]]
    return np.take_along_axis(ids, best, axis=1), np.take_along_axis(scores, best, axis=1)
