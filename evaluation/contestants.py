"""What is measured side by side: models' vectors, BM25 over captions, and combinations of them.

Each can be asked on any part of a data set (a fold), in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypedDict

import numpy as np

from lexiscope.errors import DatasetError
from lexiscope.evaluation.bm25 import LaterCaptions, OtherCaptions
from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.encoding import Encoded, Speed, VectorEncoder, fingerprint
from lexiscope.evaluation.fusion import FeedbackIndex, Interpolated, Part, When
from lexiscope.evaluation.measures import Int64
from lexiscope.evaluation.searching import Direction
from lexiscope.evaluation.vectors import Index, kind_of
from lexiscope.feedback import Feedback
from lexiscope.vocabulary import Vocabulary

__all__ = ["BM25_NAME", "Captions", "Contestant", "Facts", "Fold", "Mixed", "VectorModel", "folds"]

BM25_NAME = "bm25"
"""The name under which BM25 over captions is asked for."""


@dataclass(frozen=True)
class Fold:
    """Some pictures of a data set with all their captions.

    Attributes:
        pictures: rows of the pictures, ascending.
        captions: rows of their captions, ascending.
        owners: for each of the captions, the row of its picture in the data set.
    """

    pictures: Int64
    captions: Int64
    owners: Int64


def folds(dataset: CaptionedPictures, number: int) -> list[Fold]:
    """Cut a data set into parts of pictures that follow one another, as equal as can be.

    Raises:
        DatasetError: there are fewer pictures than parts.
    """
    if not 1 <= number <= len(dataset):
        raise DatasetError(
            f"{dataset.origin}: {len(dataset):,} pictures do not make {number} folds; "
            f"ask for 1 to {len(dataset)}"
        )
    owners = dataset.owners
    captions = np.arange(len(owners))
    parts = []
    for pictures in np.array_split(np.arange(len(dataset)), number):
        inside = (owners >= pictures[0]) & (owners <= pictures[-1])
        parts.append(Fold(pictures, captions[inside], owners[inside]))
    return parts


class Facts(TypedDict, total=False):
    """What a report says of a model besides what it finds."""

    vocabulary: dict[str, int | str]
    dimensions: int
    active_dims: dict[str, float]
    overlap: dict[str, float]
    encode: dict[str, Speed]
    fingerprint: str
    note: str


class Contestant(Protocol):
    """Something that ranks pictures for captions and captions for pictures."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def facts(self) -> Facts:
        """What else is to be said of it."""

    def directions(self, fold: Fold) -> dict[str, Direction]:
        """What to ask within a fold: text_to_image and image_to_text."""


@dataclass(frozen=True)
class VectorModel:
    """A model's vectors.

    Attributes:
        name: what reports call it.
        vocabulary: the terms that the columns stand for; None where they stand for nothing in particular.
        fingerprint: of the weights, where it is known.
        encoded: its vectors of the whole data set.
        index: makes an index of rows; None takes the one for their kind.
        feedback: asks twice.
        note: what is special about it.
    """

    name: str
    vocabulary: Vocabulary | None
    fingerprint: str | None
    encoded: Encoded[Any]
    index: Callable[[Any], Index] | None = None
    feedback: Feedback | None = None
    note: str = ""

    @classmethod
    def of(cls, name: str, encoder: VectorEncoder[Any], encoded: Encoded[Any]) -> VectorModel:
        """The vectors of a model, which itself is needed no more."""
        return cls(name, encoder.vocabulary, fingerprint(encoder), encoded)

    @property
    def facts(self) -> Facts:
        """Dimensions, active words, overlap and times to encode."""
        encoded, kind = self.encoded, kind_of(self.encoded.images.rows)
        images, queries, documents = encoded.images, encoded.queries, encoded.documents
        facts: Facts = {
            "dimensions": int(images.rows.shape[1]),
            "active_dims": {"image": images.active_dims, "text": queries.active_dims},
            "overlap": {
                "text_to_image": kind.overlap(queries.rows, images.rows),
                "image_to_text": kind.overlap(images.rows, documents.rows),
            },
            "encode": {"image": images.speed, "query": queries.speed, "document": documents.speed},
        }
        if self.vocabulary is not None:
            terms = self.vocabulary
            facts["vocabulary"] = {"terms": len(terms), "fingerprint": terms.fingerprint}
        if self.fingerprint is not None:
            facts["fingerprint"] = self.fingerprint
        if self.note:
            facts["note"] = self.note
        return facts

    def directions(self, fold: Fold) -> dict[str, Direction]:
        """See `Contestant`."""
        asked = {name: (part.queries, self._asked_twice(part)) for name, part in self.parts(fold).items()}
        return {
            "text_to_image": Direction("text to image", *asked["text_to_image"], fold.owners, fold.pictures),
            "image_to_text": Direction("image to text", *asked["image_to_text"], fold.pictures, fold.owners),
        }

    def _asked_twice(self, part: Part) -> Index:
        if self.feedback is None or part.documents is None:
            return part.index
        return FeedbackIndex(part.index, part.documents, self.feedback)

    def parts(self, fold: Fold) -> dict[str, Part]:
        """By direction: queries, the index without feedback, and the documents' vectors."""
        images = self.encoded.images.rows[fold.pictures]
        queries = self.encoded.queries.rows[fold.captions]
        documents = self.encoded.documents.rows[fold.captions]
        make = self.index or kind_of(images).index
        return {
            "text_to_image": Part(queries, make(images), images),
            "image_to_text": Part(images, make(documents), documents),
        }


@dataclass(frozen=True)
class Mixed:
    """Two models interpolated, with or without feedback; see `Interpolated`."""

    first: VectorModel
    second: VectorModel
    alpha: float = 0.5
    feedback: Feedback | None = None
    when: When = When.both

    @property
    def name(self) -> str:
        """Both names and how they are mixed."""
        both = f"{self.first.name} + {self.second.name}"
        return both if self.feedback is None else f"{both}, feedback {self.feedback.documents} {self.when}"

    @property
    def facts(self) -> Facts:
        """What counts how much."""
        return {"note": f"interpolated: {self.alpha:g} of the first, {1 - self.alpha:g} of the second"}

    def directions(self, fold: Fold) -> dict[str, Direction]:
        """See `Contestant`."""
        first, second = self.first.parts(fold), self.second.parts(fold)
        found = replace(self.first, feedback=None).directions(fold)
        return {
            name: replace(
                direction,
                queries=np.arange(direction.queries.shape[0]),
                index=Interpolated(first[name], second[name], self.alpha, self.feedback, self.when),
            )
            for name, direction in found.items()
        }


@dataclass(frozen=True)
class Captions:
    """BM25, with people's captions in the place of pictures: what a text search could reach with them.

    Text → image: each caption asks for its picture, and every picture stands as its captions without the one
    of that number. Image → text: the first caption of a picture asks for the others, among all others.

    Raises:
        DatasetError: a picture has one caption only, so that there is no other.
    """

    dataset: CaptionedPictures
    name: str = BM25_NAME

    def __post_init__(self) -> None:
        """Refuse what would ask for a picture that stands as nothing."""
        single = sum(len(own) < 2 for own in self.dataset.captions)
        if single:
            raise DatasetError(
                f"BM25 over captions needs two captions a picture or more, and {single:,} of the "
                f"{len(self.dataset):,} pictures have one: it cannot be computed"
            )

    @property
    def facts(self) -> Facts:
        """What it reads."""
        return {"note": "reads the other captions of each picture, not the pictures"}

    def directions(self, fold: Fold) -> dict[str, Direction]:
        """See `Contestant`."""
        part = self.dataset.part(fold.pictures)
        later = np.concatenate([np.arange(len(own)) > 0 for own in part.captions])
        return {
            "text_to_image": Direction(
                "text to image",
                np.arange(len(fold.captions)),
                OtherCaptions(part),
                fold.owners,
                fold.pictures,
            ),
            "image_to_text": Direction(
                "image to text", np.arange(len(part)), LaterCaptions(part), fold.pictures, fold.owners[later]
            ),
        }
