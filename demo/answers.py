"""Answers to requests, from one state of the index. Plain functions, run in threads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lexiscope.demo.files import audio_beside, audio_published, decoded, open_document, picture_given
from lexiscope.demo.limits import Limits
from lexiscope.demo.problems import Refusal
from lexiscope.demo.schemas import (
    DocumentAnswer,
    Embed,
    EpisodeAnswer,
    HitAnswer,
    PatchesAnswer,
    QueryWord,
    Search,
    SearchAnswer,
    WeightedToken,
)
from lexiscope.edits import Edits
from lexiscope.errors import InvalidValue
from lexiscope.finding import KINDS
from lexiscope.hits import Hit
from lexiscope.questions import Question
from lexiscope.retriever import Retriever
from lexiscope.vision.patches import seen_box
from lexiscope.vocabulary import Vocabulary, words

__all__ = ["document", "embed", "episode", "patches", "search"]

WORDS_SHOWN = 24
WORDS_ADDED = 6  # words that the model adds to a question


def search(library: Retriever, asked: Search, limits: Limits) -> SearchAnswer:
    """Answer a question."""
    began = time.perf_counter()
    question = _question(library, asked, limits)
    finder = library.finder
    hits = finder.best(question, asked.k, KINDS if asked.kind is None else (asked.kind,))
    shown = _query_words(finder.query_words(question, asked.kind or "image"), question.text)
    took = 1000 * (time.perf_counter() - began)
    return SearchAnswer(
        query=asked.text, took_ms=round(took, 1), words=shown, hits=[_hit(hit) for hit in hits]
    )


def _question(library: Retriever, asked: Search, limits: Limits) -> Question:
    image = None
    if asked.image is not None:
        image = picture_given(decoded(asked.image, "image"), "image", limits.pixels)
    return library.ask(
        asked.text,
        image=image,
        like=asked.like,
        balance=asked.balance,
        edits=Edits.of(asked.weights, asked.forbid),
    )


def _query_words(weighed: Sequence[tuple[str, float]], text: str) -> list[QueryWord]:
    """The words of the text, and the heaviest of those that the model added."""
    said = set(words(text))
    asked = [QueryWord(word=word, weight=weight, asked=True) for word, weight in weighed if word in said]
    added = [
        QueryWord(word=word, weight=weight, asked=False)
        for word, weight in weighed
        if word not in said and not Vocabulary.is_piece(word)
    ]
    return asked[:WORDS_SHOWN] + added[: WORDS_ADDED if asked else 2 * WORDS_ADDED]


def _hit(hit: Hit) -> HitAnswer:
    return HitAnswer.model_validate(hit.to_dict(explain=True))


def embed(
    library: Retriever, asked: Embed, pictures: Sequence[bytes], limits: Limits
) -> list[list[WeightedToken]]:
    """Lexical vectors, texts first, then pictures."""
    texts = [asked.inputs] if isinstance(asked.inputs, str) else asked.inputs
    if not texts and not pictures:
        raise InvalidValue("there is nothing to encode: give inputs (texts) or images")
    if not all(text.strip() for text in texts):
        raise InvalidValue("inputs: a text is empty; leave it out")
    if len(texts) + len(pictures) > limits.batch:
        raise Refusal(413, f"a batch may have {limits.batch} texts and pictures; send several")
    if sum(len(text.encode("utf-8", "replace")) for text in texts) > limits.text_bytes:
        raise Refusal(
            413, f"the texts of a request may have {limits.text_bytes} bytes; send several requests"
        )
    encoder = library.encoder
    rows = []
    if texts:
        texts = [text.encode("utf-8", "replace").decode() for text in texts]
        rows.append(
            encoder.encode_query(texts) if asked.prompt_name == "query" else encoder.encode_document(texts)
        )
    if pictures:
        opened = [picture_given(data, f"images.{n}", limits.pixels) for n, data in enumerate(pictures)]
        rows.append(encoder.encode_image(opened, show_progress_bar=False))
    terms = encoder.vocabulary.terms
    return [
        [
            WeightedToken(index=int(term), value=float(value), token=terms[term])
            for term, value in zip(block[[number]].indices, block[[number]].data, strict=True)
        ]
        for block in rows
        for number in range(block.shape[0])
    ]


def document(library: Retriever, id: int) -> DocumentAnswer:
    """A document and its words."""
    found = library.collection.documents.get([id])[0]
    weighed = library.encoder.decode(library.collection.index.rows([id]))
    shown = [(word, weight) for word, weight in weighed if not Vocabulary.is_piece(word)][:WORDS_SHOWN]
    return DocumentAnswer(id=id, kind=found.kind, source=found.key, words=shown)


def episode(library: Retriever, id: int, text: str | None, edits: Edits) -> EpisodeAnswer:
    """The episode that a chapter belongs to; each chapter scored by a text."""
    store = library.collection.documents
    one = store.get([id])[0]
    if one.kind != "chapter":
        raise Refusal(404, f"document {id} is no chapter but a picture")
    name = one.fields.get("episode")
    ids = [
        other.id
        for other in store.find(sources=[one.source], kind="chapter")
        if other.fields.get("episode") == name
    ]
    # Without a question the chapters are listed all the same: an empty one scores nothing.
    question = library.ask(text, edits=edits) if text and text.strip() else Question(None, None, None)
    hits = library.finder.these(question, ids) if question.words is not None else _unasked(library, ids)
    audio = f"/documents/{id}/audio" if audio_beside(one) else None
    return EpisodeAnswer(
        episode=name,
        source=one.source,
        audio=audio,
        link=audio_published(one),
        chapters=[_hit(hit) for hit in hits],
    )


def _unasked(library: Retriever, ids: Sequence[int]) -> list[Hit]:
    return [
        Hit.of(document, rank=number, score=0.0, matches=())
        for number, document in enumerate(library.collection.documents.get(ids), 1)
    ]


def patches(library: Retriever, id: int, wanted: Sequence[str]) -> PatchesAnswer:
    """Where in a picture words come from."""
    found = library.collection.documents.get([id])[0]
    encoder = library.encoder
    picture = open_document(found, encoder.model.picture_side)
    said = next(encoder.encode_patches([picture]))
    columns = {int(term): place for place, term in enumerate(said.term_ids)}
    maps: dict[str, list[float]] = {}
    for word in wanted:
        places = [columns[term] for term in encoder.vocabulary.spell(word) if term in columns]
        if places:
            weights = said.weights[..., places].sum(axis=-1)
            share = weights / max(float(weights.max()), 1e-9)
            maps[word] = np.round(share, 3).ravel().tolist()
    width, height = picture.size
    left, top, right, bottom = seen_box(width, height, said.resize)
    box = (left / width, top / height, right / width, bottom / height)
    return PatchesAnswer(rows=said.grid[0], columns=said.grid[1], box=box, words=maps)


def audio_of(library: Retriever, id: int) -> Path:
    """The audio file of a chapter's episode."""
    path = audio_beside(library.collection.documents.get([id])[0])
    if path is None:
        raise Refusal(404, f"document {id} has no audio file beside its transcript")
    return path
