"""MobileNetV2 as a torch module, with the weights of a TFLite file (Sandler et al., CVPR 2018).

LiteRT reads one picture at a time on a CPU; this reads batches wherever torch computes. The file's weights
are bytes and its activations are rounded to bytes; here they are numbers, so that the maps differ by the
rounding: cosine .988 a patch, .997 of their mean, on 60 pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.errors import DatasetError, RecipeError

_BLOCKS = ["expanded_conv", *(f"expanded_conv_{number}" for number in range(1, 17))]
_HALVING = {"Conv", "expanded_conv_1", "expanded_conv_3", "expanded_conv_6", "expanded_conv_13"}

#: Gives weights (out, in, h, w) and biases (out,) of a layer by its name in the file.
Weights = Callable[[str], tuple[Tensor, Tensor]]


class _Layer(nn.Module):
    """A convolution with TensorFlow's "SAME" padding, and ReLU6 where it is not linear."""

    def __init__(
        self, weight: Tensor, bias: Tensor, *, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)
        self.stride, self.groups, self.linear = stride, groups, linear

    def forward(self, states: Tensor) -> Tensor:
        """(n, in, h, w) to (n, out, h / stride, w / stride)."""
        reach = self.weight.shape[-1] - 1
        # Of an even side halved, TensorFlow leaves the first row and column without padding.
        before = 0 if self.stride == 2 else reach // 2
        states = F.pad(states, (before, reach - before) * 2) if reach else states
        found = F.conv2d(states, self.weight, self.bias, self.stride, groups=self.groups)
        return found if self.linear else found.clamp(0, 6)


class _Block(nn.Module):
    """Expand, filter each channel, project; what came in is added where the shapes agree."""

    def __init__(self, name: str, weights: Weights) -> None:
        super().__init__()
        stride = 2 if name in _HALVING else 1
        expand = [] if name == _BLOCKS[0] else [_Layer(*weights(f"{name}/expand"))]
        filters, bias = weights(f"{name}/depthwise")
        project = _Layer(*weights(f"{name}/project"), linear=True)
        self.layers = nn.Sequential(
            *expand, _Layer(filters, bias, stride=stride, groups=len(filters)), project
        )
        self.residual = bool(expand) and stride == 1 and expand[0].weight.shape[1] == len(project.weight)

    def forward(self, states: Tensor) -> Tensor:
        """(n, in, h, w) to (n, out, h / stride, w / stride)."""
        found: Tensor = self.layers(states)
        return states + found if self.residual else found


class MobileNet(nn.Module):
    """MobileNetV2 up to its last feature map.

    Args:
        weights: gives the weights and biases of a layer by its name.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        first = _Layer(*weights("Conv"), stride=2)
        blocks = [_Block(name, weights) for name in _BLOCKS]
        self.layers = nn.Sequential(first, *blocks, _Layer(*weights("Conv_1")))

    def forward(self, pixels: Tensor) -> Tensor:
        """Bytes (n, 3, h, w), both sides multiples of 32, to the last map (n, 1280, h / 32, w / 32)."""
        found: Tensor = self.layers(pixels / 127.5 - 1)
        return found


def read_mobilenet(file: Path) -> MobileNet:
    """Read a quantised MobileNetV2, `mobilenet_v2_1.0_224_quant.tflite`.

    Raises:
        DatasetError: there is no such file, or it is of another network.
        RecipeError: LiteRT is not installed.
    """
    if not file.exists():
        raise DatasetError(f"{file}: no such teacher; name the folder that holds it with --data")
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise RecipeError("the teacher needs LiteRT: pip install 'lexiscope[train]'") from error
    try:
        interpreter = Interpreter(str(file))
        return MobileNet(_weights(interpreter)).requires_grad_(False).eval()
    except (ValueError, LookupError) as error:
        raise DatasetError(f"{file}: no quantised MobileNetV2 ({error}); name another teacher") from error


def _weights(interpreter: Any) -> Weights:  # noqa: ANN401
    details = interpreter.get_tensor_details()

    def constant(name: str, dimensions: int) -> Tensor:
        [found] = [d for d in details if len(d["shape"]) == dimensions and f"MobilenetV2/{name}" in d["name"]]
        scale, zero = found["quantization"]
        return torch.from_numpy((interpreter.get_tensor(found["index"]).astype(np.float32) - zero) * scale)

    def layer(name: str) -> tuple[Tensor, Tensor]:
        filters = constant(f"{name}/weights_quant", 4)  # (out, h, w, in); of one channel each (1, h, w, out)
        filters = filters.permute(3, 0, 1, 2) if "depthwise" in name else filters.permute(0, 3, 1, 2)
        return filters.contiguous().float(), constant(f"{name}/BatchNorm_Fold/bias", 1).float()

    return layer
