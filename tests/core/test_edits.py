"""A question edited by hand: words raised, muted, forbidden."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from typer.testing import CliRunner

from lexiscope.cli import app
from lexiscope.edits import Edits, reweigh, split_forbidden
from lexiscope.errors import InvalidValue, UnknownDocument
from lexiscope.vocabulary import words


def test_a_factor_on_one_word_leaves_the_others_and_the_input():
    row = csr_array(np.array([[0, 2, 3, 4]], np.float32))
    edited = reweigh(row, {1: 0.0, 3: 2.0, 0: 5.0})
    assert edited.toarray().tolist() == [[0, 0, 3, 8]]
    assert edited.nnz == 2 and edited.dtype == np.float32
    assert row.toarray().tolist() == [[0, 2, 3, 4]]


@given(
    st.dictionaries(st.integers(0, 30), st.floats(0.125, 4, width=32)),
    st.dictionaries(st.integers(0, 30), st.floats(0, 4, width=32)),
)
def test_reweighing_is_a_product_term_by_term(weights, factors):
    dense = np.zeros((1, 31), np.float32)
    dense[0, list(weights)] = list(weights.values())
    twin = dense * np.array([[factors.get(term, 1.0) for term in range(31)]], np.float32)
    np.testing.assert_allclose(reweigh(csr_array(dense), factors).toarray(), twin, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "rest", "forbidden"),
    [
        ("beach -people", "beach", ["people"]),
        ("beach −People", "beach", ["people"]),
        ("-people beach -dogs at night", "beach at night", ["people", "dogs"]),
        ("a well-known beach", "a well-known beach", []),
        ("- a list", "- a list", []),
        ("at -5 degrees", "at -5 degrees", []),
        ("an option --strict", "an option --strict", []),
        ("  kept   as it is ", "  kept   as it is ", []),
        ("beach -well-known", "beach", ["well", "known"]),
        ("-café", "", ["cafe"]),
        ("-people -people", "", ["people"]),
    ],
)
def test_a_minus_before_a_word_forbids_it(text, rest, forbidden):
    assert split_forbidden(text) == (rest, forbidden)


@given(st.text(st.sampled_from(" -−aé'’5.\n")) | st.text())
def test_no_word_is_lost_between_wanted_and_forbidden(text):
    rest, forbidden = split_forbidden(text)
    assert set(words(rest)) | set(forbidden) == set(words(text))


@pytest.mark.parametrize(
    ("weights", "forbid", "message"),
    [
        ({"dog": -1}, [], "multiplied by -1"),
        ({"dog": float("nan")}, [], "multiplied by nan"),
        ({"a dog": 1}, [], "is not one word"),
        ({}, ["..."], "is not one word"),
    ],
)
def test_edits_that_make_no_sense(weights, forbid, message):
    with pytest.raises(InvalidValue, match=message):
        Edits.of(weights, forbid)


def test_a_muted_word_is_no_reason_and_a_raised_one_more_of_it(library):
    plain = library.search("dog boat", kind="chapter", k=1)[0]
    assert {"dog", "boat"} <= {match.word for match in plain.matches}
    muted = library.search("dog boat", kind="chapter", k=1, edits=Edits.of({"Dog": 0}))[0]
    raised = library.search("dog boat", kind="chapter", k=1, edits=Edits.of({"dog": 3}))[0]
    share = {name: dict(hit.terms) for name, hit in (("plain", plain), ("muted", muted), ("raised", raised))}
    assert "dog" not in share["muted"]
    assert share["raised"]["dog"] > share["plain"]["dog"]
    query = {hit: {m.word: m.query for m in hit.matches} for hit in (plain, raised)}
    assert query[raised]["dog"] == pytest.approx(3 * query[plain]["dog"])
    assert query[raised]["boat"] == pytest.approx(query[plain]["boat"])


def test_no_hit_has_a_forbidden_word(library):
    everything = library.search("a dog on the beach", k=50)
    vocabulary, index = library.encoder.vocabulary, library.collection.index
    rows = index.rows([hit.id for hit in everything])
    word = vocabulary.terms[int(rows.indices[0])]  # the heaviest document has it
    having = {
        hit.id for number, hit in enumerate(everything) if vocabulary.id_of(word) in rows[[number]].indices
    }
    left = library.search("a dog on the beach", k=50, edits=Edits.of(forbid=[word]))
    assert having and {hit.id for hit in left} == {hit.id for hit in everything} - having


def test_a_word_in_pieces_is_forbidden_where_it_is_said(library):
    assert len(library.encoder.vocabulary.spell("wittgenstein")) > 1
    assert library.search("boat", kind="chapter", edits=Edits.of(forbid=["Wittgenstein"])) == []
    assert library.search("boat", kind="chapter", edits=Edits.of(forbid=["wittgenstone"])) != []


def test_the_balance_of_words_and_picture(library, files):
    both = {"text": "a brown dog", "image": files / "cat.jpg", "kind": "image", "k": 3}
    only_picture = library.search(image=files / "cat.jpg", kind="image", k=3)
    only_words = library.search("a brown dog", kind="image", k=3)
    assert [h.score for h in library.search(**both, balance=0)] == pytest.approx(
        [h.score for h in only_picture]
    )
    assert [h.score for h in library.search(**both, balance=1)] == pytest.approx(
        [h.score for h in only_words]
    )
    assert library.search(**both) == library.search(**both, balance=0.5)
    with pytest.raises(InvalidValue, match="balance"):
        library.search(**both, balance=1.5)


def test_more_like_a_document_leaves_it_out(library, files):
    first, second, *_ = library.search(image=files / "cat.jpg", kind="image", k=3)
    like = library.finder.best(library.ask(like=first.id), 3, ("image",))
    assert [hit.id for hit in like][:1] == [second.id]
    with pytest.raises(UnknownDocument):
        library.ask(like=10_000)
    with pytest.raises(InvalidValue, match="give one of them"):
        library.ask(like=first.id, image=files / "cat.jpg")


def test_named_documents_score_what_they_score_in_a_search(library):
    question = library.ask("a brown dog catches a ball")
    found = library.finder.best(question, 50)
    again = library.finder.these(question, [hit.id for hit in found])
    assert [hit.id for hit in again] == [hit.id for hit in found]
    assert [hit.score for hit in again] == pytest.approx([hit.score for hit in found], rel=1e-5)


def test_the_words_of_a_question_are_named_as_they_were_written(library):
    weighed = library.finder.query_words(library.ask("Wittgenstein dog"), "chapter")
    assert {"wittgenstein", "dog"} <= dict(weighed).keys()
    assert [weight for _, weight in weighed] == sorted((weight for _, weight in weighed), reverse=True)


def test_the_command_line_forbids_with_a_minus(library):
    folder = str(library.collection.folder)
    kept = CliRunner().invoke(app, ["search", folder, "boat", "--kind", "chapter", "--json"])
    shut = CliRunner().invoke(app, ["search", folder, "boat -wittgenstein", "--kind", "chapter", "--json"])
    assert (kept.exit_code, shut.exit_code) == (0, 0)
    assert json.loads(kept.stdout)["hits"] and not json.loads(shut.stdout)["hits"]
