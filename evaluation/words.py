"""The words themselves: does a model say of a picture what people say, and no word of everything?

Retrieval can be good with words that mean nothing: LexVLA shows "shortcut" words that fire for every picture
and carry what the model likes there. So the five heaviest words of each picture are held against its
captions, and the weight on words that fire for more than a tenth of all items is summed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.encoding import Encoder, encode_pictures, encode_queries
from lexiscope.evaluation.lemmas import FUNCTION_WORDS, said
from lexiscope.vocabulary import words

__all__ = ["HEAVIEST", "Shortcuts", "WordsReport", "WordsSaid", "evaluate_words", "heaviest", "say_words"]

Float64: TypeAlias = npt.NDArray[np.float64]

HEAVIEST = 5
"""Words of a picture that its captions are asked about."""
OFTEN = 0.1
"""A word that fires for more than this share of all items may be a shortcut."""
_SHOWN = 20


class Precision(TypedDict):
    """Share of words that a caption of the picture has, in percent, by lemma."""

    all: float  # of the five heaviest words
    content: float  # of the five heaviest that are no function words


class ShortcutWord(TypedDict):
    """A word that fires for more than a tenth of all items; shares in percent."""

    word: str
    weight: float  # of all items' weight
    fires: float  # of all items
    said: float  # of all pictures: where a caption has the word, so that firing is only right


class Shortcuts(TypedDict):
    """The weight on words that fire for more than a tenth of all items."""

    share: float  # percent of all items' weight, items at unit length
    unsaid: float  # the part of it on words that captions say of at most a tenth of all pictures
    count: int
    heaviest: list[ShortcutWord]


class Counts(TypedDict):
    """Number of words of an item."""

    mean: float
    median: float
    max: int


class WordsReport(TypedDict):
    """Figures of one model on one data set, ready for JSON."""

    dataset: str
    model: str
    images: int
    captions: int
    precision: dict[str, Precision]  # model, always_commonest, random
    shortcuts: dict[str, Shortcuts]  # image, text; people: see `evaluate_words`
    active_words: dict[str, Counts]  # image, text
    distinct_words: dict[str, int]  # image, text: that fire at all
    overlap: float  # mean number of words that a caption and a picture share ("FLOPS")


@dataclass(frozen=True)
class WordsSaid:
    """What a model says of a data set, and what its captions say.

    Attributes:
        dataset: the pictures.
        terms: the model's vocabulary.
        pictures: (pictures, V) weights.
        captions: (captions, V) weights, encoded as queries.
    """

    dataset: CaptionedPictures
    terms: Sequence[str]
    pictures: csr_array
    captions: csr_array

    @cached_property
    def in_captions(self) -> csr_array:
        """Whether a caption of the picture has the term, (pictures, V) of bool."""
        return said(self.dataset.captions, self.terms)


def say_words(
    dataset: CaptionedPictures,
    encoder: Encoder,
    *,
    batch_size: int = 32,
    show_progress_bar: bool | None = None,
) -> WordsSaid:
    """Encode pictures and captions.

    Args:
        dataset: from `open_dataset`.
        encoder: the model.
        batch_size: pictures or texts a forward pass.
        show_progress_bar: None shows bars on standard error where that is a terminal.

    Raises:
        UnreadableSource: a picture is damaged.
        DatasetError: a picture is missing.
    """
    pictures = encode_pictures(dataset, encoder, batch_size, show_progress_bar)
    captions = encode_queries(dataset, encoder, batch_size, show_progress_bar)
    return WordsSaid(dataset, encoder.vocabulary.terms, pictures.rows, captions.rows)


def evaluate_words(result: WordsSaid, *, model: str = "") -> WordsReport:
    """Measure a model's words, in English.

    Beside its precision stand two that look at no picture: the five words that are said of most pictures, for
    every one; and words drawn by their frequency in all captions (the expected value, nothing is drawn). Both
    know the captions of this very data set.

    Some words are right for more than a tenth of all pictures. What that alone comes to is seen in the
    shortcuts of "people": vectors with just the words of each picture's captions, function words left out,
    equally heavy.

    Args:
        result: from `say_words`.
        model: what the report calls the model.
    """
    vectors = {"image": result.pictures, "text": result.captions}
    people = csr_array(_content(result.in_captions, result.terms).astype(np.float32))
    return {
        "dataset": result.dataset.name,
        "model": model,
        "images": len(result.dataset),
        "captions": result.captions.shape[0],
        "precision": {"model": _model_precision(result), **_baselines(result.dataset.captions)},
        "shortcuts": {name: _shortcuts(rows, result) for name, rows in {**vectors, "people": people}.items()},
        "active_words": {name: _counts(rows) for name, rows in vectors.items()},
        "distinct_words": {name: int((_firing(rows) > 0).sum()) for name, rows in vectors.items()},
        "overlap": float(_firing(result.captions) @ _firing(result.pictures)),
    }


def heaviest(rows: csr_array, number: int = HEAVIEST) -> csr_array:
    """Mark the heaviest words of each row; of equal weights the first in the vocabulary.

    Returns:
        Of the shape of `rows`, ones in int32.
    """
    columns = [
        row.indices[np.lexsort((row.indices, -row.data))[:number]]
        for row in (rows[[place]] for place in range(rows.shape[0]))
    ]
    pointers = np.cumsum([0, *map(len, columns)])
    marks = np.ones(pointers[-1], np.int32)
    return csr_array((marks, np.concatenate([*columns, []]).astype(np.int64), pointers), shape=rows.shape)


def precision(rows: csr_array, right: csr_array) -> float:
    """Percent of the five heaviest words that are right; one that a row lacks counts as wrong.

    Args:
        rows: (n, V) weights.
        right: (n, V) of bool.
    """
    return 100 * float(heaviest(rows).multiply(right).sum()) / (HEAVIEST * rows.shape[0])


def _model_precision(result: WordsSaid) -> Precision:
    content = _content(result.pictures, result.terms)
    return {
        "all": precision(result.pictures, result.in_captions),
        "content": precision(content, result.in_captions),
    }


def _content(rows: csr_array, terms: Sequence[str]) -> csr_array:
    """Rows without their function words."""
    content = np.array([term not in FUNCTION_WORDS for term in terms], np.float32)
    kept = csr_array(rows.multiply(content))
    kept.eliminate_zeros()
    return kept


def _baselines(captions: Sequence[Sequence[str]]) -> dict[str, Precision]:
    """Precision of the commonest words, and expected precision of words drawn by frequency."""
    spoken = [[word for text in texts for word in words(text)] for texts in captions]
    tokens = Counter(word for own in spoken for word in own)
    pictures = Counter(word for own in spoken for word in set(own))
    terms = sorted(tokens, key=lambda word: (-pictures[word], word))
    content = [word for word in terms if word not in FUNCTION_WORDS]
    common_all, drawn_all = _blind(captions, terms, tokens)
    common_content, drawn_content = _blind(captions, content, tokens)
    return {
        "always_commonest": {"all": common_all, "content": common_content},
        "random": {"all": drawn_all, "content": drawn_content},
    }


def _blind(
    captions: Sequence[Sequence[str]], terms: Sequence[str], tokens: Counter[str]
) -> tuple[float, float]:
    """Precision of the first five terms for every picture, and of terms drawn by their count."""
    right = said(captions, terms).astype(np.float64)
    drawn = np.array([tokens[term] for term in terms], np.float64)
    first = np.zeros(len(terms))
    first[:HEAVIEST] = 1 / HEAVIEST
    return 100 * float((right @ first).mean()), 100 * float((right @ drawn).mean() / max(1, drawn.sum()))


def _firing(rows: csr_array) -> Float64:
    """Share of the rows that have each word, (V,)."""
    return np.bincount(rows.indices, minlength=rows.shape[1]) / rows.shape[0]


def _shortcuts(rows: csr_array, result: WordsSaid) -> Shortcuts:
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    owners = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    weight = np.bincount(rows.indices, rows.data / lengths[owners], minlength=rows.shape[1])
    weight = 100 * weight / max(weight.sum(), 1e-12)
    fires, people = _firing(rows), _firing(result.in_captions)
    often = np.flatnonzero(fires > OFTEN)
    shown = often[np.argsort(-weight[often], kind="stable")][:_SHOWN]
    return {
        "share": float(weight[often].sum()),
        "unsaid": float(weight[often[people[often] <= OFTEN]].sum()),
        "count": len(often),
        "heaviest": [
            {
                "word": result.terms[term],
                "weight": float(weight[term]),
                "fires": 100 * float(fires[term]),
                "said": 100 * float(people[term]),
            }
            for term in shown
        ],
    }


def _counts(rows: csr_array) -> Counts:
    counts = np.diff(rows.indptr)
    return {"mean": float(counts.mean()), "median": float(np.median(counts)), "max": int(counts.max())}
