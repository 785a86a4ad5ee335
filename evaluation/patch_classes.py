"""Patches given classes by the words they say, or by the text tower's words for the class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from lexiscope.evaluation.measures import Float32, Int64
from lexiscope.vision.patches import PatchWords, relevance
from lexiscope.vocabulary import Vocabulary

__all__ = ["CLASS_WORDS", "ByText", "ByWord", "PatchClassifier", "PatchEncoder", "class_name", "class_words"]

CLASS_WORDS = {
    "aeroplane": "airplane airplanes aeroplane aeroplanes plane planes aircraft jet jets",
    "bicycle": "bicycle bicycles bike bikes",
    "bird": "bird birds",
    "boat": "boat boats ship ships",
    "bottle": "bottle bottles",
    "bus": "bus buses",
    "car": "car cars",
    "cat": "cat cats kitten kittens",
    "chair": "chair chairs",
    "cow": "cow cows cattle",
    "diningtable": "table tables",
    "dog": "dog dogs puppy puppies",
    "horse": "horse horses",
    "motorbike": "motorcycle motorcycles motorbike motorbikes",
    "person": "person people man men woman women boy boys girl girls child children",
    "pottedplant": "plant plants",
    "sheep": "sheep lamb lambs",
    "sofa": "sofa sofas couch couches",
    "train": "train trains",
    "tvmonitor": "tv tvs television televisions monitor monitors screen screens",
}
"""The words for each Pascal class, singular and plural: its name in American and British English, the
everyday words for the same thing, and no parts, riders or surroundings.
A class says as much as its loudest word."""

_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "tvmonitor": "tv monitor",
}


def class_words(label: str) -> list[str]:
    """The words for a class; a label that is no Pascal class stands for itself."""
    return CLASS_WORDS.get(label, label).split()


def class_name(label: str) -> str:
    """A class as people write it, for the text tower."""
    return _NAMES.get(label, label)


class PatchClassifier(Protocol):
    """Pictures to a class for each patch: what `evaluate_patches` measures."""

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""

    @property
    def resize(self) -> str:
        """How a picture is seen: "squash" (the whole of it) or "crop" (the square in its middle)."""

    def scores(self, pictures: Sequence[Path | bytes], /) -> Iterator[Float32]:
        """For each picture (rows · columns, classes); a patch is of the class with its highest score."""


class PatchEncoder(Protocol):
    """`LexicalEncoder`, or what encodes patches as it does."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The terms."""

    def encode_patches(
        self, pictures: list[Path | bytes], /, *, show_progress_bar: bool | None
    ) -> Iterator[PatchWords]:
        """The words of each patch of each picture."""

    def encode_query(self, texts: list[str], /, *, show_progress_bar: bool | None) -> csr_array:
        """Vectors of texts, (n, V)."""


class _Lexical:
    """What both ways of giving classes share."""

    def __init__(self, encoder: PatchEncoder, classes: Sequence[str], shape: PatchWords) -> None:
        self._encoder, self._classes = encoder, classes
        self.grid, self.resize = shape.grid, shape.resize

    def scores(self, pictures: Sequence[Path | bytes], /) -> Iterator[Float32]:
        """For each picture (rows · columns, classes)."""
        for patches in self._encoder.encode_patches(list(pictures), show_progress_bar=False):
            yield self._score(patches)

    def _score(self, patches: PatchWords) -> Float32:
        raise NotImplementedError


class ByWord(_Lexical):
    """A class's score is the weight of its loudest word in the patch's vector of unit length.

    Args:
        encoder: the model.
        classes: labels, without the background.
        shape: patches of any picture, for their grid.
    """

    def __init__(self, encoder: PatchEncoder, classes: Sequence[str], shape: PatchWords) -> None:
        super().__init__(encoder, classes, shape)
        place = {int(term): number for number, term in enumerate(shape.term_ids)}
        ids = [[encoder.vocabulary.id_of(word) for word in class_words(label)] for label in classes]
        self._columns: list[Int64] = [
            np.array([place[term] for term in terms if term in place], np.int64) for terms in ids
        ]

    @property
    def unsayable(self) -> list[str]:
        """Classes for which the picture tower has no word; their score is always 0."""
        return [
            label for label, columns in zip(self._classes, self._columns, strict=True) if not len(columns)
        ]

    def _score(self, patches: PatchWords) -> Float32:
        weights = patches.weights.reshape(-1, patches.weights.shape[-1])
        result = np.zeros((len(weights), len(self._columns)), np.float32)
        for number, columns in enumerate(self._columns):
            if len(columns):
                result[:, number] = weights[:, columns].max(axis=1)
        lengths = np.linalg.norm(weights, axis=1, keepdims=True).astype(np.float32)
        scaled: Float32 = result / np.maximum(lengths, np.float32(1e-12))
        return scaled


class ByText(_Lexical):
    """A class's score is the product of the patch's vector and the text tower's for the class's name.

    This is PatchDis as published: class names go through the text tower. Arguments as for `ByWord`.
    """

    def __init__(self, encoder: PatchEncoder, classes: Sequence[str], shape: PatchWords) -> None:
        super().__init__(encoder, classes, shape)
        names = [class_name(label) for label in classes]
        self._queries = encoder.encode_query(names, show_progress_bar=False)

    def _score(self, patches: PatchWords) -> Float32:
        maps = [relevance(patches, self._queries[[row]]) for row in range(self._queries.shape[0])]
        return np.stack(maps, axis=-1).reshape(-1, len(maps))
