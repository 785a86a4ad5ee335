"""Patches given classes by a dense model: PatchDis for the twin of a lexical model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch.nn.functional import normalize

from lexiscope.errors import ModelError
from lexiscope.evaluation.dense import DenseEncoder
from lexiscope.evaluation.measures import Float32
from lexiscope.evaluation.patch_classes import class_name

__all__ = ["ByDenseText"]

_RESIZE = {"squash": "squash", "shortest": "crop"}  # open_clip's to ours
_PICTURES_AT_A_TIME = 8


class ByDenseText:
    """A class's score is the cosine of the patch's vector and the vector of the class's name.

    A patch's vector is its state through the projection that the pooled state goes through: where pooling is
    the mean and the projection linear, the picture's vector before normalisation is the mean of its patches'.

    Args:
        encoder: a dense model with a timm vision transformer of open_clip's kind, pooled by the mean.
        classes: labels, without the background.

    Raises:
        ModelError: the model's picture tower is another.
    """

    def __init__(self, encoder: DenseEncoder, classes: Sequence[str]) -> None:
        self._encoder, self._visual = encoder, encoder.model.visual
        trunk = getattr(self._visual, "trunk", None)
        if getattr(trunk, "global_pool", None) != "avg" or encoder.resize_mode not in _RESIZE:
            raise ModelError(
                "patches of a dense model: its picture tower must be a timm vision transformer pooled by "
                "the mean, like the dense twin's"
            )
        rows, columns = self._visual.trunk.patch_embed.grid_size
        self.grid, self.resize = (int(rows), int(columns)), _RESIZE[encoder.resize_mode]
        self._texts = torch.from_numpy(encoder.encode_text([class_name(label) for label in classes]))

    def scores(self, pictures: Sequence[Path | bytes], /) -> Iterator[Float32]:
        """For each picture (rows · columns, classes)."""
        for start in range(0, len(pictures), _PICTURES_AT_A_TIME):
            with torch.inference_mode():
                trunk = self._visual.trunk
                pixels = self._encoder.pixels(pictures[start : start + _PICTURES_AT_A_TIME])
                states = trunk.forward_features(pixels)[:, trunk.num_prefix_tokens :]
                vectors = normalize(self._visual.head(trunk.fc_norm(states)).float().cpu(), dim=-1)
                found = (vectors @ self._texts.T).numpy()
            yield from found
