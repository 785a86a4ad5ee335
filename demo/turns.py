"""Turns: so many requests compute at once, the others wait, and none waits or lasts for ever."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio
from starlette.requests import Request

from lexiscope.demo.problems import Refusal

__all__ = ["Turns"]

Result = TypeVar("Result")


class Turns:
    """Runs blocking work in threads, as many at once as there are cores.

    Work cannot be stopped from outside. What lasts too long is answered with an error and goes on, and keeps
    its place until it ends: else each such request would leave one thread more to the others' cost.

    Args:
        seconds: that a request may wait and compute.
        waiting: so many requests may wait.
        at_once: how many compute at once; None takes the number of cores.
    """

    def __init__(self, seconds: float, waiting: int, at_once: int | None = None) -> None:
        self.seconds = seconds
        self.waiting = waiting
        at_once = at_once or os.cpu_count() or 1
        self._places = anyio.Semaphore(at_once, fast_acquire=True)  # who finds a free place never waits
        self._threads = ThreadPoolExecutor(at_once, "turn")
        self._queued = 0

    async def take(self, request: Request, work: Callable[[], Result]) -> Result:
        """Do work when it is this request's turn, unless whoever asked has gone by then.

        A search that was superseded is one whose browser has hung up: it costs nothing but its place.

        Raises:
            Refusal: too many wait, it took too long, or nobody waits for the answer any more.
        """
        if self._queued >= self.waiting:
            raise Refusal(503, "too many requests at once; ask again in a moment")
        with anyio.move_on_after(self.seconds):
            await self._place()
            return await self._work(request, work)
        raise Refusal(504, f"this took more than {self.seconds:.0f} seconds; ask for less at once")

    async def _place(self) -> None:
        """Wait for a place."""
        self._queued += 1
        try:
            await self._places.acquire()
        finally:
            self._queued -= 1

    async def _work(self, request: Request, work: Callable[[], Result]) -> Result:
        """Do work in a thread; the place is given back when the thread is done, however this ends."""
        loop = asyncio.get_running_loop()

        def give_back(_: object) -> None:
            try:
                loop.call_soon_threadsafe(self._places.release)
            except RuntimeError:  # the loop has ended meanwhile, and nobody waits in it
                self._places.release()

        try:
            if await request.is_disconnected():
                raise Refusal(503, "the one who asked has gone")
            future = self._threads.submit(work)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(give_back)
        return await asyncio.wrap_future(future)
