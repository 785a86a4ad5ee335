"""How much one request may ask for. What is more gets a clear refusal before it costs anything."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds of requests; those of single fields stand in `schemas`, where OpenAPI shows them."""

    request_bytes: int = 64 << 20  # of a whole request, pictures in base64 included
    pixels: int = 50_000_000  # of a picture: 150 MB once it is decoded
    text_bytes: int = 200_000  # of all texts of a request to encode
    batch: int = 32  # texts or pictures a request to encode
    files: int = 64  # a request to add
    seconds: float = 30.0  # for an answer; adding files may take longer
    seconds_to_add: float = 600.0
    waiting: int = 256  # requests that wait for a turn; more are told to come back
    thumbnails_bytes: int = 64 << 20  # kept in memory
