"""The image teacher: a TFLite MobileNetV2 whose last feature map the picture tower learns to copy.

The map before pooling (`…/Conv_1/Relu6…`) is 7×7×1280. A ViT on 112 px with 16 px patches has 7×7
patch tokens over the same picture, so they are distilled one to one. The map is stored after a PCA,
because 1,280 numbers a patch for sixty thousand pictures do not fit a small machine's memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import local

import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from lexiscope.errors import DatasetError, RecipeError
from lexiscope.training.corpus import Corpus, Shard

COMPONENTS = 256
_SAMPLE = 1024  # pictures that the PCA is fitted on
_CHUNK = 256


class Teacher:
    """MobileNetV2 (uint8, 224×224 in) read through LiteRT.

    Args:
        file: the `.tflite` file. One picture is read at a time, by one thread; see `_Readers` for many.

    Raises:
        DatasetError: there is no such file.
        RecipeError: LiteRT is not installed.
    """

    def __init__(self, file: Path) -> None:
        if not file.exists():
            raise DatasetError(f"{file}: no such teacher; name the folder that holds it with --data")
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise RecipeError("the teacher needs LiteRT: pip install 'lexiscope[train]'") from error

        self._model = Interpreter(str(file), num_threads=1, experimental_preserve_all_tensors=True)
        self._model.allocate_tensors()
        self._input = self._model.get_input_details()[0]["index"]
        self._map = next(
            detail
            for detail in self._model.get_tensor_details()
            if "Conv_1/Relu6" in detail["name"] and tuple(detail["shape"]) == (1, 7, 7, 1280)
        )

    def map(self, square: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The last feature map of one square picture, (7, 7, 1280) float32."""
        from PIL import Image

        picture = Image.fromarray(square).resize((224, 224), Image.Resampling.BICUBIC)
        self._model.set_tensor(self._input, np.asarray(picture)[None])
        self._model.invoke()
        scale, zero = self._map["quantization"]
        raw = self._model.get_tensor(self._map["index"])[0].astype(np.float32)
        features: npt.NDArray[np.float32] = (raw - np.float32(zero)) * np.float32(scale)
        return features


class _Readers:
    """A teacher a core: two threads on one picture wait for one another, and crawl where a core is busy."""

    def __init__(self, file: Path) -> None:
        self._file, self._mine = file, local()
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        self._mine.teacher = Teacher(file)  # what is wrong with the file is said here

    def maps(self, squares: Iterable[npt.NDArray[np.uint8]]) -> Iterator[npt.NDArray[np.float32]]:
        """The maps of many pictures, in their order."""
        return self._pool.map(self._read, squares)

    def _read(self, square: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if not hasattr(self._mine, "teacher"):
            self._mine.teacher = Teacher(self._file)
        teacher: Teacher = self._mine.teacher
        return teacher.map(square)


def teacher_maps(corpus: Corpus, file: Path) -> list[npt.NDArray[np.float16]]:
    """Feature maps of every picture, (n, 7, 7, COMPONENTS) float16 a shard; computed once and kept.

    Raises:
        DatasetError: the teacher's file is missing.
    """
    missing = [shard for shard in corpus.shards if not (shard.folder / "teacher.npy").exists()]
    if missing:
        readers = _Readers(file)
        mean, basis = _basis(readers, corpus)
        for shard in missing:
            _project(readers, shard, mean, basis)
    return [np.load(shard.folder / "teacher.npy", mmap_mode="r") for shard in corpus.shards]


def _basis(readers: _Readers, corpus: Corpus) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean (1280,) and the leading principal directions (1280, COMPONENTS), shared by all shards."""
    kept = corpus.shards[0].folder.parent / "teacher-pca.npz"
    if not kept.exists():
        rows = np.random.default_rng(0).choice(len(corpus), min(_SAMPLE, len(corpus)), replace=False)
        patches = np.concatenate(
            [
                found.reshape(-1, 1280)
                for found in tqdm(readers.maps(corpus.squares(rows)), desc="teacher PCA", total=len(rows))
            ]
        )
        mean = patches.mean(axis=0)
        _, vectors = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
        np.savez(kept, mean=mean, basis=vectors[:, ::-1][:, :COMPONENTS].astype(np.float32))
    with np.load(kept) as arrays:
        return arrays["mean"], arrays["basis"]


def _project(
    readers: _Readers,
    shard: Shard,
    mean: npt.NDArray[np.float32],
    basis: npt.NDArray[np.float32],
) -> None:
    """Write one shard's projected maps; renamed into place when whole."""
    part = shard.folder / "teacher.part.npy"
    out = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=(len(shard), 7, 7, COMPONENTS))
    bar = tqdm(total=len(shard), desc=f"teacher {shard.folder.name}")
    for begin in range(0, len(shard), _CHUNK):  # a map is 250 kB: only a chunk of them is held at a time
        found = np.stack(list(readers.maps(shard.squares[begin : begin + _CHUNK])))
        out[begin : begin + len(found)] = (found - mean) @ basis
        bar.update(len(found))
    bar.close()
    out.flush()
    part.rename(shard.folder / "teacher.npy")


__all__ = ["COMPONENTS", "Teacher", "teacher_maps"]
