"""What makes a step quicker on one kind of machine and changes no result beyond rounding."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Tower = TypeVar("Tower", bound=nn.Module)


def tune_for(tower: Tower, device: torch.device) -> Tower:
    """Move a picture tower to a device, with what trains fastest there.

    On a CPU two things nearly double a step's speed: attention written out (the backward pass of the
    fused kernel takes a quarter of a step, for a few dozen tokens), and convolutions with the channels last.
    """
    tower = tower.to(device)
    if device.type == "cpu":
        tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for module in tower.modules():
            if hasattr(module, "fused_attn"):
                module.fused_attn = False  # type: ignore[assignment]
    return tower
