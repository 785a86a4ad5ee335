"""bfloat16 where a machine computes faster with it; weights and results stay float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

__all__ = ["bf16_where_quicker", "computes_in_bf16"]


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bf16 helps there: a CPU without instructions for it takes twenty times as long for a step."""
    return device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def bf16_where_quicker(device: torch.device) -> AbstractContextManager[Any]:
    """A context in which matrix products are taken in bf16, where the device is quicker with it."""
    if not computes_in_bf16(device):
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
