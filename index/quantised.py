"""Weights as bytes: one unit a row, of which the row's greatest weight has 255.

A weight never becomes 0, so that no word is lost. The error is at most half a unit, 0.2 % of a row's greatest
weight, but for weights below half a unit, which become one.
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.vectors import Float32, Int64, Rows, UInt8, frozen

__all__ = ["as_bytes", "as_floats"]


def as_bytes(rows: Rows) -> tuple[UInt8, Float32]:
    """Round canonical rows' weights.

    Returns:
        (nnz,) whole numbers of units from 1 to 255, and (n,) each row's unit.
    """
    from lexiscope.index.bucket_kernels import round_weights

    codes, units = np.empty(len(rows.weights), np.uint8), np.empty(len(rows), np.float32)
    round_weights(frozen(rows.pointers, np.int64), frozen(rows.weights, np.float32), codes, units)
    return codes, units


def as_floats(codes: UInt8 | Float32, units: Float32, pointers: Int64) -> Float32:
    """Return the weights that whole numbers of units stand for, (nnz,) float32."""
    weights = np.repeat(units, np.diff(pointers))
    weights *= codes
    return weights
