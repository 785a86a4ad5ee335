"""What the image teacher says of the pictures: the last feature map of a MobileNetV2, seen in several ways.

The map before pooling (`…/Conv_1/Relu6…`) is 7×7×1280. A ViT on 112 px with 16 px patches has 7×7
patch tokens over the same picture, so they are distilled one to one. The map is stored after a PCA,
because 1,280 numbers a patch for sixty thousand pictures do not fit a small machine's memory.

The teacher sees each picture whole and through random boxes, and the tower is shown the same boxes: a map
of the whole picture, cut, tells of things that a tower cannot see in its crop (Beyer et al., "Knowledge
distillation: a good teacher is patient and consistent", CVPR 2022).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm.auto import tqdm

from lexiscope.precision import bf16_where_quicker
from lexiscope.training.augment import crop, random_boxes, whole_boxes
from lexiscope.training.corpus import Corpus, Shard
from lexiscope.training.mobilenet import read_mobilenet

COMPONENTS = 256
_SIDE = 224  # pixels that the teacher was trained on
_SAMPLE = 1024  # pictures that the PCA is fitted on
_CHUNK = 128  # pictures at once: a map is 250 kB


@dataclass(frozen=True)
class TeacherViews:
    """The teacher's maps of every picture.

    Attributes:
        boxes: (pictures · views, 2, 3) affine maps of what it saw; a picture's views lie side by side,
            and the first is the whole picture.
        maps: a shard's maps, (pictures · views, 7, 7, COMPONENTS).
        views: how many there are of a picture.
    """

    boxes: Tensor
    maps: list[npt.NDArray[np.float16]]
    views: int


def teacher_views(
    corpus: Corpus, file: Path, *, views: int, smallest: float, device: torch.device
) -> TeacherViews:
    """Look at every picture with the teacher; computed once and kept beside the decoded pictures.

    Args:
        corpus: the pictures.
        file: the teacher, a `.tflite` file.
        views: ways of looking at each picture: whole, then through random boxes.
        smallest: least share of a picture's area that a box shows.
        device: where the teacher runs.

    Raises:
        DatasetError: the teacher's file is missing.
        RecipeError: LiteRT, which reads it, is not installed.
    """
    name = f"teacher-{views}-{smallest:g}.npy"
    boxes = [_boxes(shard, views, smallest) for shard in corpus.shards]
    if any(not (shard.folder / name).exists() for shard in corpus.shards):
        reader = _Reader(file, device)
        basis = _basis(reader, corpus)
        for shard, seen in zip(corpus.shards, boxes, strict=True):
            if not (shard.folder / name).exists():
                _write(reader, shard, seen, basis, shard.folder / name)
    maps = [np.load(shard.folder / name, mmap_mode="r") for shard in corpus.shards]
    return TeacherViews(torch.cat(boxes), maps, views)


def _boxes(shard: Shard, views: int, smallest: float) -> Tensor:
    """(pictures · views, 2, 3): the same whenever the shard is opened, whatever shards lie beside it."""
    generator = torch.Generator().manual_seed(zlib.crc32(shard.folder.name.encode()))
    n = len(shard)
    boxes = random_boxes(n * views, smallest=smallest, generator=generator).view(n, views, 2, 3)
    boxes[:, 0] = whole_boxes(n)
    return boxes.flatten(0, 1)


class _Reader:
    """The teacher on a device."""

    def __init__(self, file: Path, device: torch.device) -> None:
        self.device = device
        self._network: nn.Module = read_mobilenet(file).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def patches(self, squares: npt.NDArray[np.uint8], boxes: Tensor) -> Tensor:
        """Pictures (n, h, w, 3), seen through boxes (n, 2, 3), to states (n, 7, 7, 1280)."""
        pixels = torch.from_numpy(squares).to(self.device).permute(0, 3, 1, 2).float()
        pixels = crop(pixels, boxes.to(self.device), _SIDE, cubic=True).clamp(0, 255)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with bf16_where_quicker(self.device):
            found: Tensor = self._network(pixels)
        return found.permute(0, 2, 3, 1).float()


def _basis(reader: _Reader, corpus: Corpus) -> dict[str, Tensor]:
    """Mean (1280,) and the leading principal directions (1280, COMPONENTS), shared by all shards."""
    kept = corpus.shards[0].folder.parent / "teacher-pca.safetensors"
    if not kept.exists():
        rows = np.random.default_rng(0).choice(len(corpus), min(_SAMPLE, len(corpus)), replace=False)
        parts = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
        found = [reader.patches(corpus.squares(part), whole_boxes(len(part))) for part in parts]
        patches = torch.cat(found).flatten(0, 2).double()
        _, vectors = torch.linalg.eigh(patches.T.cov())
        leading = vectors.flip(1)[:, :COMPONENTS]
        save_file({"mean": patches.mean(dim=0).float(), "basis": leading.float().contiguous()}, kept)
    return load_file(kept, device=str(reader.device))


def _write(reader: _Reader, shard: Shard, boxes: Tensor, basis: dict[str, Tensor], file: Path) -> None:
    """Write one shard's projected maps; renamed into place when whole."""
    part = file.with_suffix(".part.npy")
    out = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=(len(boxes), 7, 7, COMPONENTS))
    views = len(boxes) // len(shard)
    for rows in _parts(len(boxes), f"teacher {shard.folder.name}"):
        found = reader.patches(shard.squares[rows // views], boxes[rows])
        out[rows] = ((found - basis["mean"]) @ basis["basis"]).half().cpu().numpy()
    out.flush()
    part.rename(file)


def _parts(n: int, what: str) -> Iterator[npt.NDArray[np.int64]]:
    with tqdm(total=n, desc=what) as bar:
        for start in range(0, n, _CHUNK):
            rows = np.arange(start, min(n, start + _CHUNK))
            yield rows
            bar.update(len(rows))


__all__ = ["COMPONENTS", "TeacherViews", "teacher_views"]
