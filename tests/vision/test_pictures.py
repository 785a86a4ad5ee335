from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lexiscope.errors import UnreadableSource
from lexiscope.vision.pictures import MAX_PIXELS, PICTURE_SUFFIXES, open_picture


def encoded(picture: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([across, down, 255 - across], axis=-1).astype(np.uint8))


def refusal(source: object) -> str:
    """The one line with which a source is refused."""
    with pytest.raises(UnreadableSource) as caught:
        open_picture(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_opens_paths_bytes_and_pictures_alike(tmp_path: Path) -> None:
    data = encoded(gradient(), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), data, gradient()):
        picture = open_picture(source)
        assert picture.mode == "RGB" and picture.size == (64, 48)
        assert np.array_equal(np.asarray(picture), np.asarray(gradient()))


def test_leaves_a_given_picture_as_it_is() -> None:
    given_picture = gradient()
    opened = open_picture(given_picture)
    opened.putpixel((0, 0), (1, 2, 3))
    assert given_picture.getpixel((0, 0)) == gradient().getpixel((0, 0))


def test_a_missing_file_a_folder_and_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert "there is no such file" in refusal(tmp_path / "none.jpg")
    assert "is a folder" in refusal(tmp_path)
    assert "0 bytes" in refusal(tmp_path / "empty.jpg")
    assert "empty.jpg" in refusal(tmp_path / "empty.jpg")
    assert "0 bytes" in refusal(b"")
    refusal("a\0b.jpg")
    refusal("x" * 5000)


def test_no_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert "no permission" in refusal(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    "junk", [b"hello", b"%PDF-1.4\n", b"\0" * 4096, bytes(range(256)) * 8, b"\xff\xd8\xff"]
)
def test_no_picture(junk: bytes) -> None:
    assert "is no picture" in refusal(junk) or "damaged" in refusal(junk)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64, "is a HEIC photograph"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>', "is an SVG drawing"),
    ],
)
def test_formats_that_people_try_are_named(content: bytes, said: str) -> None:
    assert said in refusal(content) and refusal(content).endswith("convert it to JPEG or PNG")


def test_postscript_is_never_run() -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n"
    assert "is no picture" in refusal(eps)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_truncated(format: str) -> None:
    data = encoded(gradient(200, 200), format)
    assert "truncated or damaged" in refusal(data[: len(data) // 2])


def test_truncated_jpeg_is_noticed_with_a_size_hint() -> None:
    data = encoded(gradient(800, 600), "JPEG")
    with pytest.raises(UnreadableSource, match="truncated"):
        open_picture(data[: len(data) // 2], size_hint=32)


def png_of_size(width: int, height: int) -> bytes:
    """A small file that claims to be big, as decompression bombs do."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 10_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_decompression_bomb() -> None:
    assert "decompression bomb" in refusal(png_of_size(60_000, 60_000))


def test_big_pictures_that_pillow_only_warns_of_are_tried() -> None:
    # 100 million pixels: no bomb, but here the file has no pixels behind its header.
    assert "truncated" in refusal(png_of_size(10_000, 10_000))


def test_too_many_pixels_in_a_picture_already_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lexiscope.vision.pictures.MAX_PIXELS", 100)
    assert "(64 × 48)" in refusal(gradient())
    assert MAX_PIXELS > 100_000_000


def test_non_utf8_names(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(path, "wb") as file:
        file.write(encoded(gradient(), "JPEG"))
    assert open_picture(os.fsdecode(path)).size == (64, 48)
    with open(path, "wb") as file:
        file.write(b"no picture")
    message = refusal(os.fsdecode(path))
    assert "caf\\xe9.jpg" in message
    message.encode("utf-8")


def test_first_frame_of_animations() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for format in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if format == "WEBP" else {}
        data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
        assert open_picture(data).getpixel((4, 4)) == (255, 0, 0), format


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(gradient(), "PNG", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(np.asarray(open_picture(data)), np.asarray(expected))


def test_corrupt_exif_does_not_lose_the_photograph() -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\x01\0\0\0"
    data = encoded(gradient(), "JPEG", exif=exif)
    assert open_picture(data).size == (64, 48)


def test_transparency_is_laid_on_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    clear.putpixel((0, 0), (255, 0, 0, 255))
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((0, 0), 0)
    grey = Image.new("LA", (4, 4), (0, 0))
    for data, corner in (
        (encoded(clear, "PNG"), (255, 0, 0)),
        (encoded(clear, "WEBP", lossless=True), (255, 0, 0)),
        (encoded(palette, "PNG", transparency=1), (255, 0, 0)),
        (encoded(palette, "PNG", transparency=b"\xff\0"), (255, 0, 0)),
        (encoded(palette, "GIF", transparency=1), (255, 0, 0)),
        (encoded(grey, "PNG"), (255, 255, 255)),
    ):
        picture = open_picture(data)
        assert (picture.mode, picture.getpixel((3, 3)), picture.getpixel((0, 0))) == (
            "RGB",
            (255,) * 3,
            corner,
        )


def test_premultiplied_alpha() -> None:
    assert open_picture(Image.new("RGBa", (2, 2), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)
    assert open_picture(Image.new("La", (2, 2), (0, 0))).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_modes_become_rgb(mode: str) -> None:
    picture = open_picture(gradient().convert("RGB").convert(mode))
    assert picture.mode == "RGB" and picture.size == (64, 48)


def test_cmyk_jpeg_keeps_its_colours() -> None:
    data = encoded(Image.new("RGB", (16, 16), "white").convert("CMYK"), "JPEG")
    assert min(open_picture(data).getpixel((8, 8))) > 250


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_greys_keep_their_shades(format: str) -> None:
    values = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    opened = np.asarray(open_picture(encoded(Image.fromarray(values), format)))[..., 0]
    assert np.array_equal(opened.ravel(), np.arange(256))


@pytest.mark.parametrize(("top", "white"), [(1.0, 255), (255.0, 255), (65535.0, 255), (1e6, 255), (0.0, 0)])
def test_float_greys(top: float, white: int) -> None:
    values = np.full((4, 4), top, dtype=np.float32)
    values[0, 0], values[0, 1], values[1, 0] = 0, np.nan, -np.inf
    opened = np.asarray(open_picture(encoded(Image.fromarray(values), "TIFF")))
    assert opened[3, 3, 0] == white and opened[0, 0, 0] == opened[0, 1, 0] == opened[1, 0, 0] == 0


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", [(1600, 1200), (1200, 1600), (5000, 400), (300, 200), (449, 449)])
def test_size_hint_saves_work_and_never_too_much(format: str, size: tuple[int, int]) -> None:
    data = encoded(gradient(*size), format)
    full, small = open_picture(data), open_picture(data, size_hint=100)
    assert full.size == size
    assert min(200, min(size)) <= min(small.size) <= 400 or small.size == size
    assert abs(small.width / small.height - size[0] / size[1]) / (size[0] / size[1]) < 0.02
    compared = [np.asarray(picture.resize((32, 32)), dtype=float) for picture in (full, small)]
    assert np.abs(compared[0] - compared[1]).mean() < 4


def test_no_warning_gets_out_and_the_filters_stay_as_they_were() -> None:
    before = list(warnings.filters)
    open_picture(encoded(gradient(), "JPEG"))
    assert warnings.filters == before


def test_many_threads_at_once() -> None:
    data, failures = encoded(gradient(), "JPEG"), []

    def work() -> None:
        try:
            for _ in range(20):
                open_picture(data, size_hint=16)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM"]), st.data())
def test_damage_anywhere_opens_or_is_refused(format: str, data: st.DataObject) -> None:
    whole = bytearray(encoded(gradient(40, 30), format))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    damaged = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        assert open_picture(damaged).mode == "RGB"
    except UnreadableSource as error:
        assert "\n" not in str(error)


def test_suffixes_are_those_of_formats_that_can_be_opened() -> None:
    Image.init()
    known = {suffix for suffix, format in Image.registered_extensions().items() if format in Image.OPEN}
    # AVIF and JPEG 2000 need libraries that some builds of Pillow lack.
    assert known >= PICTURE_SUFFIXES - {".avif", ".avifs", ".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx"}
    assert {".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif"} <= PICTURE_SUFFIXES
    assert not {".eps", ".ps", ".mpg", ".h5", ".wmf"} & PICTURE_SUFFIXES


def test_opening_pictures_needs_no_torch() -> None:
    code = "import sys, lexiscope.vision as v; v.open_picture; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_caller_may_allow_fewer_pixels_and_they_are_counted_before_decoding(tmp_path):
    written = io.BytesIO()
    Image.new("RGB", (1200, 1000)).save(written, "PNG")
    whole, cut = written.getvalue(), written.getvalue()[:60]
    assert open_picture(whole, max_pixels=1_200_000).size == (1200, 1000)
    (tmp_path / "big.png").write_bytes(whole)
    for source in (whole, tmp_path / "big.png", Image.open(io.BytesIO(whole)), cut):
        with pytest.raises(UnreadableSource, match=r"more than 1 million pixels \(1200 × 1000\)"):
            open_picture(source, max_pixels=1_199_999)
