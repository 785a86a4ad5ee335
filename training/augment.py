"""Random crops, mirrorings and colours, drawn for a batch and applied where the batch is.

One affine map serves the picture and the teacher's feature map of it, so that patches stay aligned.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
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


def whole_boxes(n: int) -> Tensor:
    """Affine maps (n, 2, 3) that show the whole picture."""
    return torch.eye(2, 3).repeat(n, 1, 1)


def inside(outer: Tensor, inner: Tensor) -> Tensor:
    """Boxes (n, 2, 3) of boxes: what `inner` shows of what `outer` shows of a picture."""
    scale = outer[:, :, :2] @ inner[:, :, :2]
    shift = outer[:, :, :2] @ inner[:, :, 2:] + outer[:, :, 2:]
    return torch.cat([scale, shift], dim=2)


def crop(pixels: Tensor, theta: Tensor, side: int, *, cubic: bool = False) -> Tensor:
    """Cut the boxes out of pictures (n, channels, h, w), resampled to (n, channels, side, side).

    Args:
        pixels: the pictures.
        theta: (n, 2, 3) of `random_boxes`.
        side: rows and columns of the result.
        cubic: keep enlarged pictures sharp, as photographs are.
    """
    kernel = _cubic if cubic else _hat
    down, across = _resampling(theta, pixels.shape[-2], pixels.shape[-1], side, kernel)
    return down[:, None] @ pixels @ across[:, None].transpose(-1, -2)


def crop_states(states: Tensor, theta: Tensor, side: int, kept: Tensor | None = None) -> Tensor:
    """Cut the boxes out of maps of states (n, h, w, c), resampled to side × side patches.

    Args:
        states: (n, h, w, c).
        theta: (n, 2, 3) of `random_boxes`.
        side: rows and columns of patches.
        kept: (n, m) numbers of the patches that are wanted; None: all of them.

    Returns:
        (n, m or side², c).
    """
    down, across = _resampling(theta, states.shape[1], states.shape[2], side)
    weights = torch.einsum("nyh,nxw->nyxhw", down, across).flatten(3).flatten(1, 2)
    if kept is not None:
        weights = weights.gather(1, kept[..., None].expand(-1, -1, weights.shape[-1]))
    return weights @ states.flatten(1, 2)


def _hat(distance: Tensor) -> Tensor:
    """Linear interpolation."""
    return (1 - distance).clamp(min=0)


def _cubic(distance: Tensor) -> Tensor:
    """Keys' cubic convolution with a = -1/2, as Pillow's BICUBIC where it enlarges."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return torch.where(distance < 1, near, far * (distance < 2))


def _resampling(
    theta: Tensor, height: int, width: int, side: int, kernel: Callable[[Tensor], Tensor] = _hat
) -> tuple[Tensor, Tensor]:
    """What each row (n, side, height) and column (n, side, width) of the crops takes of the maps'.

    A box has upright sides, so that resampling is one matrix from the left and one from the right:
    on a CPU several times as fast as `grid_sample`, which is for any affine map.
    """
    down = _shares(theta[:, 1, 1], theta[:, 1, 2], height, side, kernel)
    return down, _shares(theta[:, 0, 0], theta[:, 0, 2], width, side, kernel)


def _shares(scale: Tensor, shift: Tensor, size: int, side: int, kernel: Callable[[Tensor], Tensor]) -> Tensor:
    """Interpolation at `side` places, as a matrix (n, side, size) of kernels of |place - j|."""
    middle = (torch.arange(side, device=scale.device) * 2 + 1) / side - 1  # of the crop's pixels, in -1…1
    place = ((scale[:, None] * middle + shift[:, None] + 1) * size - 1) / 2
    place = place.clamp(0, size - 1)  # the border goes on
    shares = kernel((place[..., None] - torch.arange(size, device=scale.device)).abs())
    return shares / shares.sum(dim=-1, keepdim=True)


def jitter(pixels: Tensor, *, strength: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and colour of bytes (n, 3, h, w), each scaled by up to ±strength."""
    n = len(pixels)
    factor = (1 + (torch.rand(3, n, 1, 1, 1, generator=generator) * 2 - 1) * strength).to(pixels.device)
    pixels = pixels * factor[0]
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    pixels = (pixels - mean) * factor[1] + mean
    grey = pixels.mean(dim=1, keepdim=True)
    return ((pixels - grey) * factor[2] + grey).clamp(0, 255)
