"""Stage "distil": the picture tower learns the teacher's feature map, patch by patch.

    L = mean over patches of 1 - cos( A·s_p , t_p )  +  1 - cos( mean_p A·s_p , mean_p t_p )

with s_p the tower's patch states, t_p the teacher's (after PCA), and A a layer norm and a learned linear map:
the neck of the picture head, so that a head that has learned from the teacher's own map fits behind it.

The blocks may look at some patches of a picture only, drawn anew for every picture and step (FLIP, Li et
al., "Scaling language-image pre-training via masking", CVPR 2023): a step of half the patches costs little
more than half, and twice as many pictures are worth more than twice as many patches of each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.training.augment import crop, jitter, random_boxes
from lexiscope.training.corpus import Corpus
from lexiscope.training.loop import epoch_rows
from lexiscope.vision.tower import Preprocessor, VisionTower


class DistilledTower(nn.Module):
    """A picture tower with the map A from its states to the teacher's."""

    def __init__(self, tower: VisionTower, components: int) -> None:
        super().__init__()
        self.tower = tower
        self.to_teacher = nn.Sequential(nn.LayerNorm(tower.width), nn.Linear(tower.width, components))

    def forward(self, pixels: Tensor, kept: Tensor | None = None) -> Tensor:
        """Pixels (n, 3, h, w) to guesses of the teacher's patches (n, patches, components).

        Args:
            pixels: normalised pictures.
            kept: (n, m) numbers of the patches to look at; None looks at all.
        """
        guesses: Tensor = self.to_teacher(self.tower(pixels, kept))
        return guesses


def distillation_loss(guesses: Tensor, maps: Tensor) -> Tensor:
    """The formula above; guesses (n, patches, c), maps (n, c, rows, columns)."""
    wanted = maps.flatten(2).transpose(1, 2).float()
    guesses = guesses.float()
    each = 1 - F.cosine_similarity(guesses, wanted, dim=-1).mean()
    pooled = 1 - F.cosine_similarity(guesses.mean(dim=1), wanted.mean(dim=1), dim=-1).mean()
    return each + pooled


class PictureBatches:
    """Augmented pictures with the teacher's maps of the same crops."""

    def __init__(
        self,
        corpus: Corpus,
        maps: list[npt.NDArray[np.float16]] | None,
        preprocess: Preprocessor,
        grid: tuple[int, int],
        *,
        smallest: float,
        colour: float,
        device: torch.device,
    ) -> None:
        self.corpus, self.maps, self.preprocess, self.grid = corpus, maps, preprocess, grid
        self.smallest, self.colour, self.device = smallest, colour, device

    def draw(self, rows: npt.NDArray[np.int64], step: int) -> tuple[Tensor, Tensor | None]:
        """Normalised pixels (n, 3, side, side) and teacher maps (n, c, rows, columns) of picture rows."""
        theta, generator = self._boxes(len(rows), step)
        squares = torch.from_numpy(self.corpus.squares(rows)).to(self.device).permute(0, 3, 1, 2).float()
        pixels = crop(squares, theta, self.preprocess.config.image_size)
        pixels = jitter(pixels, strength=self.colour, generator=generator)
        maps = None if self.maps is None else self._crops(self.maps, rows, theta)
        return self.preprocess.normalise(pixels), maps

    def draw_maps(self, rows: npt.NDArray[np.int64], step: int) -> Tensor:
        """The teacher's maps alone, (n, c, rows, columns), of the crops that `draw` would make.

        Raises:
            ValueError: there is no teacher.
        """
        if self.maps is None:
            raise ValueError("these pictures come without a teacher's maps")
        return self._crops(self.maps, rows, self._boxes(len(rows), step)[0])

    def _boxes(self, n: int, step: int) -> tuple[Tensor, torch.Generator]:
        generator = torch.Generator().manual_seed(step)
        return random_boxes(n, smallest=self.smallest, generator=generator).to(self.device), generator

    def _crops(
        self, maps: list[npt.NDArray[np.float16]], rows: npt.NDArray[np.int64], theta: Tensor
    ) -> Tensor:
        raw = torch.from_numpy(self.corpus.gather(maps, rows)).to(self.device)
        return crop(raw.permute(0, 3, 1, 2).float(), theta, self.grid[0])


class DistilStage:
    """The loop's view of distillation; `keep` is the share of patches that a step looks at."""

    def __init__(
        self, module: DistilledTower, batches: PictureBatches, *, batch: int, seed: int, keep: float = 1.0
    ) -> None:
        self.module, self.batches, self.size, self.seed, self.keep = module, batches, batch, seed, keep

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Pixels and maps."""
        rows = epoch_rows(step, self.size, len(self.batches.corpus), self.seed)
        pixels, maps = self.batches.draw(rows, step)
        if maps is None:
            raise ValueError("distillation needs the teacher's maps")
        return pixels, maps

    def loss(self, batch: tuple[Tensor, Tensor], step: int) -> tuple[Tensor, dict[str, float]]:
        """The formula of this module."""
        pixels, maps = batch
        patches = maps[0, 0].numel()
        if self.keep == 1:
            return distillation_loss(self.module(pixels), maps), {}
        # Drawn on the CPU, so that a run gives the same numbers on any device.
        order = torch.rand(len(pixels), patches).argsort(dim=1).to(pixels.device)
        kept = order[:, : max(1, round(self.keep * patches))]
        seen = maps.flatten(2).gather(2, kept[:, None].expand(-1, maps.shape[1], -1))
        return distillation_loss(self.module(pixels, kept), seen[..., None]), {}

    def evaluate(self) -> dict[str, float]:
        """Nothing: the lexical stage is what counts."""
        return {}
