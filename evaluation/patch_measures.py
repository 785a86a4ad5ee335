"""How well patches that were given classes agree with a mask: intersection over union, and AUC.

Patches and masks meet at the mask's pixels: a patch is a block of them, so a patch's class is the class of
all its pixels, and what a patch covers is counted exactly, with nothing resampled.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lexiscope.evaluation.measures import Float32, Int64
from lexiscope.vision.patches import patch_of_pixel

__all__ = ["auc", "confusion", "intersection_over_union", "pixels_of_patches", "without_specks"]

Float64: TypeAlias = npt.NDArray[np.float64]


def pixels_of_patches(mask: Int64, grid: tuple[int, int], resize: str, labels: int) -> Int64:
    """Count the pixels of each class in each patch.

    Args:
        mask: (h, w) class numbers below `labels`, with the proportions of the whole picture.
        grid: rows and columns of patches.
        resize: how the picture was seen, "squash" or "crop"; pixels outside are left out.
        labels: number of classes, the background included.

    Returns:
        (rows · columns, labels) int64.
    """
    height, width = mask.shape
    patches = patch_of_pixel(width, height, grid, resize)
    seen = patches >= 0
    cells = patches[seen] * labels + mask[seen]
    return np.bincount(cells, minlength=grid[0] * grid[1] * labels).reshape(-1, labels)


def without_specks(counts: Int64, least: float) -> Int64:
    """Take classes that cover less than a share of the picture for background.

    Args:
        counts: (patches, labels), the background first.
        least: share of all pixels that a class must cover.
    """
    small = counts.sum(axis=0) < least * counts.sum()
    small[0] = False
    result = np.where(small, 0, counts)
    result[:, 0] += counts[:, small].sum(axis=1)
    return result


def confusion(scores: Float32, counts: Int64, allowed: npt.NDArray[np.bool_]) -> Int64:
    """Pixels by the class that their patch was given and the class of the mask.

    Args:
        scores: (patches, classes); a patch is given the allowed class of its highest score, of equal ones
            the first.
        counts: (patches, 1 + classes) from `pixels_of_patches`, the background first.
        allowed: (classes,), one of them at least.

    Returns:
        (classes, 1 + classes).
    """
    given = np.where(allowed, scores, -np.inf).argmax(axis=1)
    result = np.zeros((scores.shape[1], counts.shape[1]), np.int64)
    np.add.at(result, given, counts)
    return result


def intersection_over_union(table: Int64, *, background: bool) -> Float64:
    """Intersection over union of each class, from pixels of all pictures together, as in Pascal VOC.

    Args:
        table: (classes, 1 + classes), sums of `confusion`.
        background: whether background pixels in a patch of a class count against it; else they are void.

    Returns:
        (classes,) from 0 to 1; NaN for a class that no mask has.
    """
    both = np.diagonal(table, offset=1)
    right = table[:, 1:].sum(axis=0)
    given = table[:, 0 if background else 1 :].sum(axis=1)
    union = right + given - both
    return np.where(right > 0, both / np.maximum(union, 1), np.nan)


def auc(scores: Float32, inside: Int64, outside: Int64) -> float:
    """Chance that a pixel inside has a higher score than one outside, equal scores counting half.

    Args:
        scores: (patches,).
        inside: (patches,) pixels of each patch that belong to the class.
        outside: (patches,) those that do not.

    Returns:
        0 to 1, 0.5 for a guess; NaN where nothing is inside or nothing outside.
    """
    _, level = np.unique(scores, return_inverse=True)
    positive, negative = np.bincount(level, inside), np.bincount(level, outside)
    pairs = positive.sum() * negative.sum()
    if not pairs:
        return float("nan")
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / pairs)
