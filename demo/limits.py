"""How much one request may ask for. What is more gets a clear refusal before it costs anything."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds of requests."""

    request_bytes: int = 64 << 20  # of a whole request, pictures in base64 included
    pixels: int = 50_000_000  # of a picture: 150 MB once it is decoded
    question_characters: int = 5_000
    text_characters: int = 200_000  # of a text to be encoded as a document
    batch: int = 32  # texts or pictures a request to encode
    files: int = 64  # a request to add
    hits: int = 100
    edits: int = 64  # words of one question that are raised, muted or forbidden
    seconds: float = 30.0  # for an answer; adding files may take longer
    seconds_to_add: float = 600.0
    waiting: int = 256  # requests that wait for a turn; more are told to come back
    thumbnails_bytes: int = 64 << 20  # kept in memory
