"""Random crops, mirrorings and colours, drawn for a batch and applied where the batch is.

One affine map serves the picture and the teacher's feature map of it, so that patches stay aligned.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def random_boxes(n: int, *, smallest: float, generator: torch.Generator) -> Tensor:
    """Affine maps (n, 2, 3) of random crops, half of them mirrored.

    Args:
        n: how many.
        smallest: least share of the picture's area.
        generator: source of randomness.
    """
    area = torch.empty(n).uniform_(smallest, 1.0, generator=generator)
    aspect = torch.exp(torch.empty(n).uniform_(-0.29, 0.29, generator=generator))  # 3:4 to 4:3
    wide = (area * aspect).sqrt().clamp(max=1.0)
    high = (area / aspect).sqrt().clamp(max=1.0)
    across = (torch.rand(n, generator=generator) * 2 - 1) * (1 - wide)
    down = (torch.rand(n, generator=generator) * 2 - 1) * (1 - high)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = wide * mirror, across
    theta[:, 1, 1], theta[:, 1, 2] = high, down
    return theta


def crop(maps: Tensor, theta: Tensor, side: int) -> Tensor:
    """Cut the boxes out of (n, channels, h, w), resampled to (n, channels, side, side)."""
    grid = F.affine_grid(theta, [len(maps), 1, side, side], align_corners=False)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def jitter(pixels: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and colour of bytes (n, 3, h, w), each scaled by up to ±strength."""
    n = len(pixels)
    factor = (1 + (torch.rand(3, n, 1, 1, 1, generator=generator) * 2 - 1) * strength).to(pixels.device)
    pixels = pixels * factor[0]
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    pixels = (pixels - mean) * factor[1] + mean
    grey = pixels.mean(dim=1, keepdim=True)
    return ((pixels - grey) * factor[2] + grey).clamp(0, 255)
