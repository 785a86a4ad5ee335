from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.text.passages import _Atom, _cheapest_ends, _misfit, cut_passages
from lexiscope.text.transcript import Transcript, Unit

WORDS = st.lists(
    st.sampled_from(["a", "dog.", "the", "sea,", "(why?)", "“So!”", "10:30", "—", "東京。", "ไทย"]),
    max_size=60,
)
TIMES = st.one_of(st.none(), st.floats(0, 1e4))
UNITS = st.builds(
    Unit, WORDS.map(" ".join), st.sampled_from([None, "Ada", "Bo"]), start=TIMES, end=TIMES
)  # fmt: skip


def talk(*units: Unit) -> Transcript:
    return Transcript("talk", units)


def sentence(words: int, first: str = "w") -> str:
    return " ".join([first] * words) + "."


@settings(max_examples=80, deadline=None)
@given(st.lists(UNITS, max_size=25), st.integers(1, 40), st.integers(0, 40))
def test_no_word_is_lost_or_repeated_and_no_time_invented(units: list[Unit], least: int, more: int) -> None:
    passages = cut_passages(talk(*units), min_words=least, max_words=least + more)
    # Letters in order; blanks may come between letters of scripts that have none.
    assert "".join("".join(p.text.split()) for p in passages) == "".join(
        "".join(u.text.split()) for u in units
    )
    for passage in passages:
        assert passage.text
        assert passage.start == units[passage.first_unit].start
        last = units[passage.last_unit].end
        assert passage.end in (last, None)
        if last is not None and (passage.start is None or last >= passage.start):
            assert passage.end == last
    places = [place for p in passages for place in (p.first_unit, p.last_unit)]
    assert places == sorted(places)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["a", "dog.", "sea,", "x"]), max_size=90).map(" ".join), max_size=20)
)
def test_words_with_blanks_are_kept_as_they_are(texts: list[str]) -> None:
    passages = cut_passages(talk(*map(Unit, texts)), min_words=15, max_words=20)
    assert [word for p in passages for word in p.text.split()] == [
        word for text in texts for word in text.split()
    ]
    assert all(len(p.text.split()) <= 25 for p in passages)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.floats(-0.5, 1)), min_size=1, max_size=14),
    st.integers(1, 10),
    st.integers(0, 10),
)
def test_cuts_cost_least_of_all(sizes: list[tuple[int, float]], least: int, more: int) -> None:
    """Against every way to cut, one by one."""
    atoms = [_Atom(n, 0, 0, words, price) for n, (words, price) in enumerate(sizes)]
    most = least + more

    def price(begin: int, end: int) -> float:
        words = sum(atom.words for atom in atoms[begin:end])
        if words > 1.25 * most and end > begin + 1:
            return float("inf")
        return float(_misfit(np.array([words]), least, most)[0]) + atoms[end - 1].price

    def cheapest(begin: int) -> float:
        ways = (price(begin, end) + cheapest(end) for end in range(begin + 1, len(atoms) + 1))
        return min(ways, default=0.0)

    ends = _cheapest_ends(atoms, least, most)
    found = sum(price(begin, end) for begin, end in zip([0, *ends], ends, strict=False))
    assert ends[-1] == len(atoms)
    if len(atoms) <= 10:
        assert found == pytest.approx(cheapest(0))


def test_an_hour_of_talk_becomes_passages_of_the_wanted_length() -> None:
    units = [
        Unit(sentence(5 + n * 7 % 30), "AB"[n // 2 % 2], float(8 * n), 8 * n + 7.5) for n in range(450)
    ]  # fmt: skip
    lengths = [len(passage.text.split()) for passage in cut_passages(talk(*units))]
    assert 140 <= min(lengths) and max(lengths) <= 210
    assert sum(150 <= length <= 200 for length in lengths) > 0.9 * len(lengths)


def test_cuts_fall_on_long_pauses() -> None:
    units, clock, starts = [], 0.0, []
    for number in range(24):
        if number % 8 == 0 and number:
            clock += 6
            starts.append(clock)
        units.append(Unit(sentence(20), "A", clock, clock + 8))
        clock += 8
    assert [passage.start for passage in cut_passages(talk(*units))] == [0.0, *starts]


def test_cuts_fall_on_turns_and_sentence_ends() -> None:
    turns = [Unit(sentence(25), "AB"[n // 7 % 2]) for n in range(28)]
    assert [p.first_unit for p in cut_passages(talk(*turns))] == [0, 7, 14, 21]
    halves = [Unit("w " * 20 + ("w." if n % 8 == 7 else "w")) for n in range(24)]
    assert [p.first_unit for p in cut_passages(talk(*halves))] == [0, 8, 16]


def test_a_clock_that_jumps_back_is_a_place_to_cut() -> None:
    units = [Unit(sentence(20), None, float(n % 8), n % 8 + 1.0) for n in range(16)]
    passages = cut_passages(talk(*units))
    assert [(p.start, p.end) for p in passages] == [(0.0, 8.0), (0.0, 8.0)]


def test_an_end_before_the_start_is_unknown() -> None:
    passage = cut_passages(talk(Unit("One.", None, 9.0), Unit("Two.", None, 1.0, 2.0)))[0]
    assert (passage.start, passage.end) == (9.0, None)


def test_a_unit_that_is_too_long_is_cut_at_sentences_and_keeps_its_start() -> None:
    text = " ".join(sentence(17, f"s{n}") for n in range(40))
    passages = cut_passages(talk(Unit(text, "A", 5.0, 300.0)))
    assert len(passages) > 2
    assert all(p.text.endswith(".") and (p.start, p.end) == (5.0, 300.0) for p in passages)
    assert {(p.first_unit, p.last_unit) for p in passages} == {(0, 0)}


def test_a_unit_that_fits_is_never_cut() -> None:
    units = [Unit(" ".join([sentence(10)] * 12), "AB"[n % 2], float(n), n + 1.0) for n in range(9)]
    passages = cut_passages(talk(*units))
    assert [p.first_unit for p in passages[1:]] == [p.last_unit + 1 for p in passages[:-1]]


def test_scripts_without_spaces_are_cut_too() -> None:
    text = "今日はとても良い天気です。" * 200
    passages = cut_passages(talk(Unit(text, None, 1.0, 2.0)))
    assert "".join(p.text for p in passages) == text
    assert all(p.text.endswith("。") and 200 < len(p.text) < 520 for p in passages)


def test_nothing_and_nonsense() -> None:
    assert cut_passages(talk()) == []
    assert cut_passages(talk(Unit("  "))) == []
    for limits in ({"min_words": 0}, {"min_words": 10, "max_words": 9}):
        with pytest.raises(ValueError, match="min_words"):
            cut_passages(talk(Unit("a")), **limits)
