"""The lexicon bottleneck: tower states → logits over the vocabulary → a few weighted words.

    logits  = adapter(neck(z)) · Zᵀ + b      z (positions, d), Z the codebook (terms, d)
    weights = pool over positions of activate(logits)
    kept    = weights > 1/√V  or the k heaviest ;  optionally of unit length

Sources: LexVLA (NeurIPS 2024, elu1p, max over patches, 1/√V), LexLIP (ICCV 2023, log1p-ReLU), SPLADE.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["elu1p", "relu", "log1p_relu", "double_log1p", "log1p_softplus"]
Pooling = Literal["max", "last", "sum"]
Keep = Literal["threshold", "top_k"]


@dataclass(frozen=True)
class HeadConfig:
    """Shape and rules of one tower's head."""

    width: int  # of the tower's states
    code_width: int  # of the codebook's rows
    terms: int  # rows of the codebook: terms that this tower can say
    activation: Activation = "elu1p"
    pooling: Pooling = "max"
    keep: Keep = "threshold"
    top_k: int = 64  # for keep = "top_k"
    unit_length: bool = True
    hidden: int = 0  # width of the adapter's inner layer; 0 is a plain linear map
    neck: int = 0  # width of a linear map before the adapter, onto a teacher's features; 0 is none

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return asdict(self)


def activate(logits: Tensor, activation: Activation) -> Tensor:
    """Make logits non-negative, element by element.

    All of them rise with x.

        elu1p(x)          = x + 1 for x ≥ 0, eˣ below          (LexVLA, VDR)
        relu(x)           = max(x, 0)                          (uniCOIL, DeepImpact)
        log1p_relu(x)     = log(1 + max(x, 0))                 (SPLADE)
        double_log1p(x)   = log(1 + log(1 + max(x, 0)))        (inference-free retrievers with ℓ0)
        log1p_softplus(x) = log(1 + log(1 + eˣ))               (EPIC)
    """
    return _ACTIVATIONS[activation](logits)


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu1p": lambda x: F.elu(x) + 1,
    "relu": F.relu,
    "log1p_relu": lambda x: torch.log1p(F.relu(x)),
    "double_log1p": lambda x: torch.log1p(torch.log1p(F.relu(x))),
    "log1p_softplus": lambda x: torch.log1p(F.softplus(x)),
}


def pool(values: Tensor, mask: Tensor | None, pooling: Pooling) -> Tensor:
    """Reduce positions: (n, positions, terms) → (n, terms); the mask (n, positions) marks real ones.

    Max and sum ignore masked positions; "last" takes the last unmasked one.
    """
    if pooling == "last":
        if mask is None:
            return values[:, -1]
        last = mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1)
        return values[torch.arange(len(values), device=values.device), last]
    if mask is not None:
        values = values.masked_fill(~mask[..., None], float("-inf") if pooling == "max" else 0.0)
    # Not `amax`, whose way back counts ties over the whole tensor and takes twice as long.
    return values.max(dim=1).values if pooling == "max" else values.sum(dim=1)


def sparsify(weights: Tensor, keep: Keep, *, top_k: int, vocabulary: int) -> Tensor:
    """Zero the light weights of (n, terms).

    "threshold" keeps w_j > 1/√V of the vector brought to unit length (LexVLA); "top_k" the k heaviest.
    """
    if keep == "threshold":
        unit = F.normalize(weights, dim=-1)
        return weights.masked_fill(unit <= 1 / math.sqrt(vocabulary), 0.0)
    if top_k >= weights.shape[-1]:
        return weights
    values, places = weights.topk(top_k, dim=-1)
    return torch.zeros_like(weights).scatter(-1, places, values)


class LexiconHead(nn.Module):
    """One tower's way into the vocabulary.

    Args:
        config: shape and rules.
        term_ids: (terms,) ids in the vocabulary of the codebook's rows, ascending.
        rows: (terms, code_width) start of the codebook, for example the language model's output
            embedding (a randomly started word codebook works badly: LexVLA, limitations).
    """

    term_ids: Tensor

    def __init__(self, config: HeadConfig, term_ids: Tensor, rows: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        self.neck = _projection(config.width, config.neck) if config.neck else nn.Identity()
        width = config.neck or config.width
        if config.hidden:
            self.adapter: nn.Module = nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, config.hidden),
                nn.GELU(),
                nn.Linear(config.hidden, config.code_width),
            )
        else:
            self.adapter = _projection(width, config.code_width)
        start = torch.randn(config.terms, config.code_width) if rows is None else rows.float()
        self.codebook = nn.Parameter(F.normalize(start, dim=-1))
        self.bias = nn.Parameter(torch.zeros(config.terms))
        self.register_buffer("term_ids", term_ids.long().clone())

    def logits(self, states: Tensor) -> Tensor:
        """States (n, positions, width) to logits (n, positions, terms)."""
        return self._logits(self.neck(states))

    def weights(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """States to pooled weights (n, terms), before anything is cut off."""
        return self.weights_of_features(self.neck(states), mask)

    def weights_of_features(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the neck gives, (n, positions, neck), to pooled weights (n, terms)."""
        if self.config.pooling == "max":
            return activate(self.loudest(features, mask), self.config.activation)
        return pool(activate(self._logits(features), self.config.activation), mask, self.config.pooling)

    def loudest(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """The largest logit of each term over the positions, (n, terms) float32.

        The activations rise with their input, so for max pooling they may come after it: the result is the
        same, and the (n, positions, terms) tensor is walked once less.
        """
        return pool(self._logits(features), mask, "max").float()

    def _logits(self, features: Tensor) -> Tensor:
        return F.linear(self.adapter(features), self.codebook, self.bias)

    def keep(self, weights: Tensor, vocabulary: int) -> Tensor:
        """Cut pooled weights (n, terms) to the few that matter."""
        return sparsify(weights, self.config.keep, top_k=self.config.top_k, vocabulary=vocabulary)


def _projection(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, out))
