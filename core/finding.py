"""Questions against one state of an index: the best documents of each kind, or those that are named."""

from __future__ import annotations

from collections.abc import Collection as Sized
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lexiscope.edits import reweigh
from lexiscope.feedback import search_again
from lexiscope.hits import Hit, explain, match_names, said, spelt_words
from lexiscope.questions import Question, holders, missed_words
from lexiscope.vocabulary import words

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from lexiscope.encoder import LexicalEncoder
    from lexiscope.feedback import Feedback
    from lexiscope.index import Document, DocumentStore, InvertedIndex, Selection
    from lexiscope.vocabulary import Vocabulary

__all__ = ["KINDS", "Finder"]

KINDS = ("image", "chapter")
TEXTS_READ = 500  # at most, to see whether a rare word is said


@dataclass(frozen=True)
class Finder:
    """One state of an index, to be asked."""

    index: InvertedIndex
    documents: DocumentStore
    vocabulary: Vocabulary

    def best(
        self,
        question: Question,
        k: int,
        kinds: Sized[str] = KINDS,
        *,
        under: str | None = None,
        since: float | None = None,
        until: float | None = None,
        feedback: Feedback | None = None,
    ) -> list[Hit]:
        """The k best hits, each kind being asked in the way that finds it best; see `Retriever.search`."""
        found = [
            hit
            for kind in KINDS
            if kind in kinds
            for hit in self._of_kind(
                self.documents.select(kind, under=under, since=since, until=until),
                kind,
                question,
                k,
                feedback,
            )
        ]
        found.sort(key=lambda hit: (-hit.score, hit.id))
        return [replace(hit, rank=rank) for rank, hit in enumerate(found[:k], 1)]

    def these(self, question: Question, ids: Sequence[int]) -> list[Hit]:
        """What named documents score, in the order given, whether anything matches or not.

        Raises:
            UnknownDocument: an id is not in the index.
        """
        documents = self.documents.get(ids)
        queries = {kind: self.query(question, kind) for kind in {document.kind for document in documents}}
        rows = self.index.rows(ids)
        scores = [
            float((rows[[number]] @ queries[document.kind].T).sum())
            for number, document in enumerate(documents)
        ]
        return [
            hit
            for number, document in enumerate(documents)
            for hit in self._hits(
                question, queries[document.kind], rows[[number]], [document], [scores[number]], number
            )
        ]

    def query(self, question: Question, kind: str) -> csr_array:
        """The vector that a question asks one kind of documents with, (1, V)."""
        if kind == "chapter":
            return question.for_chapters(self.index, self.documents.select(kind))
        return question.for_pictures()

    def query_words(self, question: Question, kind: str) -> list[tuple[str, float]]:
        """The words of a question and what they weigh, heaviest first; pieces go by the word they spell."""
        query = self.query(question, kind)
        names = match_names(
            self.vocabulary, query.indices.tolist(), spelt_words(self.vocabulary, question.text)
        )
        weights: dict[str, float] = {}
        for name, weight in zip(names, query.data.tolist(), strict=True):
            weights[name] = weights.get(name, 0.0) + weight
        return sorted(weights.items(), key=lambda item: (-item[1], item[0]))

    def _of_kind(
        self, whole: Selection, kind: str, question: Question, k: int, feedback: Feedback | None
    ) -> list[Hit]:
        """The best of some documents of a kind."""
        if not len(whole):
            return []
        # How rare a word is does not change with what is shut out.
        query = question.for_chapters(self.index, whole) if kind == "chapter" else question.for_pictures()
        allowed = self._allowed(whole, question)
        if feedback is not None:
            muted = {term: 0.0 for term, factor in question.factors.items() if not factor}
            query = reweigh(search_again(self.index, query, feedback, allowed), muted)
        ids, scores = self.index.search(query, k, only=allowed)
        found = ids[0][ids[0] >= 0]
        return self._hits(question, query, self.index.rows(found), self.documents.get(found), scores[0], 0)

    def _allowed(self, whole: Selection, question: Question) -> Selection:
        """Documents without forbidden words, and without the one whose like is looked for."""
        left = whole if question.like is None else whole.without([question.like])
        for word, spelt in question.forbidden.items():
            left = left.without(self._with_word(word, spelt))
        return left

    def _with_word(self, word: str, spelt: frozenset[int]) -> npt.NDArray[np.int64]:
        """Ids of the documents that have a word; a text with all its pieces must say it, too."""
        ids = holders(self.index, spelt)
        if len(spelt) < 2 or not len(ids):
            return ids
        texts = (said(document.fields) for document in self.documents.get(ids))
        return ids[np.array([text is None or word in words(text) for text in texts], np.bool_)]

    def _hits(
        self,
        question: Question,
        query: csr_array,
        rows: csr_array,
        documents: Sequence[Document],
        scores: Sequence[float] | npt.NDArray[np.float32],
        ranked: int,
    ) -> list[Hit]:
        spelling = spelt_words(self.vocabulary, question.text)
        return [
            Hit.of(
                document,
                rank=ranked + number + 1,
                score=float(scores[number]),
                matches=explain(self.vocabulary, query, rows[[number]], spelling, said(document.fields)),
            )
            for number, document in enumerate(documents)
        ]

    def unused_words(self, encoder: LexicalEncoder, text: str, hits: Sequence[Hit] = ()) -> list[str]:
        """Words of a question that no picture or chapter has; see `Retriever.unused_words`."""
        seen = {match.word for hit in hits for match in hit.matches}
        missed = missed_words(encoder, text)
        return [word for word, spelt in missed.items() if word not in seen and not self._is_used(word, spelt)]

    def _is_used(self, word: str, spelt: frozenset[int]) -> bool:
        """Whether a picture or chapter has the word.

        A chapter may have all the pieces of a word without the word, so its text decides.
        """
        single = len(spelt) < 2
        ids = holders(self.index, spelt, 1 if single else TEXTS_READ) if spelt else ()
        if single:
            return len(ids) > 0
        texts = (said(document.fields) for document in self.documents.get(ids))
        return any(text is None or word in words(text) for text in texts)
