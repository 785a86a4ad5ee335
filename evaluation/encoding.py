"""Vectors of a data set: pictures, captions that ask, and captions to be found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, Protocol, TypeAlias, TypedDict, TypeVar

from scipy.sparse import csr_array
from tqdm.auto import tqdm

from lexiscope.errors import UnreadableSource
from lexiscope.evaluation.cache import VectorCache
from lexiscope.evaluation.captioned import CaptionedPictures
from lexiscope.evaluation.vectors import Rows, kind_of
from lexiscope.vision import open_picture
from lexiscope.vocabulary import Vocabulary

_PICTURES_AT_A_TIME = 256
_TEXTS_AT_A_TIME = 1024

Item = TypeVar("Item")
R = TypeVar("R", bound=Rows)
R_co = TypeVar("R_co", bound=Rows, covariant=True)


class VectorEncoder(Protocol[R_co]):
    """Pictures and texts to vectors of one kind: a `LexicalEncoder`, a `DenseEncoder`, or the like."""

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The terms that the columns stand for; None where they stand for nothing in particular."""

    def encode_image(
        self, pictures: list[Path | bytes], /, *, batch_size: int, show_progress_bar: bool | None
    ) -> R_co:
        """Vectors of picture files, (n, V)."""

    def encode_query(self, texts: list[str], /, *, batch_size: int, show_progress_bar: bool | None) -> R_co:
        """Vectors of texts that ask, (n, V)."""

    def encode_document(
        self, texts: list[str], /, *, batch_size: int, show_progress_bar: bool | None
    ) -> R_co:
        """Vectors of texts to be found, (n, V)."""


_Make: TypeAlias = "Callable[[CaptionedPictures, VectorEncoder[R], int, bool | None], Vectors[R]]"


class Encoder(VectorEncoder[csr_array], Protocol):
    """`LexicalEncoder`, or anything that encodes as it does."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The terms that the columns stand for."""


class Speed(TypedDict):
    """How long something took."""

    seconds: float
    per_second: float  # pictures, texts or queries


@dataclass(frozen=True)
class Vectors(Generic[R]):
    """Rows of vectors and how fast they were made.

    Attributes:
        rows: (n, V).
        seconds: time to read and encode them.
    """

    rows: R
    seconds: float

    @property
    def active_dims(self) -> float:
        """Mean number of words of a lexical vector, or of dimensions of a dense one."""
        return kind_of(self.rows).active_dims(self.rows)

    @property
    def speed(self) -> Speed:
        """Seconds, and rows a second."""
        return speed(self.seconds, int(self.rows.shape[0]))


@dataclass(frozen=True)
class Encoded(Generic[R]):
    """All vectors of a data set by one model.

    Attributes:
        images: of the pictures.
        queries: of all captions, as questions.
        documents: of all captions, to be found.
    """

    images: Vectors[R]
    queries: Vectors[R]
    documents: Vectors[R]


def encode(
    dataset: CaptionedPictures,
    encoder: VectorEncoder[R],
    batch_size: int = 32,
    show: bool | None = None,
    *,
    keep: Path | None = None,
) -> Encoded[R]:
    """Encode pictures, and all captions twice: as queries, and as documents to be found.

    Args:
        dataset: what to encode.
        encoder: the model.
        batch_size: pictures or texts a forward pass.
        show: whether to show progress bars; None shows them where standard error is a terminal.
        keep: folder that keeps vectors between runs, for models that have a fingerprint.

    Raises:
        UnreadableSource: a picture is damaged; the message names data set and picture.
        LexiscopeError: the folder cannot be written to.
    """
    print_ = fingerprint(encoder)
    cache = None if keep is None or print_ is None else VectorCache(keep, f"{dataset.fingerprint}-{print_}")
    parts: dict[str, Vectors[R]] = {}
    for name, make in (("image", encode_pictures), ("query", encode_queries), ("document", encode_documents)):

        def made(make: _Make[R] = make) -> tuple[R, float]:
            vectors = make(dataset, encoder, batch_size, show)
            return vectors.rows, vectors.seconds

        parts[name] = Vectors(*(made() if cache is None else cache.get(name, made)))  # type: ignore[arg-type]
    return Encoded(parts["image"], parts["query"], parts["document"])


def fingerprint(encoder: object) -> str | None:
    """Hexadecimal digits that differ when a model's weights do; None where it cannot say."""
    found = getattr(encoder, "fingerprint", None)
    return found if isinstance(found, str) else None


def speed(seconds: float, number: int) -> Speed:
    """Time and throughput of a number of things."""
    return {"seconds": seconds, "per_second": number / max(seconds, 1e-9)}


def encode_pictures(
    dataset: CaptionedPictures, encoder: VectorEncoder[R], batch_size: int, show: bool | None
) -> Vectors[R]:
    """Encode the pictures of a data set, a few hundred files at a time.

    Raises:
        UnreadableSource: one of them is damaged; the message names data set and picture.
    """

    def encode(items: list[tuple[str, Path | bytes]]) -> R:
        sources = [source for _, source in items]
        try:
            return encoder.encode_image(sources, batch_size=batch_size, show_progress_bar=False)
        except UnreadableSource:
            for name, source in items:  # the encoder cannot know what the data set calls its pictures
                open_picture(source, name=f"{dataset.origin}: picture {name!r}")
            raise

    pictures = zip(dataset.ids, dataset.sources(), strict=True)
    return _encode(encode, pictures, len(dataset), _PICTURES_AT_A_TIME, "pictures", show)


def encode_documents(
    dataset: CaptionedPictures, encoder: VectorEncoder[R], batch_size: int, show: bool | None
) -> Vectors[R]:
    """Encode all captions as documents to be found."""

    def document(texts: list[str]) -> R:
        return encoder.encode_document(texts, batch_size=batch_size, show_progress_bar=False)

    texts = dataset.texts
    return _encode(document, texts, len(texts), _TEXTS_AT_A_TIME, "captions as documents", show)


def encode_queries(
    dataset: CaptionedPictures, encoder: VectorEncoder[R], batch_size: int, show: bool | None
) -> Vectors[R]:
    """Encode all captions as queries."""

    def query(texts: list[str]) -> R:
        return encoder.encode_query(texts, batch_size=batch_size, show_progress_bar=False)

    texts = dataset.texts
    return _encode(query, texts, len(texts), _TEXTS_AT_A_TIME, "captions as queries", show)


def _encode(
    encode: Callable[[list[Item]], R],
    items: Iterable[Item],
    total: int,
    size: int,
    name: str,
    show: bool | None,
) -> Vectors[R]:
    parts: list[R] = []
    remaining = iter(items)
    start = time.perf_counter()
    with progress(total, name, show) as bar:
        while chunk := list(islice(remaining, size)):
            parts.append(encode(chunk))
            bar.update(len(chunk))
    return Vectors(kind_of(parts[0]).stack(parts), time.perf_counter() - start)


def progress(total: int, name: str, show: bool | None) -> tqdm:
    """A bar on standard error; `show` None means where that is a terminal."""
    return tqdm(total=total, desc=name, disable=None if show is None else not show, leave=False)
