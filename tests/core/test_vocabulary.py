"""The vocabulary: words, pieces, and the promise that no string is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiscope.errors import ModelError
from lexiscope.vocabulary import Vocabulary, fold, words

TEXTS = ["the dog and the car", "the dog and the carpenter", "schnorr signatures, schnorrer"]


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary.from_texts(TEXTS, min_count=2, pieces=200)


def spelt(vocabulary, text):
    return [vocabulary.terms[number] for number in vocabulary.literals(text)]


def test_frequent_words_are_terms_and_rare_ones_are_pieces(vocabulary):
    assert spelt(vocabulary, "The dog") == ["the", "dog"]
    assert all(Vocabulary.is_piece(term) for term in spelt(vocabulary, "carpenter"))


def test_a_prefix_piece_is_not_the_whole_word():
    vocabulary = Vocabulary(["car", "car~", "~pet"])
    assert spelt(vocabulary, "car") == ["car"]
    assert spelt(vocabulary, "carpet") == ["car~", "~pet"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The man's dogs' café", ["the", "man", "dogs", "cafe"]),
        ("don’t stop", ["don't", "stop"]),
        ("C++ and C# or F#, #1", ["c++", "and", "c#", "or", "f#", "1"]),
        ("Bitcoin Core 24.0", ["bitcoin", "core", "24", "0"]),
        ("snake_case", ["snake", "case"]),
        ("我爱 dogs🐶", ["我", "爱", "dogs", "🐶"]),
        ("…!?", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_accents_and_case_fold():
    assert fold("Ärger ÉTÉ Straße") == "arger ete strasse"


@given(st.text(min_size=1))
def test_no_word_is_lost(text):
    vocabulary = Vocabulary.from_texts(TEXTS, min_count=2, pieces=20)
    assert all(vocabulary.spell(word) for word in words(text))


@given(st.lists(st.text(alphabet="abcxyz", min_size=1, max_size=12), min_size=2, max_size=2, unique=True))
def test_two_words_are_never_spelt_alike(pair):
    vocabulary = Vocabulary.from_texts(TEXTS, min_count=2, pieces=200)
    assert vocabulary.spell(pair[0]) != vocabulary.spell(pair[1])


def test_save_and_load_keep_the_fingerprint(vocabulary, tmp_path):
    vocabulary.save(tmp_path / "vocabulary.txt")
    again = Vocabulary.load(tmp_path / "vocabulary.txt")
    assert again.terms == vocabulary.terms
    assert again.fingerprint == vocabulary.fingerprint


def test_the_fingerprint_knows_every_term_and_its_place():
    prints = {Vocabulary(terms).fingerprint for terms in (["a", "b"], ["b", "a"], ["a", "b", "c"])}
    assert len(prints) == 3


@pytest.mark.parametrize("terms", [[], ["dog", "dog"]])
def test_bad_terms(terms):
    with pytest.raises(ModelError, match="vocabulary"):
        Vocabulary(terms)


def test_a_missing_file_says_which(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere\.txt"):
        Vocabulary.load(tmp_path / "nowhere.txt")
