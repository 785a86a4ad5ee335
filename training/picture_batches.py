"""What a step looks at: augmented pictures, the patches of them that count, and the teacher's view of those.

A step may look at some patches of a picture only, drawn anew for every picture and step (FLIP, Li et al.,
"Scaling language-image pre-training via masking", CVPR 2023): a step of half the patches costs little more
than half, and twice as many pictures are worth more than twice as many patches of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexiscope.training.augment import crop, crop_states, jitter, random_boxes
from lexiscope.training.corpus import Corpus
from lexiscope.training.distributed import rank, world
from lexiscope.vision.tower import Preprocessor


@dataclass(frozen=True)
class Pictures:
    """One step's pictures."""

    pixels: Tensor  # (n, 3, side, side), normalised
    kept: Tensor | None  # (n, m) numbers of the patches to look at; None: all of them
    teacher: Tensor | None  # (n, m, c) what the teacher says of those patches; None: there is no teacher


class PictureBatches:
    """Draws pictures of a corpus; what is drawn depends on the rows, the step and the process alone.

    Args:
        corpus: the pictures.
        maps: the teacher's maps of the corpus's shards, (n, rows, columns, c); None: there is no teacher.
        preprocess: of the tower.
        grid: rows and columns of the tower's patches.
        smallest: least share of a picture's area that a crop shows.
        colour: how far colours are changed.
        keep: share of the patches that a step looks at.
        device: where batches go.
    """

    def __init__(
        self,
        corpus: Corpus,
        maps: list[npt.NDArray[np.float16]] | None,
        preprocess: Preprocessor,
        grid: tuple[int, int],
        *,
        smallest: float,
        colour: float,
        keep: float = 1.0,
        device: torch.device,
    ) -> None:
        self.corpus, self.maps, self.preprocess, self.grid = corpus, maps, preprocess, grid
        self.smallest, self.colour, self.keep, self.device = smallest, colour, keep, device

    def draw(self, rows: npt.NDArray[np.int64], step: int) -> Pictures:
        """Pictures of the given rows of the corpus."""
        theta, kept, generator = self._chance(len(rows), step)
        squares = torch.from_numpy(self.corpus.squares(rows)).to(self.device).permute(0, 3, 1, 2).float()
        pixels = crop(squares, theta, self.preprocess.config.image_size)
        pixels = jitter(pixels, strength=self.colour, generator=generator)
        teacher = None if self.maps is None else self._teacher(self.maps, rows, theta, kept)
        return Pictures(self.preprocess.normalise(pixels), kept, teacher)

    def draw_teacher(self, rows: npt.NDArray[np.int64], step: int) -> Tensor:
        """What `draw` would give as the teacher's view, (n, m, c), without the pictures.

        Raises:
            ValueError: there is no teacher.
        """
        if self.maps is None:
            raise ValueError("these pictures come without a teacher's maps")
        theta, kept, _ = self._chance(len(rows), step)
        return self._teacher(self.maps, rows, theta, kept)

    def _chance(self, n: int, step: int) -> tuple[Tensor, Tensor | None, torch.Generator]:
        """Crops and patches of a step, and the source of colours.

        All processes draw for all rows and take their own, so that together they see what one alone would;
        on the CPU, for the same numbers on any device.
        """
        generator = torch.Generator().manual_seed(step)
        theta = random_boxes(n * world(), smallest=self.smallest, generator=generator)[rank() :: world()]
        kept = None
        if self.keep < 1:
            patches = self.grid[0] * self.grid[1]
            order = torch.rand(n * world(), patches, generator=generator)[rank() :: world()].argsort(dim=1)
            kept = order[:, : max(1, round(self.keep * patches))].to(self.device)
        generator.manual_seed(step * world() + rank())
        return theta.to(self.device), kept, generator

    def _teacher(
        self,
        maps: list[npt.NDArray[np.float16]],
        rows: npt.NDArray[np.int64],
        theta: Tensor,
        kept: Tensor | None,
    ) -> Tensor:
        raw = torch.from_numpy(self.corpus.gather(maps, rows)).to(self.device)
        return crop_states(raw.float(), theta, self.grid[0], kept)
