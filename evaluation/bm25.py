"""BM25, by bm25s: over any texts, and over the captions that stand in for pictures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.measures import Float32, Int64
from lexiscope.vocabulary import words

__all__ = ["BM25", "LaterCaptions", "OtherCaptions"]

K1, B = 0.9, 0.4
"""The parameters that Anserini takes, and most published baselines with it."""


class BM25:
    """BM25 over the folded words of texts; a text without a word in common with a query is not found.

    Args:
        texts: what is found; text i has the id i.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for DEBUG itself
        self._texts = len(texts)
        self._index = bm25s.BM25(k1=K1, b=B)
        self._index.index([words(text) or [""] for text in texts], show_progress=False)

    def __len__(self) -> int:
        return self._texts

    def search(self, queries: Sequence[str], /, k: int) -> tuple[Int64, Float32]:
        """Ids and scores of the first k of each query, (n, k), best first; -1 and 0 at the end."""
        ids = np.full((len(queries), min(k, len(self))), -1, np.int64)
        scores = np.zeros(ids.shape, np.float32)
        for row, query in enumerate(queries):
            asked = words(query)
            if not asked:
                continue
            found = np.asarray(self._index.get_scores(asked), np.float32)
            best = np.argsort(-found, kind="stable")[: ids.shape[1]]
            best = best[found[best] > 0]
            ids[row, : len(best)], scores[row, : len(best)] = best, found[best]
        return ids, scores

    def save(self, folder: Path, /) -> None:
        """Write it as bm25s does, to a new folder."""
        self._index.save(str(folder), show_progress=False)


class OtherCaptions:
    """Pictures described by people, to be found by a caption that is not among the descriptions.

    Caption number i of a picture (from 0) is asked for in a collection where every picture stands as all its
    captions but number i: the query is never part of what it should find, and all pictures lose the same.

    Args:
        dataset: at least two captions a picture.
    """

    def __init__(self, dataset: CaptionedPictures) -> None:
        self._texts = dataset.texts
        self._numbers = np.concatenate([np.arange(len(own)) for own in dataset.captions])
        self._pictures = len(dataset)
        self._indexes = {
            number: BM25([_without(own, number) for own in dataset.captions])
            for number in range(int(self._numbers.max()) + 1)
        }

    def __len__(self) -> int:
        return self._pictures

    def search(self, queries: Int64, /, k: int) -> tuple[Int64, Float32]:
        """As `BM25.search`; queries are rows of the data set's captions, (n,)."""
        parts = [self._indexes[int(self._numbers[row])].search([self._texts[row]], k) for row in queries]
        return np.concatenate([ids for ids, _ in parts]), np.concatenate([scores for _, scores in parts])

    def save(self, folder: Path, /) -> None:
        """Write the collections to a new folder."""
        folder.mkdir(parents=True)
        for number, index in self._indexes.items():
            index.save(folder / str(number))


class LaterCaptions:
    """Captions to be found by the first caption of their picture, which is not among them.

    Args:
        dataset: at least two captions a picture.
    """

    def __init__(self, dataset: CaptionedPictures) -> None:
        self._first = [own[0] for own in dataset.captions]
        self._index = BM25([text for own in dataset.captions for text in own[1:]])

    def __len__(self) -> int:
        return len(self._index)

    def search(self, queries: Int64, /, k: int) -> tuple[Int64, Float32]:
        """As `BM25.search`; queries are rows of the data set's pictures, (n,)."""
        return self._index.search([self._first[row] for row in queries], k)

    def save(self, folder: Path, /) -> None:
        """Write it to a new folder."""
        self._index.save(folder)


def _without(captions: Sequence[str], number: int) -> str:
    return " ".join(caption for place, caption in enumerate(captions) if place != number)
