"""Stage "distil": the picture tower learns the teacher's feature map, patch by patch.

    L = mean over patches of 1 - cos( A·s_p , t_p )  +  1 - cos( mean_p A·s_p , mean_p t_p )

with s_p the tower's patch states, t_p the teacher's (after PCA), and A a layer norm and a learned linear map:
the neck of the picture head, so that a head that has learned from the teacher's own map fits behind it.

The blocks may look at some patches of a picture only (`PictureBatches`).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.training.distributed import own
from lexiscope.training.loop import epoch_rows
from lexiscope.training.picture_batches import PictureBatches, Pictures
from lexiscope.vision.tower import VisionTower


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


def distillation_loss(guesses: Tensor, wanted: Tensor) -> Tensor:
    """The formula above; guesses and the teacher's states (n, patches, c) of the same patches."""
    guesses, wanted = guesses.float(), wanted.float()
    each = 1 - F.cosine_similarity(guesses, wanted, dim=-1).mean()
    pooled = 1 - F.cosine_similarity(guesses.mean(dim=1), wanted.mean(dim=1), dim=-1).mean()
    return each + pooled


class DistilStage:
    """The loop's view of distillation."""

    def __init__(self, module: DistilledTower, pictures: PictureBatches, *, batch: int, seed: int) -> None:
        self.module, self.pictures, self.size, self.seed = module, pictures, batch, seed

    def batch(self, step: int) -> Pictures:
        """This process's share of a step's pictures."""
        rows = epoch_rows(step, self.size, len(self.pictures.corpus), self.seed)
        return self.pictures.draw(own(rows), step)

    def loss(self, batch: Pictures, step: int) -> tuple[Tensor, dict[str, float]]:
        """The formula of this module."""
        if batch.teacher is None:
            raise ValueError("distillation needs the teacher's maps")
        return distillation_loss(self.module(batch.pixels, batch.kept), batch.teacher), {}

    def evaluate(self) -> dict[str, float]:
        """Nothing: the lexical stage is what counts."""
        return {}
