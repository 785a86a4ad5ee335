"""How much of a lexical model survives with fewer words: LexVLA's figure 5.

Pictures and texts alike are cut to their heaviest words, and asked and found through the same index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from lexiscope.evaluation.contestants import Fold, VectorModel
from lexiscope.evaluation.encoding import Encoded, Speed, Vectors, speed
from lexiscope.evaluation.measures import RATES, mean_recall
from lexiscope.evaluation.searching import search
from lexiscope.evaluation.vectors import kind_of

__all__ = ["WORDS", "Pruned", "pruning_curve"]

WORDS = (8, 16, 32, 64, 128, 256)


class Pruned(TypedDict):
    """What a model does with a number of words a vector at most."""

    words: int
    active_dims: dict[str, float]  # image, text: mean words that are left
    text_to_image: dict[str, float]  # R@1, R@5, R@10 in percent
    image_to_text: dict[str, float]
    mean_recall: float
    search: dict[str, Speed]
    overlap: dict[str, float]  # by direction


def pruning_curve(
    model: VectorModel, fold: Fold, words: Sequence[int] = WORDS, *, show: bool | None = None
) -> list[Pruned]:
    """Measure a model cut to several numbers of words; nothing for a dense one.

    Args:
        model: of words.
        fold: of the data set.
        words: the most words a vector keeps, one point each.
        show: whether to show progress bars; None shows them where standard error is a terminal.
    """
    encoded = model.encoded
    if kind_of(encoded.images.rows).prune(encoded.images.rows, 1) is None:
        return []
    return [_point(replace(model, encoded=_cut(encoded, number)), fold, number, show) for number in words]


def _cut(encoded: Encoded, number: int) -> Encoded:  # type: ignore[type-arg]
    """All vectors with the heaviest words only."""
    cut = [
        Vectors(kind_of(part.rows).prune(part.rows, number), part.seconds)
        for part in (encoded.images, encoded.queries, encoded.documents)
    ]
    return Encoded(*cut)


def _point(model: VectorModel, fold: Fold, number: int, show: bool | None) -> Pruned:
    found = {name: search(one, None, show, deep=False) for name, one in model.directions(fold).items()}
    rates = {name: {rate: float(one.values[rate].mean()) for rate in RATES} for name, one in found.items()}
    facts = model.facts
    return {
        "words": number,
        "active_dims": facts["active_dims"],
        "text_to_image": rates["text_to_image"],
        "image_to_text": rates["image_to_text"],
        "mean_recall": mean_recall(list(rates.values())),
        "search": {name: speed(one.seconds, len(one.ranks)) for name, one in found.items()},
        "overlap": facts["overlap"],
    }
