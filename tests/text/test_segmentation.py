import json
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiscope.text.segment_features import FEATURES, look_at
from lexiscope.text.segment_kernels import best_cuts, compare_windows
from lexiscope.text.segmentation import Segmenter, SegmenterWeights, _peaks
from lexiscope.text.spoken_words import count_words, stem, words_in
from lexiscope.text.transcript import Transcript, Unit

SUBJECTS = {
    "bread": "dough flour yeast oven crust sourdough knead rye loaf baker rise ferment",
    "sailing": "mast keel harbour wind tack rudder anchor sail tide hull skipper rope",
    "chess": "pawn bishop knight opening endgame castle gambit queen board rook checkmate clock",
}


def talk(subject, sentences, chance):
    words = SUBJECTS[subject].split()
    filler = "so you know the thing is that we really have to look at it with a lot of care and".split()
    return [
        " ".join(chance.choice(words) if chance.random() < 0.4 else chance.choice(filler) for _ in range(14))
        + "."
        for _ in range(sentences)
    ]


def episode():
    """Three subjects; the later ones begin at units 40 and 85."""
    chance = random.Random(1)
    texts = talk("bread", 40, chance)
    texts += ["Okay, next topic: let's talk about sailing.", *talk("sailing", 44, chance)]
    texts += ["Great. Finally, another question: what about chess?", *talk("chess", 39, chance)]
    return Transcript("Hobbies", tuple(Unit(text) for text in texts))


def as_captions(transcript, words=6):
    """The same words in short pieces without punctuation, and the words before each unit of old."""
    units = [words_in(unit.text) for unit in transcript.units]
    whole = [word for unit in units for word in unit]
    pieces = [" ".join(whole[begin : begin + words]) for begin in range(0, len(whole), words)]
    return Transcript("Hobbies", tuple(Unit(piece) for piece in pieces)), np.cumsum(
        [0, *map(len, units)]
    ) / words


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter.bundled()


def covers(cuts, units):
    """Cuts are whole numbers in order, and every unit belongs to exactly one chapter."""
    assert cuts[:1] == ([0] if units else [])
    assert all(isinstance(cut, int) for cut in cuts)
    assert all(first < second for first, second in pairwise(cuts))
    assert not cuts or cuts[-1] < units


def test_subjects_are_told_apart(segmenter):
    cuts = segmenter.cuts(episode())
    covers(cuts, 125)
    for right in (40, 85):
        assert min(abs(cut - right) for cut in cuts) <= 2
    assert len(cuts) <= 8


def test_the_same_cuts_every_time(segmenter):
    assert segmenter.cuts(episode()) == segmenter.cuts(episode())


def test_captions_are_cut_where_sentences_are(segmenter):
    captions, places = as_captions(episode())
    cuts = segmenter.cuts(captions)
    covers(cuts, len(captions.units))
    for right in (40, 85):
        assert min(abs(cut - places[right]) for cut in cuts) <= 6


def test_single_words_are_no_sentences(segmenter):
    captions, places = as_captions(episode(), words=1)
    cuts = segmenter.cuts(captions)
    covers(cuts, len(captions.units))
    assert len(cuts) <= 12
    for right in (40, 85):
        assert min(abs(cut - places[right]) for cut in cuts) <= 40


def test_long_turns_are_cut_where_sentences_are(segmenter):
    texts = [unit.text for unit in episode().units]
    begins = [*range(0, 40, 5), *range(40, 85, 5), *range(85, 125, 5)]
    turns = [" ".join(texts[begin:end]) for begin, end in pairwise([*begins, 125])]
    bare = [text.replace(".", "") for text in turns]
    for written in (turns, bare):
        cuts = segmenter.cuts(Transcript("Hobbies", tuple(Unit(text) for text in written)))
        covers(cuts, len(turns))
        assert len(cuts) <= 8
        for right in (40, 85):
            assert min(abs(cut - begins.index(right)) for cut in cuts) <= 1


def test_a_long_silence_is_a_hint(segmenter):
    texts = [unit.text for unit in episode().units]
    units = [Unit(text, None, 5.0 * n, 5.0 * n + 4.9) for n, text in enumerate(texts)]
    steady = Transcript("Hobbies", tuple(units))
    late = [Unit(u.text, None, u.start + 30 * (n >= 20), u.end + 30 * (n >= 20)) for n, u in enumerate(units)]
    places = look_at(steady)
    odds = segmenter.log_odds(places)
    assert segmenter.cuts(steady) == segmenter.cuts(episode())
    assert np.isfinite(odds).all()
    covers(segmenter.cuts(Transcript("Hobbies", tuple(late))), len(late))


ODD = {
    "nothing": [],
    "one unit": [Unit("Hello.")],
    "a giant unit": [Unit("word " * 5000)],
    "empty texts": [Unit("")] * 30,
    "some empty": [Unit("" if n % 3 else f"word{n} and more of it") for n in range(60)],
    "no letters": [Unit("… 123 !!! ---")] * 50,
    "only marks": [Unit("?!")] * 50,
    "the same": [Unit("the same sentence again and again")] * 200,
    "a thousand speakers": [Unit(f"I am number {n} here.", f"S{n}") for n in range(1000)],
    "backwards": [Unit(f"part {n} of it", "A", 1000.0 - n, 900.0 - n) for n in range(100)],
    "chinese": [
        Unit("今天我们讨论一下人工智能和音乐的关系。" if n < 30 else "接下来谈谈做饭。") for n in range(60)
    ],
    "german": [
        Unit("Kommen wir zum nächsten Thema." if n % 20 == 0 else "Das ist ja so.") for n in range(90)
    ],
    "thai": [Unit("สวัสดีครับวันนี้เราจะมาพูดเรื่องอาหาร")] * 40,
    "two": [Unit("One."), Unit("Two.")],
}


@pytest.mark.parametrize("units", ODD.values(), ids=list(ODD))
def test_odd_episodes_are_covered(segmenter, units):
    covers(segmenter.cuts(Transcript("odd", tuple(units))), len(units))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Unit,
            st.one_of(
                st.text(max_size=40), st.sampled_from(["okay next topic", "and then it", "a b c d e f g"])
            ),
            st.sampled_from([None, "A", "B", ""]),
            st.one_of(st.none(), st.floats(0, 1e5)),
            st.one_of(st.none(), st.floats(0, 1e5)),
        ),
        max_size=40,
    )
)
def test_whatever_is_said_is_covered(units):
    transcript = Transcript("any", tuple(units))
    cuts = Segmenter.bundled().cuts(transcript)
    covers(cuts, len(units))
    if units:
        assert np.isfinite(look_at(transcript).features).all()


def test_ten_thousand_units(segmenter):
    chance = random.Random(0)
    texts = [text for n in range(40) for text in talk(list(SUBJECTS)[n % 3], 250, chance)]
    cuts = segmenter.cuts(Transcript("long", tuple(Unit(text) for text in texts)))
    covers(cuts, 10_000)
    assert len(cuts) > 5


def test_weights_are_read_as_they_were_written(segmenter):
    data = json.loads(json.dumps(segmenter.weights.to_json()))
    assert SegmenterWeights.from_json(data).to_json() == data


def test_weights_for_other_features_are_refused(segmenter):
    data = segmenter.weights.to_json()
    data["features"].pop(FEATURES[0])
    with pytest.raises(ValueError, match="train it again"):
        SegmenterWeights.from_json(data)


def naive_windows(terms, weights, place, size):
    left, right = terms[max(0, place - size) : place], terms[place : place + size]
    left, right = (np.bincount(side[side >= 0], minlength=len(weights)) for side in (left, right))
    if not left.sum() or not right.sum():
        return 0.0
    dot = (weights * left * right).sum()
    return dot / np.sqrt((weights * left**2).sum() * (weights * right**2).sum())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-1, 5), min_size=1, max_size=40), st.integers(1, 12), st.data())
def test_sliding_windows_are_those_counted_anew(terms, size, data):
    terms = np.array(terms)
    places = np.array(sorted(data.draw(st.lists(st.integers(0, len(terms)), min_size=1, max_size=6))))
    weights = np.arange(1.0, 7.0)
    gains, costs = np.log(np.arange(len(terms) + 1) + 0.3), -np.arange(len(terms) + 1) * 0.1
    found = compare_windows(terms, weights, gains, costs, places, size)
    expected = [naive_windows(terms, weights, place, size) for place in places]
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-9)
    for place, apart in zip(places, found[:, 1], strict=True):
        sides = [terms[max(0, place - size) : place], terms[place : place + size]]
        left, right = (side[side >= 0] for side in sides)
        if len(left) and len(right):
            both = np.concatenate([left, right])
            value = likelihood(left, gains, costs) + likelihood(right, gains, costs)
            assert apart == pytest.approx((value - likelihood(both, gains, costs)) / len(both), abs=1e-9)


def likelihood(words, gains, costs):
    return sum(gains[:count].sum() for count in np.bincount(words)) + costs[len(words)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=7), st.data())
def test_no_other_cuts_are_better(scores, data):
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=len(scores), max_size=len(scores)))
    scores, begins = np.array(scores), np.cumsum([0, *lengths]).astype(float)
    mean, spread, weight = 1.2, 0.7, 0.8

    def value(cuts):
        ends = [*cuts[1:], len(scores)]
        off = (np.log(begins[ends] - begins[cuts] + 1) - mean) / spread
        off[-1] = min(0.0, off[-1])
        return scores[cuts[1:]].sum() - weight / 2 * (off**2).sum()

    best = max(
        value([0, *(n + 1 for n in range(len(scores) - 1) if mask >> n & 1)])
        for mask in range(2 ** (len(scores) - 1))
    )
    found = best_cuts(scores, begins, mean, spread, weight)
    assert value(found.tolist()) == pytest.approx(best)


def test_words_are_counted_by_their_stems():
    words = count_words([words_in("Transactions, transaction's"), words_in("and the node’s nodes")])
    assert words.terms.tolist() == [0, 0, -1, -1, 1, 1]
    assert words.begins.tolist() == [0, 2, 6]
    assert words.vocabulary == ("transa", "node")
    assert stem("und") == ""


def test_likely_places_side_by_side_are_one_beginning():
    odds = np.full(20, -6.0)
    odds[8:12] = [4.0, 5.0, 5.5, 4.0]
    kept = np.flatnonzero(_peaks(odds, 0.0) > 0)
    assert kept.tolist() == [10]


def test_no_chapter_is_a_few_words_at_the_beginning_or_the_end(segmenter):
    line = "Okay, next let's talk about something else."
    units = [Unit(line), Unit(line), *(Unit(f"The lamp {n} of the keeper.") for n in range(60)), Unit(line)]
    cuts = segmenter.cuts(Transcript("", tuple(units)))
    assert all(3 <= cut < 60 for cut in cuts[1:])
