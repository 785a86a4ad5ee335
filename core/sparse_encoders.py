"""The encoders of the learned-sparse-retrieval framework: states of a text or picture → weights of all terms.

    binary   w_t = c · 1[t in text]                                       (BINARY)
    idf      w_t = idf_t · 1[t in text]                                   (inference-free query)
    mlp      w_t = pool_{i: t_i = t} act( MLP(h_i) )                      (MLP; of expanded documents expMLP)
    head     w_t = pool_i act( φ(h_i) · e_t + b_t )                       (MLM, causal LM, pictures)
    cls      as head, of the first position alone                         (CLS-MLM)

After Nguyen, MacAvaney and Yates, "A unified framework for learned sparse retrieval" (ECIR 2023). All of them
know their terms by number and nothing of towers or tokenizers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.head import Activation, Pooling, activate, pool, sparsify

EncoderKind = Literal["binary", "idf", "mlp", "head", "cls"]
LiteralRule = Literal["none", "mask", "residual"]

#: Encoders that weigh the words of a text without a model pass.
INFERENCE_FREE = ("binary", "idf")


@dataclass(frozen=True)
class EncoderConfig:
    """One side of a method."""

    kind: EncoderKind = "head"
    activation: Activation = "log1p_relu"
    pooling: Pooling = "max"
    keep: Literal["all", "threshold", "top_k"] = "all"
    top_k: int = 256  # for keep = "top_k": PROSPER's lexical focusing window, VDR's cut
    unit_length: bool = False
    hidden: int = 0  # mlp: width of a hidden layer; 0 is one linear map
    scale: float = 1.0  # binary: c
    literal: LiteralRule = "none"  # "mask": only the text's own terms (VDR); "residual": PROSPER
    importance: bool = False  # head: times log(1 + softplus(v·h_i)) at every position (EPIC)
    quality: bool = False  # head: times sigmoid(u·h_first) (EPIC)
    trained: bool = False  # idf: whether the weights are learned

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return asdict(self)


@dataclass
class Reading:
    """What a tower saw in n texts or pictures.

    Attributes:
        counts: (n, V) how often each term stands in each text; None for pictures.
        states: (n, positions, width), or None where no tower was asked.
        pooled: (n, positions) bool: what pooling looks at; None is all.
        terms: (n, positions) the term that stands at each position, -1 where none does; None for pictures.
    """

    counts: Tensor | None = None
    states: Tensor | None = None
    pooled: Tensor | None = None
    terms: Tensor | None = None


class TokenProjector(nn.Module):
    """φ and E of a language model: its own transform and the output rows of the kept tokens.

    Args:
        transform: the language model's way to its output layer, applied in order.
        decoder: its output layer; not copied, so that it may be trained, or frozen, with the model.
        token_ids: (V,) the token behind each term.
    """

    token_ids: Tensor

    def __init__(self, transform: Sequence[nn.Module], decoder: nn.Linear, token_ids: Tensor) -> None:
        super().__init__()
        self._transform, self._decoder = tuple(transform), (decoder,)  # of the tower, which saves them
        self.register_buffer("token_ids", token_ids.long().clone(), persistent=False)
        self._all = len(token_ids) == decoder.out_features and bool(
            (token_ids == torch.arange(len(token_ids))).all()
        )

    def forward(self, states: Tensor) -> Tensor:
        """States (n, positions, width) to logits (n, positions, V)."""
        decoder = self._decoder[0]
        for part in self._transform:
            states = part(states)
        if self._all:
            logits: Tensor = decoder(states)
            return logits
        bias = None if decoder.bias is None else decoder.bias[self.token_ids]
        return F.linear(states, decoder.weight[self.token_ids], bias)


class CodebookProjector(nn.Module):
    """φ and E of their own: an adapter, then one row a term.

    Args:
        width: of the states.
        rows: (V, code_width) start of the codebook.
        adapter: "linear"; "attention", LexVLA's one block of self-attention and two MLPs; "copied", the
            modules in `copied` (LexLIP starts a picture's head as a copy of the text's); or "none", where the
            states and the rows are of one space, z·Zᵀ alone (LexVLA's text: a model's last states on rows
            made from its own output layer).
        frozen: whether the codebook stays as it is.
        copied: modules for "copied", from code_width to code_width.
    """

    def __init__(
        self,
        width: int,
        rows: Tensor,
        *,
        adapter: Literal["linear", "attention", "copied", "none"] = "linear",
        frozen: bool = False,
        copied: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        code_width = rows.shape[1]
        self.block = _Block(width) if adapter == "attention" else nn.Identity()
        if adapter == "attention":
            self.project: nn.Module = nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, code_width),
                nn.GELU(),
                nn.Linear(code_width, code_width),
            )
        elif adapter == "none" or (adapter == "copied" and width == code_width):
            self.project = nn.Identity()
        else:
            self.project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, code_width))
        self.after = nn.Sequential(*copied)
        self.codebook = nn.Parameter(rows.detach().clone().float(), requires_grad=not frozen)
        self.bias = None if adapter == "none" else nn.Parameter(torch.zeros(len(rows)))

    def forward(self, states: Tensor) -> Tensor:
        """States (n, positions, width) to logits (n, positions, V)."""
        features = self.after(self.project(self.block(states)))
        return F.linear(features, self.codebook, self.bias)


class _Block(nn.Module):
    """A transformer block: self-attention over the patches, then an MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        heads = max(1, width // 64)
        self.layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )

    def forward(self, states: Tensor) -> Tensor:
        found: Tensor = self.layer(states)
        return found


class SparseEncoder(nn.Module):
    """One side of a method: what a tower saw to weights of all terms.

    Args:
        config: kind and rules.
        terms: V.
        width: of the tower's states; 0 where there is no tower.
        projector: for "head" and "cls".
        idf: (V,) for "idf".
    """

    def __init__(
        self,
        config: EncoderConfig,
        terms: int,
        width: int = 0,
        *,
        projector: nn.Module | None = None,
        idf: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.config, self.terms = config, terms
        self.projector = projector
        if config.kind == "idf":
            start = torch.ones(terms) if idf is None else idf.detach().clone().float()
            self.idf = nn.Parameter(start, requires_grad=config.trained)
        if config.kind == "mlp":
            self.scorer = _scorer(width, config.hidden)
        if config.importance:
            self.importance = nn.Linear(width, 1)
        if config.quality:
            self.quality = nn.Linear(width, 1)
        if config.literal == "residual":
            self.residual = nn.Linear(width, terms)

    def forward(self, seen: Reading) -> Tensor:
        """Weights (n, V) float32, ≥ 0, before anything is cut off; one row a window."""
        kind = self.config.kind
        if kind == "binary":
            return self.config.scale * _presence(seen)
        if kind == "idf":
            return self.idf.clamp(min=0) * _presence(seen)
        if kind == "mlp":
            return self._of_positions(seen)
        return self._of_head(seen)

    def finish(self, weights: Tensor, presence: Tensor | None = None, *, cut: bool = True) -> Tensor:
        """Cut what is light, and bring to unit length, where the rules say so.

        Args:
            weights: (n, V) of `forward`, a text's windows already max-pooled.
            presence: (n, V) what stands in the text, for a literal mask.
            cut: False leaves light weights in: some methods cut only what they search.
        """
        if self.config.literal == "mask" and presence is not None:
            weights = weights * (presence > 0)
        if cut and self.config.keep != "all":
            weights = sparsify(weights, self.config.keep, top_k=self.config.top_k, vocabulary=self.terms)
        return F.normalize(weights, dim=-1) if self.config.unit_length else weights

    def with_residual(self, weights: Tensor, seen: Reading) -> Tensor:
        """PROSPER's literal residual network:  W = w + I ⊙ (max(w′) - w′),  w′ = FC(Last(log1p(ReLU(h)))).

        I marks the text's own terms: w′ says which of them may be left as they are, and none is pushed down.
        """
        if self.config.literal != "residual" or seen.states is None:
            return weights
        hidden = activate(seen.states.float(), "log1p_relu")
        guess: Tensor = self.residual(pool(hidden, seen.pooled, "last"))
        return weights + (_presence(seen) > 0) * (guess.amax(dim=1, keepdim=True) - guess)

    def _of_positions(self, seen: Reading) -> Tensor:
        states, terms = _needed(seen.states), _needed(seen.terms)
        each = activate(self.scorer(states).squeeze(-1).float(), self.config.activation)
        there = terms >= 0
        each = each * there
        out = torch.zeros(len(each), self.terms, device=each.device)
        places = terms.clamp(min=0)
        if self.config.pooling == "sum":
            return out.scatter_add(1, places, each)
        return out.scatter_reduce(1, places, each, "amax")

    def _of_head(self, seen: Reading) -> Tensor:
        config, states, pooled = self.config, _needed(seen.states), seen.pooled
        if config.kind == "cls":
            states, pooled = states[:, :1], None
        elif config.pooling == "last":
            states, pooled = pool(states, pooled, "last")[:, None], None
        logits = self.logits(Reading(states=states))
        if config.importance:
            gate = activate(self.importance(states).float(), "log1p_softplus")
            weights = pool(activate(logits, config.activation) * gate, pooled, config.pooling)
        elif config.pooling == "sum":
            weights = pool(activate(logits, config.activation), pooled, "sum")
        else:  # activations rise, so they may come after the maximum
            weights = activate(pool(logits, pooled, "max"), config.activation)
        if config.quality:
            weights = weights * torch.sigmoid(self.quality(states[:, 0]).float())
        return weights

    def logits(self, seen: Reading) -> Tensor:
        """Logits (n, positions, V) float32 of a head, before activation and pooling."""
        logits: Tensor = _needed(self.projector)(_needed(seen.states))
        return logits.float()


def _scorer(width: int, hidden: int) -> nn.Module:
    if not hidden:
        return nn.Linear(width, 1)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def _presence(seen: Reading) -> Tensor:
    counts: Tensor = _needed(seen.counts)
    return (counts > 0).float()


def _needed(part: Any) -> Any:  # noqa: ANN401
    if part is None:
        raise ValueError("this encoder needs what its tower was not asked for")
    return part
