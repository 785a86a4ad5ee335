"""Captioned pictures for training: Parquet files decoded once into memory-mapped squares.

Decoding WebP and JPEG costs more than a small tower's forward pass, so each Parquet file is decoded
once into `squares.npy` (n, side, side, 3) uint8, squashed to a square, next to `captions.json`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from lexiscope.errors import DatasetError

SIDE = 128


@dataclass(frozen=True)
class Shard:
    """One Parquet file, decoded.

    Attributes:
        folder: where its arrays lie.
        squares: (n, SIDE, SIDE, 3) uint8, memory-mapped.
        captions: n lists of captions.
    """

    folder: Path
    squares: npt.NDArray[np.uint8]
    captions: list[list[str]]

    def __len__(self) -> int:
        return len(self.captions)


class Corpus:
    """Several shards seen as one list of pictures with captions."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = tuple(shards)
        self.starts = np.cumsum([0, *(len(shard) for shard in shards)])
        self.captions = [captions for shard in shards for captions in shard.captions]

    def __len__(self) -> int:
        return int(self.starts[-1])

    def squares(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Pictures of the given rows, (len(rows), SIDE, SIDE, 3) uint8."""
        return self.gather([shard.squares for shard in self.shards], rows)

    def gather(self, arrays: Sequence[npt.NDArray], rows: npt.NDArray[np.int64]) -> npt.NDArray:  # type: ignore[type-arg]
        """Rows of per-shard arrays laid end to end, in the order asked."""
        out = np.empty((len(rows), *arrays[0].shape[1:]), dtype=arrays[0].dtype)
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(owner):
            chosen = np.flatnonzero(owner == number)
            out[chosen] = arrays[number][rows[chosen] - self.starts[number]]
        return out


def open_corpus(files: Sequence[Path], cache: Path) -> Corpus:
    """Decode the Parquet files that are not yet in the cache, and open them all.

    Args:
        files: Parquet files with the columns `image` (struct with `bytes`) and `captions`.
        cache: folder that keeps the decoded arrays between runs.

    Raises:
        DatasetError: a file is missing or has other columns.
    """
    return Corpus([_open_shard(file, cache / file.stem) for file in files])


def _open_shard(file: Path, folder: Path) -> Shard:
    captions_file = folder / "captions.json"
    if not captions_file.exists():  # written last, so that a killed decode is done again
        _decode(file, folder)
    captions = json.loads(captions_file.read_text(encoding="utf-8"))
    return Shard(folder, np.load(folder / "squares.npy", mmap_mode="r"), captions)


def _decode(file: Path, folder: Path) -> None:
    import pyarrow.parquet as pq

    if not file.exists():
        raise DatasetError(f"{file}: no such training file; name the folder that holds it with --data")
    parquet = pq.ParquetFile(file)
    missing = {"image", "captions"} - set(parquet.schema_arrow.names)
    if missing:
        raise DatasetError(f"{file}: no column {', '.join(sorted(missing))}; expected id, image, captions")
    folder.mkdir(parents=True, exist_ok=True)
    n = parquet.metadata.num_rows
    squares = np.lib.format.open_memmap(
        folder / "squares.npy", mode="w+", dtype=np.uint8, shape=(n, SIDE, SIDE, 3)
    )
    captions: list[list[str]] = []
    for row, (image, texts) in enumerate(tqdm(_rows(parquet), total=n, desc=f"decoding {file.name}")):
        squares[row] = square(image)
        captions.append(texts)
    squares.flush()
    (folder / "captions.json").write_text(json.dumps(captions), encoding="utf-8")


def _rows(parquet: object) -> Iterator[tuple[bytes, list[str]]]:
    for batch in parquet.iter_batches(batch_size=256, columns=["image", "captions"]):  # type: ignore[attr-defined]
        for row in batch.to_pylist():
            yield row["image"]["bytes"], list(row["captions"])


def square(image: bytes) -> npt.NDArray[np.uint8]:
    """A picture squashed to (SIDE, SIDE, 3) uint8."""
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(small)
