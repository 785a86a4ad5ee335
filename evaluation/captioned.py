"""Captioned pictures as the evaluation sees them, whatever file they were read from."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lexiscope.errors import DatasetError


@dataclass(frozen=True)
class CaptionedPictures:
    """Pictures, each with one caption or more: what is right for what in retrieval.

    Two pictures may share a caption word for word. They stay two captions, each right for its own
    picture only, as in the published protocols.

    Attributes:
        name: what the report calls the data set.
        origin: the file it was read from, for messages.
        ids: one name a picture, no two alike.
        captions: one tuple of captions a picture, none of them empty.
        sources: streams the pictures' files or bytes in the order of `ids`; may be called again.

    Raises:
        DatasetError: there are no pictures, an id is repeated or empty, or a caption is missing or empty.
    """

    name: str
    origin: str
    ids: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]
    sources: Callable[[], Iterator[Path | bytes]] = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what would silently bend the figures."""
        if not self.ids:
            raise DatasetError(f"{self.origin}: has no pictures; name another data set or split")
        repeated, times = Counter(self.ids).most_common(1)[0]
        if times > 1:
            raise DatasetError(
                f"{self.origin}: id {repeated!r} stands {times} times; give every picture an id of its own"
            )
        for name, captions in zip(self.ids, self.captions, strict=True):
            self._check(name, captions)

    def _check(self, name: str, captions: tuple[str, ...]) -> None:
        if not name.strip():
            raise DatasetError(
                f"{self.origin}: a picture has an empty id; give every picture an id of its own"
            )
        if not captions:
            raise DatasetError(f"{self.origin}: picture {name!r} has no captions; add one or leave it out")
        for number, caption in enumerate(captions, start=1):
            if not caption.strip():
                raise DatasetError(
                    f"{self.origin}: caption {number} of picture {name!r} is empty; write it or leave it out"
                )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of ids, captions and pictures, whatever file they stand in.

        Raises:
            DatasetError: a picture cannot be read.
        """
        digest = hashlib.sha256(json.dumps([self.ids, self.captions]).encode())
        for name, source in zip(self.ids, self.sources(), strict=True):
            try:
                content = source if isinstance(source, bytes) else source.read_bytes()
            except OSError as error:
                raise DatasetError(
                    f"{self.origin}: picture {name!r} cannot be read ({error.strerror}); check its rights"
                ) from None
            digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()[:16]

    def part(self, rows: npt.NDArray[np.int64]) -> CaptionedPictures:
        """Some of the pictures, with their captions; rows ascend."""
        chosen = set(rows.tolist())

        def sources() -> Iterator[Path | bytes]:
            return (source for row, source in enumerate(self.sources()) if row in chosen)

        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            captions=tuple(self.captions[row] for row in rows),
            sources=sources,
        )

    @property
    def texts(self) -> list[str]:
        """All captions, picture after picture."""
        return [caption for captions in self.captions for caption in captions]

    @property
    def caption_ids(self) -> list[str]:
        """A name for every caption of `texts`: its picture's id and its number from 0, `dog.jpg#0`."""
        return [
            f"{name}#{n}" for name, own in zip(self.ids, self.captions, strict=True) for n in range(len(own))
        ]

    @property
    def owners(self) -> npt.NDArray[np.int64]:
        """Number of the picture that each caption of `texts` belongs to, (captions,)."""
        counts = np.array([len(own) for own in self.captions], dtype=np.int64)
        return np.repeat(np.arange(len(self), dtype=np.int64), counts)
