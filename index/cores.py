"""Work for all cores at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["cores", "each_over_cores", "over_cores"]


def over_cores(task: Callable[[int, int], None], n: int, size: int) -> None:
    """Run the task over 0 … n - 1, `size` at a time, in as many threads as there are cores.

    The kernels hold no GIL.

    Threads of ours rather than numba's prange: the same kernel serves one query and a thousand, and several
    callers may search at the same time, which numba's built-in threading layer does not survive.
    """
    tasks = -(-n // size)
    workers = min(cores(), tasks) if tasks > 1 else 1
    if workers == 1:
        task(0, n)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="lexiscope-search") as pool:
        futures = [pool.submit(task, first, min(first + size, n)) for first in range(0, n, size)]
        for future in futures:
            future.result()


def each_over_cores(task: Callable[[int], None], n: int) -> None:
    """Run the task for each of 0 … n - 1, in as many threads as there are cores."""

    def some(first: int, last: int) -> None:
        for number in range(first, last):
            task(number)

    over_cores(some, n, 1)


def cores() -> int:
    """Return how many cores this process may use: NUMBA_NUM_THREADS or, without it, the affinity mask."""
    asked = os.environ.get("NUMBA_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
