"""Weights as bytes: one scale a row, the row's greatest weight is 255.

A weight never becomes 0, so that no word is lost. The error is at most half a unit, 0.2 % of a row's greatest
weight, but for weights below half a unit, which become one.
"""

from __future__ import annotations

import numpy as np

from lexiscope.index.vectors import Float32, Int64, Rows, UInt8

__all__ = ["as_bytes", "as_floats"]

_UNITS = 255


def as_bytes(rows: Rows) -> tuple[UInt8, Float32]:
    """Round canonical rows' weights.

    Returns:
        (nnz,) whole numbers of units from 1 to 255, and (n,) each row's unit.
    """
    lengths = np.diff(rows.pointers)
    greatest = np.zeros(len(rows), np.float32)
    filled = lengths > 0
    if filled.any():
        greatest[filled] = np.maximum.reduceat(rows.weights, rows.pointers[:-1][filled])
    # A unit below what float32 can hold would turn the weights into zeros.
    units = np.maximum(greatest / np.float32(_UNITS), np.finfo(np.float32).tiny)
    codes = np.rint(rows.weights / np.repeat(units, lengths))
    return np.clip(codes, 1, _UNITS).astype(np.uint8), units.astype(np.float32)


def as_floats(codes: UInt8 | Float32, units: Float32, pointers: Int64) -> Float32:
    """Return the weights that whole numbers of units stand for, (nnz,) float32."""
    return np.repeat(units, np.diff(pointers)) * codes.astype(np.float32, copy=False)
