"""Turns: so many requests compute at once, the others wait, and none waits or lasts for ever."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request

from lexiscope.demo.problems import Refusal

__all__ = ["Turns"]

Result = TypeVar("Result")


class Turns:
    """Runs blocking work in threads, as many at once as there are cores.

    Args:
        seconds: that a request may wait and compute.
        waiting: so many requests may wait.
        at_once: how many compute at once; None takes the number of cores.
    """

    def __init__(self, seconds: float, waiting: int, at_once: int | None = None) -> None:
        self.seconds = seconds
        self.waiting = waiting
        self._at_once = at_once or os.cpu_count() or 1
        self._limiter: CapacityLimiter | None = None

    async def take(self, request: Request, work: Callable[[], Result]) -> Result:
        """Do work when it is this request's turn, unless whoever asked has gone by then.

        A search that was superseded is one whose browser has hung up: it costs nothing but its place.

        Raises:
            Refusal: too many wait, it took too long, or nobody waits for the answer any more.
        """
        if self._limiter is None:  # it belongs to the event loop
            self._limiter = CapacityLimiter(self._at_once)
        if self._limiter.statistics().tasks_waiting >= self.waiting:
            raise Refusal(503, "too many requests at once; ask again in a moment")
        try:
            with anyio.fail_after(self.seconds):
                async with self._limiter:
                    if await request.is_disconnected():
                        raise Refusal(503, "the one who asked has gone")
                    return await run_sync(work, abandon_on_cancel=True)
        except TimeoutError:
            raise Refusal(
                504, f"this took more than {self.seconds:.0f} seconds; ask for less at once"
            ) from None
