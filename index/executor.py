"""Between façade and kernels: chooses the kernel, shares a batch among threads, merges results."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lexiscope.index.segment import LiveSegment
from lexiscope.index.vectors import Float32, Int32, Int64, Rows, UInt8

QUERIES_A_TASK = (
    16  # a few milliseconds of work, so that threads neither wait for each other nor for the next task
)


def search_segment(part: LiveSegment, chosen: Int32 | None, queries: Rows, k: int) -> tuple[Int64, Float32]:
    """Find the exact best k of one segment for each query.

    Args:
        part: The segment with its delete marks.
        chosen: The live rows that may be hits, ascending; None for all.
        queries: Canonical rows.
        k: Places a query.

    Returns:
        ids int64 and scores float32, both (queries, k): best first, ties by smaller id, -1 and 0 where there
        is no hit.
    """
    segment = part.segment
    rows = np.full((len(queries), k), -1, np.int64)
    scores = np.zeros((len(queries), k), np.float32)
    if len(part) == 0 or (chosen is not None and len(chosen) == 0):
        return rows, scores
    _over_cores(_task(part, chosen, queries, rows, scores), len(queries))
    ids = np.where(rows >= 0, segment.ids[rows], -1)
    return ids, scores


def _task(
    part: LiveSegment, chosen: Int32 | None, queries: Rows, rows: Int64, scores: Float32
) -> Callable[[int, int], None]:
    """Return the function that answers the queries from its first to before its second argument."""
    from lexiscope.index.kernels import search_postings, search_rows

    segment = part.segment
    if chosen is not None and len(chosen) * segment.nnz < len(segment) ** 2:
        # Reading the weights of the few costs less than one pass over all rows' accumulators.
        return lambda first, last: search_rows(
            queries.pointers,
            queries.terms,
            queries.weights,
            first,
            last,
            chosen,
            segment.row_pointers,
            segment.row_terms,
            segment.row_weights,
            segment.columns,
            rows,
            scores,
        )
    allowed = part.allowed if chosen is None else _mask(chosen, len(segment))
    return lambda first, last: search_postings(
        queries.pointers,
        queries.terms,
        queries.weights,
        first,
        last,
        segment.terms,
        segment.term_pointers,
        segment.posting_rows,
        segment.posting_weights,
        len(segment),
        allowed,
        rows,
        scores,
    )


def _mask(chosen: Int32, n: int) -> UInt8:
    mask = np.zeros(n, np.uint8)
    mask[chosen] = 1
    mask.flags.writeable = False
    return mask


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
