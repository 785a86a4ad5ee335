"""Open pictures as people have them: photographs, scans, screenshots, broken downloads.

Whatever goes in, what comes out is an upright RGB picture, or an `UnreadableSource` that says in one line
which picture cannot be read, why, and what to do about it.
"""

from __future__ import annotations

import io
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from lexiscope.errors import UnreadableSource, printable

__all__ = ["MAX_PIXELS", "PICTURE_SUFFIXES", "open_picture"]

PICTURE_SUFFIXES = frozenset(
    """.apng .avif .avifs .bmp .bw .dib .fli .flc .gif .icns .ico .j2c .j2k .jfif .jp2 .jpc .jpe .jpeg .jpf
    .jpg .jpx .msp .pbm .pcx .pfm .pgm .png .pnm .ppm .psd .qoi .ras .rgb .rgba .sgi .tga .tif .tiff .webp
    .xbm .xpm""".split()
)
"""File name endings of pictures, lower case. Formats that would start another program (EPS, PostScript) and
containers that Pillow names but cannot decode (MPEG, HDF5, GRIB, …) are left out on purpose."""

MAX_PIXELS = 178_956_970
"""The most pixels a picture may have: where Pillow, too, calls it a decompression bomb (512 MiB as RGB)."""

_NEVER_OPENED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
_HEIC = re.compile(rb".{4}ftyp(hei|hev|mif1|msf1)", re.DOTALL)
_SVG = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Twice the size asked for is kept, so that the caller's own filter decides how the result looks.
_REDUCING_GAP = 2
_filters_lock = threading.Lock()


def open_picture(
    source: str | Path | bytes | Image.Image,
    *,
    size_hint: int | None = None,
    name: str | None = None,
    max_pixels: int | None = None,
) -> Image.Image:
    """Open a picture as upright RGB: first frame, EXIF orientation applied, transparency on white.

    Args:
        source: a path, the bytes of a picture file, or a picture already opened (which is left as it is).
        size_hint: the shorter side, in pixels, that the caller will scale to. Big pictures are then
            decoded at a fraction of their size, never below twice the hint; small ones stay as they are.
        name: what to call the picture in messages; by default its path.
        max_pixels: what has more is refused before it is decoded; by default `MAX_PIXELS`.

    Returns:
        A new picture of mode RGB that holds no file open.

    Raises:
        UnreadableSource: it is missing, empty, truncated, no picture, or has too many pixels.
    """
    most = MAX_PIXELS if max_pixels is None else max_pixels
    if isinstance(source, Image.Image):
        return _decode(source, name or "the picture given", size_hint, most)
    if isinstance(source, bytes):
        shown = name or "the picture given as bytes"
        return _open(io.BytesIO(source), len(source), shown, size_hint, most)
    shown = name or printable(source)
    try:
        with open(source, "rb") as file:
            return _open(file, os.fstat(file.fileno()).st_size, shown, size_hint, most)
    except FileNotFoundError:
        raise UnreadableSource(f"{shown}: there is no such file; check the path") from None
    except IsADirectoryError:
        raise UnreadableSource(f"{shown}: is a folder, not a picture; name a file in it") from None
    except PermissionError:
        raise UnreadableSource(f"{shown}: no permission to read it; change the file's rights") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UnreadableSource(f"{shown}: cannot be opened ({_reason(error)}); check the file") from None


def _open(file: IO[bytes], size: int, name: str, size_hint: int | None, max_pixels: int) -> Image.Image:
    """Find out the format of a file and decode it."""
    if size == 0:
        raise UnreadableSource(f"{name}: the file is empty (0 bytes); copy it again from where it came")
    try:
        with _pillow_warnings_off():
            picture = Image.open(file, formats=_formats())
    except Image.DecompressionBombError:
        raise _too_many_pixels(name, max_pixels) from None
    except UnidentifiedImageError:
        raise UnreadableSource(f"{name}: {_unknown(file)}; convert it to JPEG or PNG") from None
    except Exception as error:  # decoders of hostile files raise nearly anything
        raise _damaged(name, error) from None
    with picture:
        return _decode(picture, name, size_hint, max_pixels)


def _unknown(file: IO[bytes]) -> str:
    """What a file is that Pillow knows no format of; the two that people try most often by their names."""
    file.seek(0)
    start = file.read(1024)
    if _HEIC.match(start):
        return "is a HEIC photograph, which Pillow cannot read"
    if _SVG.search(start):
        return "is an SVG drawing, which has no pixels"
    return "is no picture, or in a format that Pillow cannot read"


def _decode(picture: Image.Image, name: str, size_hint: int | None, max_pixels: int) -> Image.Image:
    """Read the pixels of the first frame and make them upright RGB."""
    width, height = picture.size
    if width * height > max_pixels:
        raise _too_many_pixels(name, max_pixels, f" ({width} × {height})")
    if width == 0 or height == 0:
        raise UnreadableSource(f"{name}: the picture has no pixels ({width} × {height}); leave it out")
    try:
        if size_hint is not None and picture.format in {"JPEG", "MPO"}:
            _draft(picture, size_hint)
        picture.load()
        turn = _UPRIGHT.get(_orientation(picture))
        small = _shrink(picture, size_hint)
        with _pillow_warnings_off():
            result = _to_rgb(small)
        result = result.transpose(turn) if turn is not None else result
        return result.copy() if result is picture else result
    except Exception as error:  # decoders of hostile files raise nearly anything
        raise _damaged(name, error) from None


def _draft(picture: Image.Image, size_hint: int) -> None:
    """Let the JPEG decoder leave out the frequencies that scaling down would drop anyway."""
    scale = min(1.0, _REDUCING_GAP * size_hint / min(picture.size))
    width, height = picture.size
    picture.draft(None, (int(np.ceil(width * scale)), int(np.ceil(height * scale))))


def _shrink(picture: Image.Image, size_hint: int | None) -> Image.Image:
    """Average whole blocks of pixels while the shorter side stays above twice the hint."""
    factor = min(picture.size) // (_REDUCING_GAP * size_hint) if size_hint else 1
    # Palette numbers and single bits cannot be averaged.
    return picture.reduce(factor) if factor > 1 and picture.mode in {"L", "RGB", "CMYK", "YCbCr"} else picture


def _orientation(picture: Image.Image) -> int:
    """Read how the camera was held; a corrupt EXIF block is no reason to lose the photograph."""
    try:
        with _pillow_warnings_off():
            return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return 1


def _to_rgb(picture: Image.Image) -> Image.Image:
    """Convert any mode to RGB: deep greys to eight bits, transparency laid on white."""
    if picture.mode in {"I", "F"} or picture.mode.startswith("I;16"):
        picture = _to_eight_bits(picture)
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        paper = Image.new("RGB", layer.size, "white")
        paper.paste(layer, mask=layer.getchannel("A"))
        return paper
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float greys to 0…255, by the range that their largest value suggests."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    values = values.clip(min=0.0)
    largest = float(values.max(initial=0.0))
    deep = picture.mode.startswith("I;16")
    top = 65535.0 if deep else next(top for top in (1.0, 255.0, 65535.0, largest) if largest <= top)
    return Image.fromarray((values * (255.0 / top)).round().astype(np.uint8))


@contextmanager
def _pillow_warnings_off() -> Iterator[None]:
    """Silence Pillow about odd metadata and big pictures: what matters is raised by this module.

    The filters of `warnings` belong to the whole process, hence the lock, and hence a filter so narrow that
    nothing else is lost should another thread be changing them at the same moment.
    """
    with _filters_lock, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _formats() -> list[str]:
    """Name the formats that may be opened: all that Pillow decodes by itself."""
    Image.init()
    return [name for name in Image.OPEN if name not in _NEVER_OPENED]


def _too_many_pixels(name: str, most: int, size: str = "") -> UnreadableSource:
    return UnreadableSource(
        f"{name}: has more than {most // 1_000_000} million pixels{size}, which may be a decompression "
        "bomb; scale it down first"
    )


def _damaged(name: str, error: Exception) -> UnreadableSource:
    if isinstance(error, MemoryError):
        return UnreadableSource(f"{name}: does not fit into memory; scale it down first")
    return UnreadableSource(
        f"{name}: is truncated or damaged ({_reason(error)}); copy it again from where it came"
    )


def _reason(error: BaseException) -> str:
    """Put what a library said into one short line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:120] or type(error).__name__
