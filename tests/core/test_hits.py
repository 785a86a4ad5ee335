"""Why something was found: shares of the score, words put together from pieces, the stretch of a passage."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lexiscope.hits import Hit, Match, Utterance, best_utterance, explain, snippet, spelt_words
from lexiscope.vocabulary import Vocabulary

WEIGHTS = st.dictionaries(st.integers(0, 200), st.floats(0, 4, width=32), max_size=40)


def row(vocabulary, **weights):
    dense = np.zeros((1, len(vocabulary)), np.float32)
    for term, weight in weights.items():
        dense[0, vocabulary.id_of(term)] = weight
    return csr_array(dense)


def spelt(vocabulary, text, weight):
    """A vector with a weight on every term that spells a text."""
    dense = np.zeros((1, len(vocabulary)), np.float32)
    dense[0, vocabulary.literals(text)] = weight
    return csr_array(dense)


def test_shares_are_products_over_the_score_heaviest_first(tiny_vocabulary):
    query = row(tiny_vocabulary, dog=2.0, beach=1.0, cat=5.0)
    document = row(tiny_vocabulary, dog=1.0, beach=3.0, horse=4.0)
    beach, dog = explain(tiny_vocabulary, query, document, spelt_words(tiny_vocabulary, "dog beach"))
    assert beach == Match("beach", 1.0, 3.0, pytest.approx(0.6))
    assert dog == Match("dog", 2.0, 1.0, pytest.approx(0.4))


@given(left=WEIGHTS, right=WEIGHTS)
def test_the_shares_add_up_whatever_the_vectors(left, right):
    vocabulary = Vocabulary.from_texts(["a dog"], min_count=1)
    query, document = (
        csr_array(
            (list(row.values()), ([0] * len(row), list(row))), shape=(1, len(vocabulary)), dtype=np.float32
        )
        for row in (left, right)
    )
    query.sort_indices()
    document.sort_indices()
    matches = explain(vocabulary, query, document, spelt_words(vocabulary, "zebra dog"))
    score = float(query.multiply(document).sum())
    assert [m.share for m in matches] == sorted((m.share for m in matches), reverse=True)
    if score > 0:
        assert sum(match.share for match in matches) == pytest.approx(1.0, rel=1e-4)


def test_no_shared_word_means_no_match(tiny_vocabulary):
    assert explain(tiny_vocabulary, row(tiny_vocabulary, dog=1.0), row(tiny_vocabulary, cat=1.0), {}) == ()


def test_pieces_of_a_word_of_the_query_are_shown_as_the_word(tiny_vocabulary):
    text = "dog schnorr"
    pieces = len(set(tiny_vocabulary.literals("schnorr")))
    assert pieces > 1
    both = spelt(tiny_vocabulary, text, 1.0)
    matches = explain(tiny_vocabulary, both, both, spelt_words(tiny_vocabulary, text))
    assert {match.word for match in matches} == {"dog", "schnorr"}
    found = next(match for match in matches if match.word == "schnorr")
    assert found.query == pytest.approx(pieces)
    assert found.share == pytest.approx(pieces / (pieces + 1))


def test_half_a_word_is_not_shown_as_the_word(tiny_vocabulary):
    spelling = spelt_words(tiny_vocabulary, "schnorr")
    query = spelt(tiny_vocabulary, "schnorr", 1.0)
    half = query.copy()
    half.data[0] = 0.0
    half.eliminate_zeros()
    assert "schnorr" not in {match.word for match in explain(tiny_vocabulary, query, half, spelling)}


def test_pieces_scattered_over_a_passage_do_not_make_a_word(tiny_vocabulary):
    spelling = spelt_words(tiny_vocabulary, "schnorr")
    query = spelt(tiny_vocabulary, "schnorr", 1.0)
    said = explain(tiny_vocabulary, query, query, spelling, "So said Schnorr.")
    scattered = explain(tiny_vocabulary, query, query, spelling, "Some other words.")
    assert [match.word for match in said] == ["schnorr"]
    assert "schnorr" not in {match.word for match in scattered}


def matches(*words):
    return [Match(word, 1.0, 1.0, 1 / len(words)) for word in words]


def test_a_snippet_is_the_sentence_that_speaks_most_of_the_words():
    text = "We begin here. Then a Dog came to the beach! And then it left. " + "More was said. " * 20
    shown = snippet(text, matches("dog", "beach"), length=40)
    assert shown.startswith("… Then a Dog came to the beach!")
    assert shown.endswith("…")


def test_a_snippet_of_a_short_text_is_the_text():
    assert snippet("Only this was said.", matches("dog")) == "Only this was said."
    assert snippet("", matches("dog")) == ""


@pytest.mark.parametrize("filler", ["word ", "字"])
def test_a_long_sentence_is_cut_around_the_match(filler):
    text = filler * 200 + " dog " + filler * 200
    shown = snippet(text, matches("dog"), length=60)
    assert len(shown) < 120
    assert "dog" in shown or filler == "字"


@given(st.text(max_size=600), st.integers(20, 200))
def test_a_snippet_of_anything_is_short(text, length):
    assert len(snippet(text, matches("dog"), length=length)) <= 2 * length + 8


def test_the_json_of_a_hit_is_the_contract():
    hit = Hit(1, 7, "chapter", "/e.vtt", 0.5, tuple(matches(*"abcdefghij")), "E", None, 1.0, 2.5, "said")
    shown = json.loads(json.dumps(hit.to_dict()))
    assert list(shown) == [
        "rank",
        "id",
        "kind",
        "source",
        "score",
        "terms",
        "episode",
        "title",
        "start",
        "end",
        "generated",
        "utterance",
    ]
    assert shown["terms"] == [[word, 0.1] for word in "abcdefgh"]
    assert len(hit.to_dict(explain=True)["explain"]) == 10


UNITS = [
    [0.0, "So we begin."],
    [None, "The lamp is old."],
    [9.0, "A whale"],
    [11.0, "ate the lamp."],
    [60.0, "Bye."],
]


def test_the_best_utterance_is_the_first_that_says_most():
    found = [Match("whale", 1.0, 1.0, 0.6), Match("lamp", 1.0, 1.0, 0.4)]
    moment = best_utterance(UNITS[2:], found)
    assert moment == Utterance("A whale ate the lamp. Bye.", 9.0)
    assert best_utterance([], found) is None
    assert best_utterance(UNITS, []) == Utterance("So we begin.", 0.0)


def test_an_utterance_without_a_time_has_that_of_its_turn():
    assert best_utterance(UNITS[:2], [Match("lamp", 1.0, 1.0, 1.0)]) == Utterance("The lamp is old.", 0.0)
    assert best_utterance([[None, "lamp"]], [Match("lamp", 1.0, 1.0, 1.0)]) == Utterance("lamp", None)
