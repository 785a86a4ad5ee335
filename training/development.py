"""Evaluation while training: the figures of `lexiscope evaluate retrieval` on development pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lexiscope.evaluation import VectorEncoder, evaluate_retrieval, open_dataset
from lexiscope.model import LexicalModel
from lexiscope.training.dense import DenseModel

Model = TypeVar("Model")


def on_development(
    file: Path | None, encoder_of: Callable[[Model], VectorEncoder[Any]]
) -> Callable[[Model], dict[str, float]] | None:
    """An evaluation of a model on captioned pictures; None where there is no such file.

    Args:
        file: Parquet, never trained on.
        encoder_of: makes the model's encoder.
    """
    if file is None or not file.is_file():
        return None
    dataset = open_dataset(file)

    def evaluate(model: Model) -> dict[str, float]:
        report = evaluate_retrieval(dataset, encoder_of(model), show_progress_bar=False)
        rates = {f"t2i {name}": value for name, value in report["text_to_image"].items()}
        rates |= {f"i2t {name}": value for name, value in report["image_to_text"].items()}
        return rates | {f"words {name}": value for name, value in report["active_dims"].items()}

    return evaluate


def lexical_encoder(model: LexicalModel) -> VectorEncoder[Any]:
    """A lexical model's encoder, on the model's own device."""
    from lexiscope.encoder import LexicalEncoder

    return LexicalEncoder(model, device=str(next(model.parameters()).device))


def dense_encoder(model: DenseModel) -> VectorEncoder[Any]:
    """A dense model's encoder."""
    from lexiscope.evaluation.dense import DenseEncoder

    return DenseEncoder(model.network, model.tokenizer)
