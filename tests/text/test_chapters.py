"""Chapters cover an episode in order, keep what its creator made, and never invent a time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.text.chapters import make_chapters
from lexiscope.text.titles import ExtractiveTitler
from lexiscope.text.transcript import Mark, Transcript, Unit

TIMES = st.none() | st.integers(0, 500).map(float)
UNITS = st.lists(
    st.builds(
        Unit,
        st.text(max_size=40),
        st.none() | st.sampled_from(["Ada", "Bo"]),
        TIMES,
        TIMES,
    ),
    max_size=12,
).map(tuple)
MARKS = st.lists(
    st.builds(Mark, st.integers(0, 500).map(float), st.text(max_size=8), TIMES), min_size=1, max_size=6
).map(lambda marks: tuple(sorted(marks, key=lambda mark: mark.start)))


class At:
    """Cuts where it is told to."""

    def __init__(self, *cuts: int) -> None:
        self.given = list(cuts)

    def cuts(self, transcript: Transcript) -> list[int]:
        return [cut for cut in self.given if cut < len(transcript.units)]


def assert_covers(chapters, units):
    reached = 0
    for chapter in chapters:
        assert chapter.first_unit == reached and chapter.last_unit >= chapter.first_unit - 1
        reached = chapter.last_unit + 1
        assert chapter.title.strip()
    assert reached == len(units) or not chapters


@settings(deadline=None)
@given(UNITS, st.sets(st.integers(1, 12)))
def test_generated_chapters_cover_the_episode_and_use_stated_times_only(units, cuts):
    transcript = Transcript("An episode", units)
    chapters = make_chapters(transcript, At(0, *sorted(cuts)), ExtractiveTitler())
    assert_covers(chapters, units)
    assert bool(chapters) == bool(units)
    starts = {unit.start for unit in units} | {None}
    for chapter in chapters:
        assert chapter.generated and chapter.last_unit >= chapter.first_unit
        assert chapter.start in starts and chapter.end in starts | {unit.end for unit in units}
        assert chapter.end is None or chapter.start is None or chapter.end > chapter.start
    times = [chapter.start for chapter in chapters]
    assert None not in times or times == [None] * len(chapters)
    assert None in times or all(before < after for before, after in pairwise(times))
    for chapter, after in pairwise(chapters):
        assert chapter.end == after.start


@settings(deadline=None)
@given(UNITS, MARKS)
def test_the_creators_chapters_are_kept_as_they_are(units, marks):
    chapters = make_chapters(Transcript("An episode", units, marks=marks))
    assert [chapter.start for chapter in chapters] == [mark.start for mark in marks]
    assert not any(chapter.generated for chapter in chapters)
    for mark, chapter in zip(marks, chapters, strict=True):
        assert chapter.title == mark.title.strip() or not mark.title.strip()
    assert_covers(chapters, units)


def test_a_mark_begins_with_the_nearest_unit():
    units = tuple(Unit(f"words {start}", None, float(start), start + 9.0) for start in range(0, 60, 10))
    marks = (Mark(3.0, "One"), Mark(21.0, "Two", end=38.0), Mark(38.0, "Three"), Mark(300.0, "Music"))
    chapters = make_chapters(Transcript("Talk", units, marks=marks))
    assert [(chapter.first_unit, chapter.last_unit) for chapter in chapters] == [
        (0, 1),
        (2, 3),
        (4, 5),
        (6, 5),
    ]
    assert [chapter.end for chapter in chapters] == [21.0, 38.0, 300.0, None]


def test_a_cut_inside_a_turn_starts_with_the_turn():
    units = (
        Unit("good evening", "Ada", 5.0),
        Unit("and on", "Ada"),
        Unit("well", "Bo", 20.0),
        Unit("so", "Bo"),
        Unit("then", "Bo", None, 44.0),
    )
    chapters = make_chapters(Transcript("Talk", units), At(0, 1, 3, 4), ExtractiveTitler())
    assert [(chapter.first_unit, chapter.start, chapter.end) for chapter in chapters] == [
        (0, 5.0, 20.0),
        (3, 20.0, 44.0),
    ]


def test_a_clock_that_jumps_back_makes_no_chapter_start_too_early(caplog):
    starts = (5.0, 20.0, 400.0, 30.0, 40.0, 2.0, 50.0)
    units = tuple(Unit(f"words {start}", None, start) for start in starts)
    chapters = make_chapters(Transcript("Talk", units), At(0, 1, 2, 3, 4, 5, 6), ExtractiveTitler())
    assert [chapter.start for chapter in chapters] == [5.0, 20.0, 30.0, 40.0, 50.0]
    assert "jump back" in caplog.text
    assert_covers(chapters, units)


def test_words_before_the_first_time_belong_to_the_first_chapter(caplog):
    units = (Unit("Transcript of the show"), Unit("good evening", "Ada", 5.0), Unit("well", "Bo", 20.0))
    chapters = make_chapters(Transcript("Talk", units), At(0, 1, 2), ExtractiveTitler())
    assert [(chapter.first_unit, chapter.start) for chapter in chapters] == [(0, 5.0), (2, 20.0)]
    assert not caplog.text


def test_without_times_words_are_shared_out_by_the_lengths_of_the_creators_chapters(caplog):
    units = tuple(Unit("one two three four") for _ in range(10))
    marks = (Mark(0.0, "Short"), Mark(20.0, "Long", end=100.0))
    chapters = make_chapters(Transcript("Talk", units, marks=marks))
    assert [chapter.first_unit for chapter in chapters] == [0, 2]
    assert "no times" in caplog.text


@pytest.mark.parametrize("cuts", [(), (0, 99), (3, 0, 3)])
def test_odd_cuts_are_put_right(cuts):
    units = tuple(Unit(f"sentence {number}") for number in range(5))
    chapters = make_chapters(Transcript("Talk", units), At(*cuts), ExtractiveTitler())
    assert_covers(chapters, units)
