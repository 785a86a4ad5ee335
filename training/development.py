"""Evaluation while training: the figures of `lexiscope evaluate retrieval` on development pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lexiscope.evaluation import VectorEncoder, evaluate_retrieval, open_dataset
from lexiscope.index import InvertedIndex
from lexiscope.training.dense import DenseModel
from lexiscope.training.rows import open_rows

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


_ROWS = 1000


def on_rows(file: Path) -> Callable[[Model], dict[str, float]] | None:
    """An evaluation of a text model: questions against all answers of a file; None where there is none.

    Args:
        file: as `lexiscope.training.rows` reads it, never trained on; the first thousand rows count.
    """
    if not file.is_file():
        return None
    rows = open_rows([file])
    chosen = [rows[number] for number in range(min(_ROWS, len(rows)))]

    def evaluate(model: Any) -> dict[str, float]:  # noqa: ANN401
        encoder = lexical_encoder(model)
        documents = encoder.encode_document([row.documents[0] for row in chosen], **_QUIET)
        questions = encoder.encode_query([row.query for row in chosen], **_QUIET)
        found, _ = InvertedIndex.build(documents).search(questions, k=10)
        hits = np.asarray(found) == np.arange(len(chosen))[:, None]
        ranks = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, np.inf)
        words = {"query": questions.nnz / len(chosen), "document": documents.nnz / len(chosen)}
        rates = {"R@10": 100 * float(hits.any(axis=1).mean()), "MRR@10": 100 * float((1 / ranks).mean())}
        return rates | {f"words {name}": value for name, value in words.items()}

    return evaluate


_QUIET: dict[str, Any] = {"batch_size": 32, "show_progress_bar": False}


def lexical_encoder(model: Any) -> VectorEncoder[Any]:  # noqa: ANN401
    """A lexical model's encoder, on the model's own device."""
    from lexiscope.encoder import LexicalEncoder

    return LexicalEncoder(model, device=str(next(model.parameters()).device))


def dense_encoder(model: DenseModel) -> VectorEncoder[Any]:
    """A dense model's encoder."""
    from lexiscope.evaluation.dense import DenseEncoder

    return DenseEncoder(model.network, model.tokenizer)
