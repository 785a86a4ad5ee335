"""Weights as bytes, one scale for all: w ≈ scale · code, codes from 1 to 255.

One scale keeps scores comparable: q · d ≈ scale · Σ q_t code_t, so an engine that knows whole numbers only
ranks as ours does, up to rounding. No word is lost: what rounds to nothing becomes 1. (`index/row_kernels.py`
rounds every row by itself, which is finer, but has a scale a row.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lexiscope.errors import InvalidValue

__all__ = ["Scale"]

LEVELS = 255


@dataclass(frozen=True)
class Scale:
    """How weights become whole numbers.

    Attributes:
        unit: the weight that one stands for, above 0.
    """

    unit: float

    @classmethod
    def of(cls, greatest: float) -> Scale:
        """The scale that gives the greatest weight 255."""
        return cls(greatest / LEVELS if greatest > 0 else 1.0)

    def codes(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Whole numbers for weights above 0, (n,)."""
        rounded = np.rint(weights / np.float32(self.unit))
        return np.asarray(np.clip(rounded, 1, LEVELS), np.uint8)

    def weights(self, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """What the whole numbers stand for, (n,)."""
        return codes.astype(np.float32) * np.float32(self.unit)


def check_weights_kind(kind: str) -> None:
    """Raise InvalidValue unless weights can be written so."""
    if kind not in ("float32", "uint8"):
        raise InvalidValue(f"weights is {kind!r}: write them as 'float32' or as 'uint8'")
