"""Evaluate image-text retrieval both ways, with the index that the kind of vectors is searched with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from lexiscope.errors import LexiscopeError
from lexiscope.evaluation import runs
from lexiscope.evaluation.bootstrap import Interval, Sample, interval
from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.contestants import Contestant, Fold, VectorModel, folds
from lexiscope.evaluation.encoding import Encoder, R, Speed, VectorEncoder, encode, speed
from lexiscope.evaluation.measures import RATES, Float64, mean_recall, members
from lexiscope.evaluation.searching import Direction, Found, Sink, search

__all__ = [
    "DIRECTIONS",
    "Encoder",
    "Measured",
    "RetrievalReport",
    "VectorEncoder",
    "evaluate_retrieval",
    "measure",
]

DIRECTIONS = ("text_to_image", "image_to_text")


class RetrievalReport(TypedDict):
    """Figures of one model on one data set, ready for JSON. Rates are percentages."""

    dataset: str
    model: str
    vocabulary: NotRequired[dict[str, int | str]]  # of a lexical model: terms, fingerprint
    fingerprint: NotRequired[str]  # of the weights
    note: NotRequired[str]  # what is special about it
    dimensions: NotRequired[int]  # of a vector; with a vocabulary, one a term
    images: int
    captions: int
    folds: int  # figures are means over this many parts of the data set
    text_to_image: dict[str, float]  # R@1, R@5, R@10: share of captions whose picture is among the first k
    image_to_text: dict[str, float]  # the same: share of pictures with a caption of theirs among the first k
    mean_recall: float  # mean of the six rates
    ndcg_at_10: dict[str, float]  # by direction, in percent; every right answer counts the same
    median_rank: dict[str, float]  # by direction: of the first right answer
    intervals: dict[str, dict[str, Interval]]  # 95 %: by direction each R@k and nDCG@10; mean_recall: itself
    active_dims: NotRequired[dict[str, float]]  # image, text: mean words of a vector, or dense dimensions
    overlap: NotRequired[dict[str, float]]  # by direction: words that a query and a document share (FLOPS)
    encode: NotRequired[dict[str, Speed]]  # image (reading the files included), query, document
    search: dict[str, Speed]  # by direction: search for the first 100
    index_bytes: dict[str, int]  # by direction: the index of what is found, on disk
    runs: NotRequired[dict[str, str]]  # by direction: the TREC file


@dataclass(frozen=True)
class Measured:
    """One contestant's figures, and what they are the means of.

    Attributes:
        contestant: who.
        report: the figures.
        values: by direction and measure, what every query got in percent, (queries,).
        samples: by direction, how queries are averaged and resampled.
    """

    contestant: Contestant
    report: RetrievalReport
    values: dict[str, dict[str, Float64]]
    samples: dict[str, Sample]


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
    encoded = encode(dataset, encoder, batch_size, show_progress_bar)
    contestant = VectorModel.of(model, encoder, encoded)
    return measure(dataset, contestant, run=run, show=show_progress_bar).report


def measure(
    dataset: CaptionedPictures,
    contestant: Contestant,
    *,
    parts: int = 1,
    run: Path | None = None,
    show: bool | None = None,
) -> Measured:
    """Measure one contestant.

    Args:
        dataset: what it is asked about.
        contestant: whom to measure.
        parts: folds; with 5 on the 5,000 test pictures of COCO, the figures are those called COCO 1K.
        run: as for `evaluate_retrieval`.
        show: as `show_progress_bar` there.

    Raises:
        DatasetError: there are fewer pictures than parts.
        LexiscopeError: runs of folds are asked for, or cannot be written.
    """
    if run is not None and parts > 1:
        raise LexiscopeError("runs are of the whole data set: leave out --run or --folds")
    found: dict[str, list[Found]] = {name: [] for name in DIRECTIONS}
    for fold in folds(dataset, parts):
        for name, direction in contestant.directions(fold).items():
            with _sink(dataset, fold, name, direction, run) as sink:
                found[name].append(search(direction, sink, show))
    values = {name: _values(some) for name, some in found.items()}
    samples = {name: _sample(some) for name, some in found.items()}
    report = _report(dataset, contestant, found, values, samples)
    report["folds"] = parts
    if run is not None:
        report["runs"] = {name: str(file) for name, file in runs.run_files(run).items()}
    return Measured(contestant, report, values, samples)


def _values(found: list[Found]) -> dict[str, Float64]:
    """What every query of all folds got, fold after fold."""
    return {name: np.concatenate([one.values[name] for one in found]) for name in found[0].values}


def _sample(found: list[Found]) -> Sample:
    """Every fold counts the same, and within a fold every query."""
    usual = np.mean([len(one.ranks) for one in found])
    return Sample(np.concatenate([np.full(len(one.ranks), usual / len(one.ranks)) for one in found]))


def _report(
    dataset: CaptionedPictures,
    contestant: Contestant,
    found: dict[str, list[Found]],
    values: dict[str, dict[str, Float64]],
    samples: dict[str, Sample],
) -> RetrievalReport:
    means = {
        name: {measure: samples[name].mean(value) for measure, value in own.items()}
        for name, own in values.items()
    }
    rates = {name: {rate: own[rate] for rate in RATES} for name, own in means.items()}
    report: RetrievalReport = {
        "dataset": dataset.name,
        "model": contestant.name,
        "images": len(dataset),
        "captions": len(dataset.texts),
        "folds": len(found["text_to_image"]),
        "text_to_image": rates["text_to_image"],
        "image_to_text": rates["image_to_text"],
        "mean_recall": mean_recall(list(rates.values())),
        "ndcg_at_10": {name: own["nDCG@10"] for name, own in means.items()},
        "median_rank": {
            name: float(np.mean([one.median_rank for one in some])) for name, some in found.items()
        },
        "intervals": _intervals(values, samples),
        "search": {
            name: speed(sum(one.seconds for one in some), sum(len(one.ranks) for one in some))
            for name, some in found.items()
        },
        "index_bytes": {name: sum(one.index_bytes for one in some) for name, some in found.items()},
    }
    report.update(contestant.facts)  # type: ignore[typeddict-item]
    return report


def _intervals(
    values: dict[str, dict[str, Float64]], samples: dict[str, Sample]
) -> dict[str, dict[str, Interval]]:
    """95 % intervals of all measures; that of mean recall from resamples of both directions side by side."""
    result: dict[str, dict[str, Interval]] = {}
    rates = []
    for name, own in values.items():
        means = dict(zip(own, samples[name].resample(list(own.values())), strict=True))
        result[name] = {measure: interval(mean) for measure, mean in means.items()}
        rates += [means[rate] for rate in RATES]
    result["mean_recall"] = {"mean_recall": interval(np.mean(rates, axis=0))}
    return result


@contextmanager
def _sink(
    dataset: CaptionedPictures, fold: Fold, name: str, direction: Direction, run: Path | None
) -> Iterator[Sink | None]:
    """Where the lists of a direction go: to a run with its judgements beside it, or nowhere."""
    if run is None:
        yield None
        return
    file = runs.run_files(run)[name]
    pictures, captions = runs.trec_names("img", dataset.ids), runs.trec_names("txt", dataset.caption_ids)
    if name == "image_to_text" and len(direction.document_groups) < len(fold.captions):
        captions = [caption for caption in captions if not caption.endswith("#0")]  # BM25: the first one asks
    queries, documents = (captions, pictures) if name == "text_to_image" else (pictures, captions)
    right = members(direction.query_groups, direction.document_groups)
    runs.write_judgements(runs.judgements_file(file), queries, documents, right)
    with runs.written(file) as output:
        yield runs.RunWriter(output, queries, documents).write
