"""Encode pictures and chapters in the order in which they lie in their sources, some at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from lexiscope.changes import skip
from lexiscope.chapter_vectors import chapter_vectors
from lexiscope.errors import UnreadableSource
from lexiscope.sources import Item, Skipped, Source, items
from lexiscope.vector_sets import Batch
from lexiscope.vector_store import Place, digests

if TYPE_CHECKING:
    from PIL.Image import Image
    from scipy.sparse import csr_array

    from lexiscope.encoder import LexicalEncoder

__all__ = ["Step", "resume_at", "stream"]

ITEMS_A_STEP = 64


@dataclass(frozen=True)
class Step:
    """Some things that follow one another, encoded.

    Attributes:
        place: how far they reach.
        batches: those that could be read, a batch a kind.
        skipped: the others.
        taken: how many things there were.
    """

    place: Place
    batches: tuple[Batch, ...]
    skipped: tuple[Skipped, ...]
    taken: int


def stream(sources: Sequence[Source], encoder: LexicalEncoder, place: Place) -> Iterator[Step]:
    """Encode what lies behind a place.

    Args:
        sources: files, in an order that does not change between runs.
        encoder: the model.
        place: what was taken already.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, digest in enumerate(digests(sources)):
            if number < place.source:
                continue
            done = place.item if number == place.source else 0
            for step in _source(sources[number], encoder, pool, done):
                done += step.taken
                yield Step(Place(number, done, digest), step.batches, step.skipped, step.taken)
            yield Step(Place(number + 1, 0, digest), (), (), 0)


def _source(source: Source, encoder: LexicalEncoder, pool: ThreadPoolExecutor, done: int) -> Iterator[Step]:
    """What a source holds behind the things that are done."""
    nowhere = Place()
    remaining: Iterator[Item]
    try:
        remaining = islice(items(source), done, None)
        while chunk := list(islice(remaining, ITEMS_A_STEP)):
            batches, skipped = _encode(chunk, encoder, pool)
            yield Step(nowhere, batches, skipped, len(chunk))
    except UnreadableSource as error:
        yield Step(nowhere, (), (skip(source.name, error),), 0)


def _encode(
    chunk: list[Item], encoder: LexicalEncoder, pool: ThreadPoolExecutor
) -> tuple[tuple[Batch, ...], tuple[Skipped, ...]]:
    """Items of one source: all pictures, or all chapters."""
    chapters = [item for item in chunk if item.chapter is not None]
    rows = []
    if chapters:
        words = [item.chapter for item in chapters if item.chapter is not None]
        rows.append(_batch(chapters, "chapter", chapter_vectors(encoder, words)))
    pictures = [item for item in chunk if item.picture is not None]
    side = encoder.model.picture_side if pictures else 0  # a model of texts has none
    opened = list(pool.map(lambda item: _open(item, side), pictures))
    good = [picture for picture in opened if not isinstance(picture, UnreadableSource)]
    if good:
        kept = [
            item
            for item, picture in zip(pictures, opened, strict=True)
            if not isinstance(picture, UnreadableSource)
        ]
        rows.append(_batch(kept, "image", encoder.encode_image(good, show_progress_bar=False)))
    skipped = [
        skip(item.key, picture)
        for item, picture in zip(pictures, opened, strict=True)
        if isinstance(picture, UnreadableSource)
    ]
    return tuple(rows), tuple(skipped)


def _batch(items: Sequence[Item], kind: str, rows: csr_array) -> Batch:
    names = tuple(item.key for item in items)
    return Batch(names, (kind,) * len(names), tuple(item.source for item in items), rows)


def _open(item: Item, side: int) -> Image | UnreadableSource:
    """Open a picture, or say why not: a pool's thread must not stop the others."""
    try:
        return item.picture(size_hint=side)  # type: ignore[misc]
    except UnreadableSource as error:
        return error


def resume_at(sources: Sequence[Source], place: Place) -> bool:
    """Whether the sources up to a place are what they were when it was reached."""
    if not place.digest:
        return True
    last = place.source if place.item else place.source - 1
    found = next(islice(digests(sources), last, None), "")
    return found == place.digest
