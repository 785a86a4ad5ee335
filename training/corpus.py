"""Captioned pictures for training: Parquet files decoded once into memory-mapped squares.

Decoding WebP and JPEG costs more than a small tower's forward pass, so each Parquet file is decoded
once into `squares.npy` (n, side, side, 3) uint8, squashed to a square, next to `captions.json`.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm.auto import tqdm

from lexiscope.errors import DatasetError

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

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
        self.captions = [captions for shard in shards for captions in shard.captions]

    def __len__(self) -> int:
        return len(self.captions)

    def squares(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Pictures of the given rows, (len(rows), SIDE, SIDE, 3) uint8."""
        return gather([shard.squares for shard in self.shards], rows)


def gather(arrays: Sequence[npt.NDArray[Any]], rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Rows of arrays laid end to end, in the order asked."""
    starts = np.cumsum([0, *map(len, arrays)])
    out = np.empty((len(rows), *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    owner = np.searchsorted(starts, rows, side="right") - 1
    for number in np.unique(owner):
        chosen = np.flatnonzero(owner == number)
        out[chosen] = arrays[number][rows[chosen] - starts[number]]
    return out


def held(
    arrays: Sequence[npt.NDArray[Any]], device: torch.device
) -> Callable[[npt.NDArray[np.int64]], Tensor]:
    """Rows of arrays laid end to end as tensors on a device.

    A GPU takes the arrays whole, where two thirds of its free memory hold them: it trains faster than rows
    can be sent to it one batch after another.
    """
    size = sum(array.nbytes for array in arrays)
    if device.type != "cuda" or 1.5 * size > torch.cuda.mem_get_info(device)[0]:
        return lambda rows: torch.from_numpy(gather(arrays, rows)).to(device)
    whole = torch.cat([torch.from_numpy(array).to(device) for array in arrays])
    return lambda rows: whole[torch.from_numpy(rows).to(device)]


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
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,  # Pillow decodes beside other threads
        tqdm(total=n, desc=f"decoding {file.name}") as bar,
    ):
        for images, texts in _batches(parquet):
            for row, found in enumerate(pool.map(square, images), start=len(captions)):
                squares[row] = found
            captions.extend(texts)
            bar.update(len(images))
    squares.flush()
    (folder / "captions.json").write_text(json.dumps(captions), encoding="utf-8")


def _batches(parquet: ParquetFile) -> Iterator[tuple[list[bytes], list[list[str]]]]:
    for batch in parquet.iter_batches(batch_size=256, columns=["image", "captions"]):
        rows = batch.to_pylist()
        yield [row["image"]["bytes"] for row in rows], [list(row["captions"]) for row in rows]


def square(image: bytes) -> npt.NDArray[np.uint8]:
    """A picture squashed to (SIDE, SIDE, 3) uint8."""
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(small)
