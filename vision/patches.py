"""The words of each patch of a picture: where in it a word comes from.

LexVLA calls the product of patch vectors and a text's vector its lexical attention map; its local vectors
are made like the picture's own, with one patch selected in place of the maximum over all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

__all__ = ["PatchWords", "patch_of_pixel", "relevance", "seen_box"]

Float32: TypeAlias = npt.NDArray[np.float32]
Int64: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PatchWords:
    """What every patch of one picture says.

    Attributes:
        weights: (rows, columns, terms) weights ≥ 0 of the terms that the picture tower can say, before
            anything is cut off or brought to unit length; where the head pools by maximum, the maximum over
            all patches is the picture's own weight.
        term_ids: (terms,) their ids in the vocabulary, ascending.
        resize: how the tower saw the picture: "squash", the whole of it, or "crop", the square in its middle.
    """

    weights: Float32
    term_ids: Int64
    resize: str

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.weights.shape[0], self.weights.shape[1]


def relevance(patches: PatchWords, query: csr_array) -> Float32:
    """How well each patch fits a text: its vector of unit length times the text's (lexical attention map).

    Args:
        patches: of one picture.
        query: (1, V) from `encode_query`, with the same vocabulary.

    Returns:
        (rows, columns) float32 ≥ 0; at most 1 where the query is of unit length.
    """
    wanted = np.zeros(query.shape[1], np.float32)
    wanted[query.indices] = query.data
    lengths = np.linalg.norm(patches.weights, axis=-1)
    fits: Float32 = patches.weights @ wanted[patches.term_ids] / np.maximum(lengths, np.float32(1e-12))
    return fits


def seen_box(width: int, height: int, resize: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what the tower saw of a picture, in its pixels."""
    if resize != "crop":
        return 0.0, 0.0, float(width), float(height)
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    return left, top, left + short, top + short


def patch_of_pixel(width: int, height: int, grid: tuple[int, int], resize: str) -> Int64:
    """Number of the patch that the middle of each pixel lies in.

    Args:
        width: of the picture, or of a mask with its proportions.
        height: likewise.
        grid: rows and columns of patches.
        resize: "squash" or "crop".

    Returns:
        (height, width): row × columns + column; -1 where the tower saw nothing.
    """
    left, top, right, bottom = seen_box(width, height, resize)
    rows = _places(height, top, bottom, grid[0])
    columns = _places(width, left, right, grid[1])
    seen = (rows[:, None] >= 0) & (columns >= 0)
    return np.where(seen, rows[:, None] * grid[1] + columns, -1)


def _places(length: int, begin: float, end: float, parts: int) -> Int64:
    """Which of so many equal parts between begin and end each of so many pixels is in; -1 for none."""
    places = np.floor((np.arange(length) + 0.5 - begin) * parts / (end - begin)).astype(np.int64)
    return np.where((places >= 0) & (places < parts), places, -1)
