"""Rows for `lexiscope train RECIPE --smoke`: real ones where they are at hand, else some made here.

The files are written as a user's would be (TSV, JSONL, tar, Parquet), and read by the recipe's own reader.
"""

from __future__ import annotations

import io
import itertools
import json
import math
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lexiscope.vocabulary import words

TEXTS = "text/multi30k-train.parquet"
PICTURES = "images/flickr8k-train.parquet"
_COLOURS = {
    "red": (200, 40, 40),
    "green": (40, 170, 60),
    "blue": (40, 60, 200),
    "yellow": (220, 210, 60),
    "white": (235, 235, 235),
    "black": (25, 25, 25),
}
_PLACES = ("beach", "street", "garden", "kitchen", "river", "mountain", "stage", "field")
_THINGS = ("dog", "cat", "boat", "horse", "child", "bicycle", "bird", "ball")
_POOL = 40  # rows among which the hardest wrong answers are looked for


@dataclass(frozen=True)
class Scene:
    """A picture, as PNG or WebP bytes, and what is said about it; without a picture b""."""

    captions: tuple[str, ...]
    picture: bytes = b""


def scenes(data: Path | None, n: int, *, pictures: bool) -> list[Scene]:
    """The first n rows of the real data, or as many made ones.

    Args:
        data: a folder with `text/multi30k-train.parquet` and `images/flickr8k-train.parquet`; without them
            rows are made.
        n: how many.
        pictures: whether they come with pictures.
    """
    file = None if data is None else data / (PICTURES if pictures else TEXTS)
    return _real(file, n, pictures) if file is not None and file.is_file() else list(_made(n))


def _real(file: Path, n: int, pictures: bool) -> list[Scene]:
    import pyarrow.parquet as pq

    columns = ["captions", "image"] if pictures else ["captions"]
    batch = next(pq.ParquetFile(file).iter_batches(batch_size=n, columns=columns))
    return [
        Scene(tuple(row["captions"]), row["image"]["bytes"] if pictures else b"") for row in batch.to_pylist()
    ]


def _made(n: int) -> Iterator[Scene]:
    """Coloured squares with a shape in them, and sentences that say so."""
    from PIL import Image

    rng = np.random.default_rng(0)
    kinds = list(itertools.product(_COLOURS, _THINGS, _PLACES))
    order = rng.permutation(len(kinds))
    for number in range(n):
        colour, thing, place = kinds[order[number % len(kinds)]]
        square = np.zeros((48, 48, 3), np.float64) + 28 * _PLACES.index(place)
        shape = 4 + 5 * _THINGS.index(thing)
        square[4 : 4 + shape, 4:44] = _COLOURS[colour]
        noisy = np.clip(square + rng.normal(0, 6, square.shape), 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noisy).save(buffer, "PNG")
        captions = (
            f"a {colour} {thing} at the {place}",
            f"the {thing} by the {place} is {colour}",
            f"one sees a {thing}, {colour} all over, near a {place}",
            f"{colour} {thing} and {place}",
        )
        yield Scene(captions, buffer.getvalue())


def write_rows(listed: Sequence[Scene], file: Path) -> None:
    """Write texts as a user's file: `.tsv` triples, or `.jsonl` with negatives, two teachers' scores.

    The wrong answers are the likest of a few dozen; the teachers are BM25 and the cosine of TF-IDF.
    """
    idf = _idf(listed)
    rng = np.random.default_rng(0)
    with file.open("w", encoding="utf-8") as out:
        for number, scene in enumerate(listed):
            query, answer = scene.captions[0], scene.captions[1]
            pool = [int(i) for i in rng.permutation(len(listed))[:_POOL] if i != number]
            likest = sorted(pool, key=lambda i: -_bm25(query, listed[i].captions[1], idf))[:4]
            others = [listed[i].captions[1] for i in likest]
            if file.suffix == ".tsv":
                out.write("\t".join(text.replace("\t", " ") for text in (query, answer, others[0])) + "\n")
                continue
            documents = [answer, *others]
            scores = [[_bm25(query, text, idf) / 4 for text in documents]]  # margins of one or two
            scores.append([_cosine(query, text, idf) for text in documents])
            row = {"query": query, "positive": answer, "negatives": others, "scores": scores}
            out.write(json.dumps({**row, "expansion": " ".join(scene.captions[2:4])}) + "\n")


def write_pictures(listed: Sequence[Scene], file: Path) -> None:
    """Write captioned pictures as a user's file: a WebDataset `.tar`, or `.parquet`."""
    if file.suffix == ".parquet":
        _parquet(listed, file)
        return
    with tarfile.open(file, "w") as tar:
        for number, scene in enumerate(listed):
            caption = scene.captions[0].encode()
            for ending, data in (("png", scene.picture), ("txt", caption)):
                member = tarfile.TarInfo(f"{number:09d}.{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def _parquet(listed: Sequence[Scene], file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = {
        "id": [str(number) for number in range(len(listed))],
        "image": [{"bytes": scene.picture, "path": None} for scene in listed],
        "captions": [list(scene.captions) for scene in listed],
    }
    pq.write_table(pa.table(table), file)


def _idf(listed: Sequence[Scene]) -> dict[str, float]:
    frequency = Counter(word for scene in listed for word in set(words(scene.captions[1])))
    n = len(listed)
    return {word: math.log(1 + (n - df + 0.5) / (df + 0.5)) for word, df in frequency.items()}


def _bm25(query: str, text: str, idf: dict[str, float]) -> float:
    counts = Counter(words(text))
    return sum(idf.get(word, 0.0) * 1.9 * counts[word] / (counts[word] + 0.9) for word in set(words(query)))


def _cosine(query: str, text: str, idf: dict[str, float]) -> float:
    left, right = Counter(words(query)), Counter(words(text))
    dot = sum(left[word] * right[word] * idf.get(word, 0.0) ** 2 for word in left)
    norms = [
        math.sqrt(sum((n * idf.get(word, 0.0)) ** 2 for word, n in side.items())) for side in (left, right)
    ]
    return dot / max(norms[0] * norms[1], 1e-9)
