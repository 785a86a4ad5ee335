"""Models by name: lexical ones, and dense ones behind `clip:`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.encoding import VectorEncoder
from lexiscope.evaluation.patch_classes import PatchClassifier

__all__ = ["DENSE", "open_classifiers", "open_encoder"]

DENSE = "clip:"
"""What the name of a dense model begins with."""


def open_encoder(name: str, *, device: str | None = None) -> VectorEncoder[Any]:
    """Load a model to measure.

    Args:
        name: what `LexicalEncoder.from_pretrained` takes; or `clip:` and what `DenseEncoder` takes.
        device: where to compute; None takes CUDA where there is one.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
    """
    if name.startswith(DENSE):
        from lexiscope.evaluation.dense import DenseEncoder

        return DenseEncoder.from_pretrained(name.removeprefix(DENSE), device=device)
    from lexiscope.encoder import LexicalEncoder

    return LexicalEncoder.from_pretrained(name, device=device)


def open_classifiers(
    name: str, dataset: CaptionedPictures, classes: Sequence[str]
) -> tuple[dict[str, PatchClassifier], list[str]]:
    """Load a model to give classes to patches.

    Args:
        name: as for `open_encoder`.
        dataset: of the pictures that will be looked at.
        classes: labels, without the background.

    Returns:
        The model's ways of doing so, by name; and the classes for which it has no word.

    Raises:
        ModelError: there is no such model, it cannot be loaded, or has no patches.
    """
    if name.startswith(DENSE):
        from lexiscope.evaluation.dense import DenseEncoder
        from lexiscope.evaluation.dense_patches import ByDenseText

        encoder = DenseEncoder.from_pretrained(name.removeprefix(DENSE))
        return {"text_tower": ByDenseText(encoder, classes)}, []
    from lexiscope.encoder import LexicalEncoder
    from lexiscope.evaluation.patches import lexical_classifiers

    by_word, by_text = lexical_classifiers(LexicalEncoder.from_pretrained(name), dataset, classes)
    return {"words": by_word, "text_tower": by_text}, by_word.unsayable
