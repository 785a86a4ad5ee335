"""Which words were said of which picture, in whatever form: *dogs* in a caption counts for the word *dog*.

Two words are the same word when they share a lemma. Without a sentence around it a word may have several
(*building* is a thing, or what builders do); all of them count, for models and baselines alike. The lemmas
are LemmInflect's, from the NIH's SPECIALIST lexicon; they come in its package. English only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from scipy.sparse import csr_array

from lexiscope.vocabulary import words

__all__ = ["FUNCTION_WORDS", "lemmas", "said"]

FUNCTION_WORDS: frozenset[str] = frozenset(
    """a an the this that these those each every all both some any no none another other such
    i you he she it we they me him her us them my your his its our their mine yours hers ours theirs myself
    yourself himself herself itself ourselves themselves one's who whom whose which what where when why how
    there here somebody someone something anybody anyone anything nobody nothing everybody everyone everything
    am is are was were be been being do does did doing done have has had having can could may might must shall
    should will would get gets getting got gotten
    and or but nor so yet if as than then because while though although whether since until unless
    of in on at by to from with without for into onto upon out off over under above below up down about across
    after against along among around before behind beneath beside besides between beyond during inside near
    next outside past per through throughout toward towards via within like amongst atop underneath
    not n't just also too very only even still again ever never away back together apart s t""".split()
)
"""Closed-class words of English: they are in nearly every caption and say nothing about a picture."""


@cache
def lemmas(word: str) -> frozenset[str]:
    """The lemmas of a folded English word in all its parts of speech; the word itself where it is unknown."""
    from lemminflect import getAllLemmas

    return frozenset(lemma.lower() for forms in getAllLemmas(word).values() for lemma in forms) or frozenset(
        (word,)
    )


def said(captions: Sequence[Iterable[str]], terms: Sequence[str]) -> csr_array:
    """Which terms are said in which picture's captions.

    Args:
        captions: the captions of each picture.
        terms: folded words; what is no whole word (a piece) is said nowhere.

    Returns:
        (pictures, terms) of bool.
    """
    rows = [*(lemmas_of(texts) for texts in captions), *(_term_lemmas(term) for term in terms)]
    has = _incidence(rows)
    return csr_array(has[: len(captions)] @ has[len(captions) :].T > 0)


def lemmas_of(texts: Iterable[str]) -> frozenset[str]:
    """All lemmas of all words of some texts."""
    return frozenset(lemma for text in texts for word in words(text) for lemma in lemmas(word))


def _term_lemmas(term: str) -> frozenset[str]:
    return lemmas(term) if words(term) == [term] else frozenset()


def _incidence(rows: Sequence[frozenset[str]]) -> csr_array:
    """Rows of lemmas as ones in a matrix with a column a lemma."""
    places: dict[str, int] = {}
    columns = [places.setdefault(lemma, len(places)) for row in rows for lemma in sorted(row)]
    pointers = np.cumsum([0, *(len(row) for row in rows)])
    ones, found = np.ones(len(columns), np.int32), np.array(columns, np.int64)
    return csr_array((ones, found, pointers), shape=(len(rows), len(places)))
