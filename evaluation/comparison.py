"""Several models side by side on one data set, on the same queries, with tests of their differences."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from lexiscope.errors import DatasetError
from lexiscope.evaluation.bootstrap import SAMPLES, SEED, Difference
from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.contestants import BM25_NAME, Captions, Contestant, Mixed, VectorModel, folds
from lexiscope.evaluation.encoding import encode
from lexiscope.evaluation.fusion import When
from lexiscope.evaluation.models import open_encoder
from lexiscope.evaluation.pruning import Pruned, pruning_curve
from lexiscope.evaluation.retrieval import DIRECTIONS, Measured, RetrievalReport, measure
from lexiscope.feedback import Feedback

__all__ = ["Comparison", "Gain", "Settings", "compare_models"]

_LIBRARIES = (
    "lexiscope",
    "numpy",
    "scipy",
    "torch",
    "timm",
    "transformers",
    "open_clip_torch",
    "faiss-cpu",
    "bm25s",
)


@dataclass(frozen=True)
class Settings:
    """How models are compared.

    Attributes:
        folds: parts of the data set that figures are means over.
        hnsw: ask dense models through HNSW, too.
        feedback: ask lexical and dense models twice, too, with so many of the documents found first.
        fuse: interpolate the first model with every other, too.
        alpha: what the first counts then.
        prune: measure lexical models with fewer words, too.
        batch_size: pictures or texts a forward pass.
    """

    folds: int = 1
    hnsw: bool = False
    feedback: int = 0
    fuse: bool = False
    alpha: float = 0.5
    prune: bool = False
    batch_size: int = 32


class Gain(TypedDict):
    """What one model gains over another, by direction and measure, in points of percent."""

    model: str
    over: str
    text_to_image: dict[str, Difference]
    image_to_text: dict[str, Difference]


class NotMeasured(TypedDict):
    """A model that this data set cannot measure."""

    model: str
    reason: str


class ComparisonReport(TypedDict):
    """What `report.json` holds besides the figures of the first model, which stand beside these keys."""

    models: list[RetrievalReport]
    not_measured: list[NotMeasured]
    comparisons: list[Gain]  # every other model over the first
    pruning: NotRequired[dict[str, list[Pruned]]]
    data_fingerprint: str
    settings: dict[str, Any]
    versions: dict[str, str]


@dataclass
class Comparison:
    """What was measured.

    Attributes:
        dataset: what was asked about.
        settings: how.
        measured: contestants in order.
        not_measured: models that this data set cannot measure, and why.
        pruning: by model, with how many words it does how well.
    """

    dataset: CaptionedPictures
    settings: Settings
    measured: list[Measured] = field(default_factory=list)
    not_measured: list[NotMeasured] = field(default_factory=list)
    pruning: dict[str, list[Pruned]] = field(default_factory=dict)

    @property
    def gains(self) -> list[Gain]:
        """Every other contestant against the first, on the same queries."""
        first = self.measured[0]
        gains: list[Gain] = []
        for other in self.measured[1:]:
            by = {
                name: first.samples[name].compare(other.values[name], first.values[name])
                for name in DIRECTIONS
            }
            gains.append(
                {"model": other.contestant.name, "over": first.contestant.name, **by}  # type: ignore[typeddict-item]
            )
        return gains

    def as_json(self) -> dict[str, Any]:
        """The report of the first model as DESIGN.md fixes it, and beside it those of all."""
        rest: ComparisonReport = {
            "models": [one.report for one in self.measured],
            "not_measured": self.not_measured,
            "comparisons": self.gains,
            "data_fingerprint": self.dataset.fingerprint,
            "settings": {**vars(self.settings), "bootstrap_samples": SAMPLES, "seed": SEED},
            "versions": _versions(),
        }
        if self.pruning:
            rest["pruning"] = self.pruning
        return {**self.measured[0].report, **rest}


def compare_models(
    dataset: CaptionedPictures,
    models: Sequence[str],
    settings: Settings | None = None,
    *,
    keep: Path | None = None,
    run: Path | None = None,
    show: bool | None = None,
) -> Comparison:
    """Measure models by name on one data set.

    Args:
        dataset: from `open_dataset`.
        models: names that `open_encoder` knows, or "bm25" for BM25 over the pictures' other captions.
        settings: how; None takes the usual.
        keep: folder for vectors, so that the next run need not encode again.
        run: file for TREC runs; with several contestants a number is put before its suffix.
        show: whether to show progress bars; None shows them where standard error is a terminal.

    Raises:
        ModelError: a model cannot be loaded.
        DatasetError: nothing can be measured, or a picture is missing.
        LexiscopeError: a file cannot be written.
    """
    settings = settings or Settings()
    result = Comparison(dataset, settings)
    vectors: list[VectorModel] = []
    for name in dict.fromkeys(models):
        before = len(vectors)
        for contestant in _contestants(name, result, vectors, keep, show):
            place = len(result.measured)
            file = run if run is None or not place else run.with_name(f"{run.stem}.{place + 1}{run.suffix}")
            result.measured.append(measure(dataset, contestant, parts=settings.folds, run=file, show=show))
        for model in vectors[before:] if settings.prune else ():
            if curve := pruning_curve(model, folds(dataset, 1)[0], show=show):
                result.pruning[name] = curve
    if not result.measured:
        reasons = "; ".join(f"{one['model']}: {one['reason']}" for one in result.not_measured)
        raise DatasetError(f"{dataset.origin}: no model can be measured here ({reasons})")
    return result


def _contestants(
    name: str, result: Comparison, vectors: list[VectorModel], keep: Path | None, show: bool | None
) -> Iterator[Contestant]:
    """What a name stands for: the model, and the ways of asking it that the settings add."""
    settings = result.settings
    if name == BM25_NAME:
        try:
            yield Captions(result.dataset)
        except DatasetError as error:
            result.not_measured.append({"model": name, "reason": str(error)})
        return
    encoder = open_encoder(name)
    encoded = encode(result.dataset, encoder, settings.batch_size, show, keep=keep)
    model = VectorModel.of(name, encoder, encoded)
    del encoder
    yield model
    vectors.append(model)
    feedback = Feedback(settings.feedback) if settings.feedback else None
    if settings.hnsw and model.vocabulary is None:
        from lexiscope.evaluation.hnsw import HnswIndex

        yield replace(model, name=f"{name}, HNSW", index=HnswIndex, note="searched by HNSW")
    if feedback is not None:
        yield replace(
            model,
            name=f"{name}, feedback {feedback.documents}",
            feedback=feedback,
            note=f"{feedback.method}, α {feedback.alpha:g}, β {feedback.beta:g}",
        )
    if settings.fuse and model is not vectors[0]:
        yield Mixed(vectors[0], model, settings.alpha)
        for when in When if feedback is not None else ():
            yield Mixed(vectors[0], model, settings.alpha, feedback, when)


def _versions() -> dict[str, str]:
    """Of what the figures depend on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
