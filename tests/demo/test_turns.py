"""Turns: who computes, who waits, who is told to come back."""

import threading
from types import SimpleNamespace

import anyio
import pytest

from lexiscope.demo.problems import Refusal
from lexiscope.demo.turns import Turns


def asker(gone=False):
    async def is_disconnected():
        return gone

    return SimpleNamespace(is_disconnected=is_disconnected)


def test_never_more_at_once_than_there_are_places_and_all_are_served():
    turns = Turns(30, 100, 2)
    lock, now, most = threading.Lock(), 0, 0
    both = threading.Barrier(2, timeout=20)

    def work(number):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        both.wait()  # two compute at the same moment, or this test fails
        with lock:
            now -= 1
        return number

    async def ask_all():
        answers = []

        async def one(number):
            answers.append(await turns.take(asker(), lambda: work(number)))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(one, number)
        return answers

    assert sorted(anyio.run(ask_all)) == list(range(20))
    assert most == 2


def test_too_many_are_told_to_come_back():
    turns = Turns(30, 1, 1)
    end = threading.Event()
    refused = []

    async def ask_all():
        async def one():
            try:
                await turns.take(asker(), lambda: end.wait(20))
            except Refusal as refusal:
                refused.append(refusal.status)
                end.set()

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(one)

    anyio.run(ask_all)
    assert refused == [503]


def test_what_lasts_too_long_is_answered_and_keeps_its_place_until_it_ends():
    turns = Turns(0.05, 10, 1)
    end, ran = threading.Event(), []

    async def ask():
        with pytest.raises(Refusal, match="seconds") as slow:
            await turns.take(asker(), lambda: end.wait(20))
        assert slow.value.status == 504
        with pytest.raises(Refusal) as after:  # the place is still taken
            await turns.take(asker(), lambda: ran.append(1))
        assert after.value.status == 504 and ran == []
        end.set()
        turns.seconds = 20
        return await turns.take(asker(), lambda: "served")

    assert anyio.run(ask) == "served"


def test_who_has_gone_costs_nothing():
    turns, ran = Turns(5, 10, 1), []

    async def ask():
        with pytest.raises(Refusal, match="gone"):
            await turns.take(asker(gone=True), lambda: ran.append(1))
        return await turns.take(asker(), lambda: "served")

    assert anyio.run(ask) == "served" and ran == []


def test_errors_of_the_work_reach_the_asker_and_free_the_place():
    turns = Turns(5, 10, 1)

    def fail():
        raise TimeoutError("of the work's own")

    async def ask():
        for _ in range(3):
            with pytest.raises(TimeoutError, match="own"):
                await turns.take(asker(), fail)
        return await turns.take(asker(), lambda: 1)

    assert anyio.run(ask) == 1
