"""The files behind documents: pictures as thumbnails, audio. Found by document id alone."""

from __future__ import annotations

import base64
import binascii
import io
import re
import threading
from collections import OrderedDict
from pathlib import Path

from PIL.Image import Image

from lexiscope.demo.problems import Refusal
from lexiscope.errors import UnreadableSource
from lexiscope.index import Document
from lexiscope.vision.parquet import picture_rows
from lexiscope.vision.pictures import open_picture

__all__ = ["Thumbnails", "audio_beside", "audio_published", "decoded", "open_document", "picture_given"]

SIZES = {"small": 400, "large": 1280}
_WEB = re.compile(r"https?://[^/\s]+\S*", re.IGNORECASE)
_AUDIO = (".mp3", ".m4a", ".ogg", ".opus", ".wav", ".flac", ".aac", ".MP3")


def decoded(text: str, name: str) -> bytes:
    """Base64, with or without `data:…,` in front.

    Raises:
        Refusal: it is no base64.
    """
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(422, f"{name}: is no base64; encode the bytes of the file") from None


def picture_given(data: bytes, name: str, max_pixels: int) -> Image:
    """Open a picture that came with a request.

    Raises:
        UnreadableSource: it is no picture, damaged, or has too many pixels.
    """
    return open_picture(data, name=name, size_hint=512, max_pixels=max_pixels)


def open_document(document: Document, size: int) -> Image:
    """Open the picture of a document.

    Raises:
        Refusal: it is no picture.
        UnreadableSource: its file is gone or damaged.
    """
    if document.kind != "image":
        raise Refusal(404, f"document {document.id} is no picture but a chapter")
    if document.key == document.source:
        return open_picture(document.source, size_hint=size)
    for row in picture_rows(document.source):
        if row.name == document.key:
            return row.open(size_hint=size)
    raise UnreadableSource(f"{document.key}: the row is not in the file any more; index it again")


def audio_beside(document: Document) -> Path | None:
    """The audio file that lies beside a transcript under the same name (episode.vtt, episode.mp3)."""
    source = Path(document.source)
    if document.kind != "chapter":
        return None
    names = [source.with_suffix(suffix) for suffix in _AUDIO]
    if source.with_suffix("").suffix in _AUDIO:  # episode.mp3.vtt
        names.append(source.with_suffix(""))
    return next((path for path in names if path.is_file()), None)


def audio_published(document: Document) -> str | None:
    """Where a chapter's audio was published, if that is a web address (never `javascript:`)."""
    named = document.fields.get("audio")
    return named if isinstance(named, str) and _WEB.fullmatch(named) else None


class Thumbnails:
    """JPEGs of pictures, upright, kept in memory up to a size."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def of(self, document: Document, size: str) -> bytes:
        """A document's picture, its longer side at most that of the size."""
        key = (document.key, document.stamp, size)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        side = SIZES[size]
        picture = open_document(document, side)
        picture.thumbnail((side, side))
        written = io.BytesIO()
        picture.save(written, "JPEG", quality=85)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = written.getvalue()
                self._bytes += len(self._kept[key])
            while self._bytes > self._most and len(self._kept) > 1:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return written.getvalue()
