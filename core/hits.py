"""What a person gets back from a search: hits, and the words that made them hits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lexiscope.vocabulary import words

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from lexiscope.index import Document
    from lexiscope.vocabulary import Vocabulary

__all__ = [
    "Hit",
    "Match",
    "Utterance",
    "best_utterance",
    "explain",
    "match_names",
    "said",
    "snippet",
    "spelt_words",
]

TERMS_SHOWN = 8
# An utterance goes on for about this many words, since the units of captions are shreds of sentences.
_UTTERANCE = 25
_LONGEST_UTTERANCE = 300  # characters
# What matched counts this much where it is not said at once, so that a jump lands on the words themselves.
_LATER = 0.5
_SENTENCE = re.compile(r"(?<=[.!?…。！？])\s*(?=\S)")


@dataclass(frozen=True)
class Match:
    """A word that the query and a document share. A word spelt in pieces has the sums over its pieces."""

    word: str
    query: float  # weight in the query
    document: float  # weight in the document
    share: float  # of the score: q_t · d_t / Σ q · d, in 0…1


@dataclass(frozen=True)
class Utterance:
    """The moment of a chapter that answers best."""

    text: str
    start: float | None  # seconds, as the file states it; None: it does not


@dataclass(frozen=True)
class Hit:
    """One answer to a search."""

    rank: int  # 1 is the best
    id: int  # in the index; never given to another document
    kind: str  # "image" or "chapter"
    source: str  # the file; `file#row` for a picture in a Parquet data set
    score: float  # Σ_t q_t · d_t
    matches: tuple[Match, ...] = field(repr=False)  # all shared words, heaviest first; shares add up to 1
    episode: str | None = None
    title: str | None = None
    start: float | None = None  # seconds
    end: float | None = None  # seconds
    text: str | None = None  # of a chapter, in full
    generated: bool | None = None  # the chapter was cut and named by this program, not by its creator
    utterance: Utterance | None = None  # of a chapter: where to jump to

    @property
    def terms(self) -> list[tuple[str, float]]:
        """The words that matched most, with their shares of the score, heaviest first."""
        return [(match.word, match.share) for match in self.matches[:TERMS_SHOWN]]

    @classmethod
    def of(cls, document: Document, *, rank: int, score: float, matches: tuple[Match, ...]) -> Hit:
        """Make a hit of an indexed document."""
        names = ("episode", "title", "start", "end", "text", "generated")
        shown = {name: document.fields.get(name) for name in names}
        source = document.key if document.kind == "image" else document.source
        units = document.fields.get("units")
        if units is None and shown["text"]:  # indexed by an earlier version, and not yet again
            units = [[shown["start"], shown["text"]]]
        moment = best_utterance(units or [], matches)
        return cls(rank, document.id, document.kind, source, score, matches, **shown, utterance=moment)

    def to_dict(self, *, explain: bool = False) -> dict[str, Any]:
        """The hit as JSON; `explain` adds each word's weight in the query and in the document."""
        names = ("rank", "id", "kind", "source", "score", "terms", "episode", "title", "start", "end")
        result: dict[str, Any] = {name: getattr(self, name) for name in names}
        result["generated"] = self.generated
        result["utterance"] = None if self.utterance is None else vars(self.utterance)
        if explain:
            result["explain"] = [vars(match) for match in self.matches]
        return result


def said(fields: dict[str, Any]) -> str | None:
    """Everything that an indexed chapter is found by, as one text; None for what has no text."""
    if fields.get("text") is None:
        return None
    parts = (fields.get("title"), fields.get("episode"), *(fields.get("speakers") or ()), fields["text"])
    return "\n".join(part for part in parts if part)


def best_utterance(units: Sequence[Sequence[Any]], matches: Sequence[Match]) -> Utterance | None:
    """The utterance of a chapter that says most of what matched, with its own time.

    Args:
        units: of the chapter: `[start, text]` each; a start may be None.
        matches: the words, with their shares of the score.

    Returns:
        The first of the best; the chapter's first words where nothing that matched is said in it; None where
        the chapter has no words.
    """
    shares = {match.word: match.share for match in matches}
    spoken = [[word for word in words(text) if word in shares] for _, text in units]
    lengths = [len(text.split()) for _, text in units]
    best, most = (0, 1), 0.0
    for begin in range(len(units)):
        if begin and not spoken[begin]:
            continue  # what leads up to the words that matched is no part of the answer
        end, length, heard = begin, 0, set[str]()
        while end < len(units) and (end == begin or length + lengths[end] <= _UTTERANCE):
            length += lengths[end]
            heard.update(spoken[end])
            end += 1
        opening = set(spoken[begin])
        score = sum(shares[word] * (1.0 if word in opening else _LATER) for word in heard)
        if score > most * (1 + 1e-9):
            best, most = (begin, end), score
    if not units:
        return None
    text = " ".join(text for _, text in units[slice(*best)])
    shown = text if len(text) <= _LONGEST_UTTERANCE else snippet(text, matches, length=_LONGEST_UTTERANCE)
    return Utterance(shown, _start(units, best[0]))


def _start(units: Sequence[Sequence[Any]], number: int) -> float | None:
    """When a unit starts; without a time of its own, when the last one before it does that has one."""
    return next((start for start, _ in reversed(units[: number + 1]) if start is not None), None)


def spelt_words(vocabulary: Vocabulary, text: str) -> dict[str, frozenset[int]]:
    """The words of a text, folded, each with the ids of the terms that spell it, in order."""
    return {word: frozenset(vocabulary.spell(word)) for word in words(text)}


def explain(
    vocabulary: Vocabulary,
    query: csr_array,
    document: csr_array,
    spelling: dict[str, frozenset[int]],
    text: str | None = None,
) -> tuple[Match, ...]:
    """Take a score apart into the words that it comes from.

    Args:
        vocabulary: names the terms.
        query: (1, V) lexical vector.
        document: (1, V) lexical vector.
        spelling: the query's words, from `spelt_words`.
        text: of the document, where it has one.

    Returns:
        One match for each shared word, heaviest first; the shares add up to 1.
    """
    shared, at_query, at_document = np.intersect1d(
        query.indices, document.indices, assume_unique=True, return_indices=True
    )
    of_query = query.data[at_query].astype(np.float64)
    of_document = document.data[at_document].astype(np.float64)
    products = of_query * of_document
    score = products.sum() or 1.0
    found: dict[str, Match] = {}
    said = spelling if text is None else _said(spelling, text)
    names = match_names(vocabulary, [int(term) for term in shared], said)
    for name, q, d, product in zip(names, of_query, of_document, products, strict=True):
        before = found.get(name, Match(name, 0.0, 0.0, 0.0))
        found[name] = Match(
            name, before.query + float(q), before.document + float(d), before.share + float(product / score)
        )
    return tuple(sorted(found.values(), key=lambda match: (-match.share, match.word)))


def _said(spelling: dict[str, frozenset[int]], text: str) -> dict[str, frozenset[int]]:
    """The query's words without those whose pieces are scattered over other words of the text."""
    here = set(words(text))
    return {word: spelt for word, spelt in spelling.items() if len(spelt) == 1 or word in here}


def match_names(vocabulary: Vocabulary, shared: list[int], spelling: dict[str, frozenset[int]]) -> list[str]:
    """What to call shared terms: a piece goes by the query's word that it spells.

    Only a word whose pieces are all shared is named: that *schnauzer* has the `schn~` of *schnorr* does not
    make it say *schnorr*.
    """
    here = frozenset(shared)
    called: dict[int, str] = {}
    for word, spelt in spelling.items():
        if spelt <= here:
            for term in spelt:
                called.setdefault(term, word)
    return [called.get(term, vocabulary.terms[term]) for term in shared]


def snippet(text: str, matches: Iterable[Match], *, length: int = 160) -> str:
    """The stretch of a passage that speaks most of the words that matched.

    Args:
        text: the passage.
        matches: the words, with their shares of the score.
        length: about how many characters to show.
    """
    shares = {match.word: match.share for match in matches}
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence]
    if not sentences:
        return ""
    scores = [sum(shares.get(word, 0.0) for word in set(words(sentence))) for sentence in sentences]
    best = max(range(len(sentences)), key=lambda place: (scores[place], -place))
    shown, last = sentences[best], best
    while last + 1 < len(sentences) and len(shown) + len(sentences[last + 1]) < length:
        last += 1
        shown += " " + sentences[last]
    cut = _around(shown, shares, length)
    before = "… " if best > 0 and not cut.startswith("…") else ""
    after = " …" if last + 1 < len(sentences) and not cut.endswith("…") else ""
    return f"{before}{cut}{after}"


def _around(sentence: str, shares: dict[str, float], length: int) -> str:
    """Cut a long sentence down to what stands around its heaviest match, at spaces where there are any."""
    if len(sentence) <= 1.5 * length:
        return sentence
    tokens = list(re.finditer(r"\S+", sentence))
    weights = [max((shares.get(word, 0.0) for word in words(token[0])), default=0.0) for token in tokens]
    middle = tokens[int(np.argmax(weights))].start()
    begin = max(0, min(middle - length // 2, len(sentence) - length))
    cut = sentence[begin : begin + length]
    if begin > 0:
        cut = re.sub(r"^\S{1,20}\s+", "", cut)
    if begin + length < len(sentence):
        cut = re.sub(r"\s+\S{1,20}$", "", cut)
    return f"{'… ' if begin > 0 else ''}{cut.strip()}{' …' if begin + length < len(sentence) else ''}"
