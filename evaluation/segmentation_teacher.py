"""Masks to measure against: what DeepLab sees where, read through LiteRT and kept on disk.

DeepLabv3 on MobileNetV2 (Pascal VOC, 8 bit) takes 513×513 and gives a class number a pixel, 0 for the
background. A picture is fitted into that square with its proportions and the rest is grey, as in training
(Chen et al. 2018, "Encoder-decoder with atrous separable convolution"); the mask is cut to the picture again.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from lexiscope.errors import DatasetError, printable
from lexiscope.vision import open_picture

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PASCAL_CLASSES", "DeepLab", "KeptMasks", "Mask", "MaskSource", "read_labels"]

Mask: TypeAlias = npt.NDArray[np.uint8]

PASCAL_CLASSES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike "
    "person pottedplant sheep sofa train tvmonitor"
).split()
"""Names of the class numbers of Pascal VOC."""

_GREY = 128  # the zero point of the model's input


class MaskSource(Protocol):
    """Anything that says what stands where in a picture file."""

    def __call__(self, source: Path | bytes, /) -> Mask:
        """Class numbers, (h, w) with the proportions of the upright picture; 0 is the background."""


class DeepLab:
    """A TFLite model with pictures (1, side, side, 3) in and class numbers (1, side, side) out.

    Args:
        file: the `.tflite` file.
        threads: LiteRT threads.

    Raises:
        DatasetError: there is no such file, it is another model, or LiteRT is not installed.
    """

    def __init__(self, file: Path, threads: int = 2) -> None:
        shown = printable(file)
        if not file.is_file():
            raise DatasetError(
                f"{shown}: there is no such segmentation model; name a .tflite file with --masks"
            )
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise DatasetError("masks need LiteRT: pip install 'lexiscope[train]'") from error
        try:
            self._model = Interpreter(str(file), num_threads=threads)
            self._model.allocate_tensors()
        except (ValueError, RuntimeError):
            raise DatasetError(f"{shown}: is no TFLite model; copy it again from where it came") from None
        self._input, self._output = self._model.get_input_details()[0], self._model.get_output_details()[0]
        self._side = _side(self._input, self._output, shown)

    def __call__(self, source: Path | bytes) -> Mask:
        """Class numbers of a picture, its longer side as long as the model's."""
        picture = open_picture(source, size_hint=self._side)
        square, (width, height) = fit(picture, self._side)
        self._model.set_tensor(self._input["index"], square[None])
        self._model.invoke()
        classes = self._model.get_tensor(self._output["index"])[0]
        mask: Mask = classes[:height, :width].astype(np.uint8)
        return mask


def _side(given: dict[str, Any], found: dict[str, Any], shown: str) -> int:
    """The side of the square that a segmentation model takes."""
    shape, out = tuple(map(int, given["shape"])), tuple(map(int, found["shape"]))
    square = len(shape) == 4 and shape[0] == 1 and shape[1] == shape[2] and shape[3] == 3
    if not square or given["dtype"] is not np.uint8 or out != shape[:3]:
        raise DatasetError(
            f"{shown}: takes {shape} and gives {out}; a segmentation model takes 8-bit pictures "
            "(1, side, side, 3) and gives class numbers (1, side, side)"
        )
    return shape[1]


def fit(picture: Image, side: int) -> tuple[Mask, tuple[int, int]]:
    """Scale a picture into the upper left of a grey square.

    Returns:
        (side, side, 3) bytes, and the width and height that the picture has in it.
    """
    from PIL import Image as images

    scale = side / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    square = np.full((side, side, 3), _GREY, np.uint8)
    square[:height, :width] = np.asarray(picture.resize((width, height), images.Resampling.BILINEAR))
    return square, (width, height)


class KeptMasks:
    """Masks that are made once and kept as PNG files, named by what is in the picture and in the model.

    Args:
        folder: where they are kept; made when the first is.
        model: the segmentation model's file: masks of two models never pass for one another.
        source: makes the masks that are missing.

    Raises:
        DatasetError: the model's file cannot be read.
    """

    def __init__(self, folder: Path, model: Path, source: MaskSource) -> None:
        self._folder = folder / _digest(model)
        self._source = source

    def __call__(self, source: Path | bytes) -> Mask:
        """The mask of a picture file, from the folder or made now."""
        file = self._folder / f"{_digest(source)}.png"
        kept = _read(file)
        if kept is not None:
            return kept
        mask = self._source(source)
        _write(file, mask)
        return mask


def _digest(source: Path | bytes) -> str:
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{printable(str(source))}: cannot be read ({error.strerror}); check the path"
        ) from None
    return hashlib.sha256(content).hexdigest()[:24]


def _read(file: Path) -> Mask | None:
    """A kept mask; None where there is none, or a damaged one, which is then made again."""
    from PIL import Image as images

    try:
        with images.open(io.BytesIO(file.read_bytes()), formats=["PNG"]) as picture:
            return np.asarray(picture) if picture.mode == "L" else None
    except (OSError, SyntaxError):
        return None


def _write(file: Path, mask: Mask) -> None:
    from PIL import Image as images

    part = file.with_suffix(".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        images.fromarray(mask).save(part, "PNG")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def read_labels(file: Path | None) -> Sequence[str]:
    """Names of the class numbers: one a line, the first the background; by default Pascal VOC's.

    Raises:
        DatasetError: the file is missing, no text, or names fewer than two classes.
    """
    if file is None:
        return PASCAL_CLASSES
    try:
        names = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{printable(file)}: the labels cannot be read ({error}); check --labels"
        ) from None
    if len(names) < 2:
        raise DatasetError(
            f"{printable(file)}: has {len(names)} names; write one class a line, the background first"
        )
    return names
