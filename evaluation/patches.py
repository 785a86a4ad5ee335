"""PatchDis: does a model's word for a thing come from where the thing is?

Each patch is given the class that it says loudest; the patches of a class are its predicted mask (LexVLA,
NeurIPS 2024). The paper leaves open what becomes of the background, which no patch can be given. So each
figure is taken two ways: `mIoU` leaves background pixels out, `mIoU_strict` lets them count against the class
that their patch was given, as the wording of the paper says. Both are taken over all classes, and with the
classes that the picture's mask has given (`…_classes_given`). What the background hides is seen by `AUC`:
among the pixels of a picture, how often does one of the thing weigh its word more than one beside it?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from lexiscope.errors import DatasetError, UnreadableSource
from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.encoding import progress
from lexiscope.evaluation.measures import Float32, Int64
from lexiscope.evaluation.patch_classes import ByText, ByWord, PatchClassifier, PatchEncoder
from lexiscope.evaluation.patch_measures import (
    auc,
    confusion,
    intersection_over_union,
    pixels_of_patches,
    without_specks,
)
from lexiscope.evaluation.segmentation_teacher import MaskSource
from lexiscope.vision import open_picture

__all__ = ["LEAST", "PatchFigures", "PatchReport", "evaluate_patches", "lexical_classifiers"]

LEAST = 0.01
"""Share of a picture that a class must cover; less is a slip of the segmentation model, and background."""

_PICTURES_AT_A_TIME = 64


class PatchFigures(TypedDict):
    """Figures of one way of giving classes to patches, in percent."""

    mIoU: float  # mean over the classes in the masks; background pixels are void
    mIoU_strict: float  # background pixels count against the class that their patch was given
    mIoU_classes_given: float  # patches choose among the classes of their picture's mask
    mIoU_strict_classes_given: float
    AUC: float | None  # mean over the classes; 50 is a guess; None where classes fill their pictures
    IoU_by_class: dict[str, float]  # the terms of mIoU
    AUC_by_class: dict[str, float]


class PatchReport(TypedDict):
    """Figures of one model on one data set, ready for JSON."""

    dataset: str
    model: str
    images: int
    images_with_classes: int
    grid: list[int]  # rows, columns of patches
    images_by_class: dict[str, int]
    unsayable: list[str]  # classes for which the model has no word
    figures: dict[str, PatchFigures]  # by way: the model's, then random, always_commonest and ceiling


@dataclass
class _Tally:
    """Sums over pictures."""

    classes: int
    free: Int64 = field(init=False)
    told: Int64 = field(init=False)
    areas: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.free = np.zeros((self.classes, self.classes + 1), np.int64)
        self.told = np.zeros_like(self.free)
        self.areas = [[] for _ in range(self.classes)]

    def add(self, scores: Float32, counts: Int64) -> None:
        """Count a picture; scores (patches, classes), counts (patches, 1 + classes)."""
        present = np.asarray(counts[:, 1:].any(axis=0))
        self.free += confusion(scores, counts, np.ones_like(present))
        if present.any():
            self.told += confusion(scores, counts, present)
        for number in np.flatnonzero(present):
            inside = counts[:, number + 1]
            area = auc(scores[:, number], inside, counts.sum(axis=1) - inside)
            if not np.isnan(area):
                self.areas[number].append(area)

    def figures(self, names: Sequence[str]) -> PatchFigures:
        """The figures of all pictures counted."""
        by_class = intersection_over_union(self.free, background=False)
        areas = {name: 100 * float(np.mean(own)) for name, own in zip(names, self.areas, strict=True) if own}
        return {
            "mIoU": _mean(self.free, background=False),
            "mIoU_strict": _mean(self.free, background=True),
            "mIoU_classes_given": _mean(self.told, background=False),
            "mIoU_strict_classes_given": _mean(self.told, background=True),
            "AUC": float(np.mean(list(areas.values()))) if areas else None,
            "IoU_by_class": {
                name: 100 * float(value)
                for name, value in zip(names, by_class, strict=True)
                if not np.isnan(value)
            },
            "AUC_by_class": areas,
        }


class _References:
    """What the figures stand beside: a random class, the commonest class, the best that patches can do."""

    def __init__(self, classes: int) -> None:
        self._random, self._ceiling = _Tally(classes), _Tally(classes)
        self._classes = classes
        self._chance = np.random.default_rng(0)
        self._pixels: list[Int64] = []  # of each class, by picture

    def add(self, counts: Int64) -> None:
        """Count a picture; counts (patches, 1 + classes)."""
        pixels = counts.sum(axis=0)
        self._pixels.append(pixels)
        self._random.add(self._chance.random((len(counts), self._classes), np.float32), counts)
        # Patches of background alone are given the commonest class of the picture.
        own = counts[:, 1:] + pixels[1:] / (pixels.sum() + 1)
        self._ceiling.add(own.astype(np.float32), counts)

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Whether a picture's mask has a class, (pictures, classes)."""
        return np.array(self._pixels)[:, 1:] > 0

    def tallies(self) -> dict[str, _Tally]:
        """By name; "always_commonest" looks at every picture as one patch."""
        commonest = _Tally(self._classes)
        totals = np.sum(self._pixels, axis=0)[None, 1:].astype(np.float32)
        for pixels in self._pixels:
            commonest.add(totals, pixels[None])
        return {"random": self._random, "always_commonest": commonest, "ceiling": self._ceiling}


def _mean(table: Int64, *, background: bool) -> float:
    return 100 * float(np.nanmean(intersection_over_union(table, background=background)))


def lexical_classifiers(
    encoder: PatchEncoder, dataset: CaptionedPictures, classes: Sequence[str]
) -> tuple[ByWord, ByText]:
    """Both ways in which a lexical model gives classes to patches: by its words, and by the text tower."""
    shape = next(encoder.encode_patches([next(dataset.sources())], show_progress_bar=False))
    return ByWord(encoder, classes, shape), ByText(encoder, classes, shape)


def evaluate_patches(
    dataset: CaptionedPictures,
    classifiers: Mapping[str, PatchClassifier],
    masks: MaskSource,
    labels: Sequence[str],
    *,
    model: str = "",
    unsayable: Sequence[str] = (),
    show_progress_bar: bool | None = None,
) -> PatchReport:
    """Hold the classes of patches against masks.

    Beside the classifiers stand a random class for every patch, the class with the most pixels for all of
    them (the commonest of those given), and the ceiling: each patch given its own commonest class.

    Args:
        dataset: the pictures; captions are not looked at.
        classifiers: by name; random and ceiling take the grid of the first.
        masks: what stands where.
        labels: names of the masks' class numbers, the background first.
        model: what the report calls the model.
        unsayable: classes for which it has no word, for the report.
        show_progress_bar: None shows one on standard error where that is a terminal.

    Raises:
        UnreadableSource: a picture is damaged.
        DatasetError: a mask has a class without a name, or no mask has a class.
    """
    names, first = labels[1:], next(iter(classifiers.values()))
    tallies = {name: _Tally(len(names)) for name in classifiers}
    references = _References(len(names))
    for pictures, grounds in _chunks(dataset, masks, len(labels), show_progress_bar):
        for name, classifier in classifiers.items():
            for scores, mask in zip(classifier.scores(pictures), grounds, strict=True):
                tallies[name].add(scores, _counts(mask, classifier, len(labels)))
        for mask in grounds:
            references.add(_counts(mask, first, len(labels)))
    present = references.present
    if not present.any():
        raise DatasetError(f"{dataset.origin}: no picture has any of the classes; measure on other pictures")
    tallies |= references.tallies()
    return {
        "dataset": dataset.name,
        "model": model,
        "images": len(dataset),
        "images_with_classes": int(present.any(axis=1).sum()),
        "grid": list(first.grid),
        "images_by_class": {name: int(n) for name, n in zip(names, present.sum(axis=0), strict=True) if n},
        "unsayable": list(unsayable),
        "figures": {name: tally.figures(names) for name, tally in tallies.items()},
    }


def _counts(mask: Int64, classifier: PatchClassifier, labels: int) -> Int64:
    return without_specks(pixels_of_patches(mask, classifier.grid, classifier.resize, labels), LEAST)


def _chunks(
    dataset: CaptionedPictures, masks: MaskSource, labels: int, show: bool | None
) -> Iterator[tuple[list[Path | bytes], list[Int64]]]:
    """Some pictures at a time, and their masks."""
    pictures = zip(dataset.ids, dataset.sources(), strict=True)
    with progress(len(dataset), "patches", show) as bar:
        while chunk := list(islice(pictures, _PICTURES_AT_A_TIME)):
            grounds = [_ground(dataset, name, source, masks, labels) for name, source in chunk]
            yield [source for _, source in chunk], grounds
            bar.update(len(chunk))


def _ground(
    dataset: CaptionedPictures, name: str, source: Path | bytes, masks: MaskSource, labels: int
) -> Int64:
    where = f"{dataset.origin}: picture {name!r}"
    try:
        mask = masks(source)
    except UnreadableSource:
        open_picture(source, name=where)  # a mask source cannot know what the data set calls its pictures
        raise
    if mask.max(initial=0) >= labels:
        raise DatasetError(
            f"{where}: its mask has class {int(mask.max())}, but there are names for 0 to {labels - 1} only; "
            "check --labels"
        )
    return mask.astype(np.int64)
