"""Evaluate image-text retrieval both ways, with the index that the kind of vectors is searched with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from lexiscope.evaluation import runs
from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.encoding import Encoder, R, Speed, VectorEncoder, encode_captions, encode_pictures
from lexiscope.evaluation.measures import mean_recall, members
from lexiscope.evaluation.searching import Direction, Found, Sink, search

__all__ = ["Encoder", "RetrievalReport", "VectorEncoder", "evaluate_retrieval"]


class RetrievalReport(TypedDict):
    """Figures of one model on one data set, ready for JSON. Rates are percentages."""

    dataset: str
    model: str
    vocabulary: NotRequired[dict[str, int | str]]  # of a lexical model: terms, fingerprint
    dimensions: int  # of a vector; with a vocabulary, one a term
    images: int
    captions: int
    text_to_image: dict[str, float]  # R@1, R@5, R@10: share of captions whose picture is among the first k
    image_to_text: dict[str, float]  # the same: share of pictures with a caption of theirs among the first k
    mean_recall: float  # mean of the six rates
    median_rank: dict[str, float]  # by direction: of the first right answer
    active_dims: dict[str, float]  # image, text: mean words of a vector, or all dimensions of a dense one
    encode: dict[str, Speed]  # image (reading the files included), query, document
    search: dict[str, Speed]  # by direction: exact search for the first 100
    index_bytes: dict[str, int]  # by direction: the index of what is found, on disk
    runs: NotRequired[dict[str, str]]  # by direction: the TREC file


def evaluate_retrieval(
    dataset: CaptionedPictures,
    encoder: VectorEncoder[R],
    *,
    model: str = "",
    run: Path | None = None,
    batch_size: int = 32,
    show_progress_bar: bool | None = None,
) -> RetrievalReport:
    """Ask for every picture with each of its captions, and for captions with every picture.

    Captions are encoded as queries for text → image and as documents for image → text. Both searches are
    exact; ties go to what comes first in the data set, in both directions alike. A picture or caption that
    shares no word with a lexical query is not found; a dense one finds all.

    Args:
        dataset: from `open_dataset`.
        encoder: the model.
        model: what the report calls it.
        run: file for the TREC run of text → image; `lexiscope.evaluation.runs` says what else is written.
        batch_size: pictures or texts a forward pass.
        show_progress_bar: None shows bars on standard error where that is a terminal.

    Returns:
        The figures.

    Raises:
        UnreadableSource: a picture is damaged.
        DatasetError: a picture is missing.
        LexiscopeError: the run cannot be written.
    """
    if run is not None:
        runs.check_writable(run)
    images = encode_pictures(dataset, encoder, batch_size, show_progress_bar)
    queries, documents = encode_captions(dataset, encoder, batch_size, show_progress_bar)
    pictures, owners = np.arange(len(dataset), dtype=np.int64), dataset.owners
    directions = {
        "text_to_image": Direction("text to image", queries.rows, images.rows, owners, pictures),
        "image_to_text": Direction("image to text", images.rows, documents.rows, pictures, owners),
    }
    found: dict[str, Found] = {}
    for name, direction in directions.items():
        with _sink(dataset, name, direction, run) as sink:
            found[name] = search(direction, sink, show_progress_bar)
    rates = {name: result.hit_rates for name, result in found.items()}
    report: RetrievalReport = {
        "dataset": dataset.name,
        "model": model,
        "dimensions": int(images.rows.shape[1]),
        "images": len(pictures),
        "captions": len(owners),
        "text_to_image": rates["text_to_image"],
        "image_to_text": rates["image_to_text"],
        "mean_recall": mean_recall(list(rates.values())),
        "median_rank": {name: result.median_rank for name, result in found.items()},
        "active_dims": {"image": images.active_dims, "text": queries.active_dims},
        "encode": {"image": images.speed, "query": queries.speed, "document": documents.speed},
        "search": {name: result.speed for name, result in found.items()},
        "index_bytes": {name: result.index_bytes for name, result in found.items()},
    }
    if encoder.vocabulary is not None:
        terms = encoder.vocabulary
        report["vocabulary"] = {"terms": len(terms), "fingerprint": terms.fingerprint}
    if run is not None:
        report["runs"] = {name: str(file) for name, file in runs.run_files(run).items()}
    return report


@contextmanager
def _sink(
    dataset: CaptionedPictures, name: str, direction: Direction, run: Path | None
) -> Iterator[Sink | None]:
    """Where the lists of a direction go: to a run with its judgements beside it, or nowhere."""
    if run is None:
        yield None
        return
    file = runs.run_files(run)[name]
    pictures, captions = runs.trec_names("img", dataset.ids), runs.trec_names("txt", dataset.caption_ids)
    queries, documents = (captions, pictures) if name == "text_to_image" else (pictures, captions)
    right = members(direction.query_groups, direction.document_groups)
    runs.write_judgements(runs.judgements_file(file), queries, documents, right)
    with runs.written(file) as output:
        yield runs.RunWriter(output, queries, documents).write
