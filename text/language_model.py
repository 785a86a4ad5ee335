"""A whole language model, masked (BERT) or causal (Llama), split into what reads and what speaks.

    states = body(ids)                      (n, length, width)
    logits = transform(states) · Wᵀ + b     W, b of the output layer: one row a token of the tokenizer

Learned sparse retrieval looks at few of the rows of W, at few positions, or at the states alone; so the
last product is left to who asks (`lexiscope.sparse_encoders.TokenProjector`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lexiscope.errors import ModelError
from lexiscope.text.templates import Template, Windows
from lexiscope.torchvision_shim import ensure_torchvision_operators

Kind = Literal["masked", "causal"]


@dataclass(frozen=True)
class LanguageModelConfig:
    """Everything needed to build the language model again without its source."""

    settings: dict[str, Any]  # the transformers configuration, with its model_type
    kind: Kind = "masked"
    max_length: int = 256  # tokens of text a window
    prompt: str = "{text}"  # see `lexiscope.text.templates`

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return asdict(self)


class LanguageModel(nn.Module):
    """A masked or causal language model of transformers, and its tokenizer.

    Args:
        config: the model's configuration, kind, window and prompt.
        tokenizer: a transformers tokenizer.
        network: the whole model; None builds one with random weights from the configuration.

    Raises:
        ModelError: transformers cannot build it, or its output layer is of an unknown kind.
    """

    def __init__(self, config: LanguageModelConfig, tokenizer: Any, network: nn.Module | None = None) -> None:  # noqa: ANN401
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.network = network if network is not None else _from_settings(config)
        self.template = Template(tokenizer, config.prompt, config.max_length)
        self.width = int(self.network.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self._transform = _transform_of(self.network, config.kind)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        kind: Kind,
        max_length: int = 256,
        prompt: str = "{text}",
        dtype: torch.dtype = torch.float32,
    ) -> LanguageModel:
        """Load any model that `AutoModelForMaskedLM` or `AutoModelForCausalLM` loads.

        Args:
            name: a hub id, or a folder.
            kind: "masked" or "causal".
            max_length: tokens of text a window.
            prompt: what the model reads; {text} stands for the text.
            dtype: of the weights in memory.

        Raises:
            ModelError: no such model can be loaded.
        """
        ensure_torchvision_operators()  # transformers imports torchvision
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(str(name))
            network = _automatic(kind).from_pretrained(str(name), dtype=dtype)
        except Exception as error:  # transformers, the hub client and safetensors each raise their own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{name}: no {kind} language model can be loaded there ({reason})") from error
        settings = {key: value for key, value in network.config.to_dict().items() if not key.startswith("_")}
        return cls(LanguageModelConfig(settings, kind, max_length, prompt), tokenizer, network)

    @property
    def body(self) -> nn.Module:
        """The model without its output layer."""
        inner: nn.Module = getattr(self.network, str(self.network.base_model_prefix))
        return inner

    @property
    def decoder(self) -> nn.Linear:
        """The output layer: one row a token."""
        layer: nn.Linear = self.network.get_output_embeddings()  # type: ignore[operator]
        return layer

    def windows(self, texts: Sequence[str]) -> Windows:
        """Cut texts into windows of tokens (`lexiscope.text.templates`)."""
        return self.template.windows(texts)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """States of the tokens, (n, length, width); those of padding are meaningless."""
        states: Tensor = self.body(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return states

    def states_of(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """As `forward`, of token embeddings (n, length, width) instead of ids."""
        states: Tensor = self.body(inputs_embeds=embeddings, attention_mask=mask.long()).last_hidden_state
        return states

    @property
    def embeddings(self) -> nn.Embedding:
        """The input embedding."""
        found: nn.Embedding = self.network.get_input_embeddings()  # type: ignore[operator]
        return found

    def transform(self, states: Tensor) -> Tensor:
        """States as the output layer wants them (BERT's dense layer and norm; nothing in causal models)."""
        for part in self._transform:
            states = part(states)
        return states

    def transforming(self) -> list[nn.Module]:
        """The modules of `transform`, in order; to be copied for a picture's head (LexLIP)."""
        return list(self._transform)


def _automatic(kind: Kind) -> Any:  # noqa: ANN401
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    return AutoModelForMaskedLM if kind == "masked" else AutoModelForCausalLM


def _from_settings(config: LanguageModelConfig) -> nn.Module:
    ensure_torchvision_operators()
    from transformers import AutoConfig

    known = dict(config.settings)
    try:
        shape = AutoConfig.for_model(known.pop("model_type"), **known)
        network: nn.Module = _automatic(config.kind).from_config(shape, dtype=torch.float32)
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"text tower: transformers cannot build it from its configuration ({error})"
        ) from error
    return network


# The way from states to the output layer, by the names that transformers gives its parts.
_PATHS = (
    ("cls.predictions.transform",),  # BERT
    ("vocab_transform", "activation", "vocab_layer_norm"),  # DistilBERT
    ("lm_head.dense", "gelu", "lm_head.layer_norm"),  # RoBERTa, XLM-R, MPNet
    ("head",),  # ModernBERT
    ("generator_predictions",),  # ELECTRA
)


def _transform_of(network: nn.Module, kind: Kind) -> tuple[nn.Module, ...]:
    if kind == "causal":
        return ()
    for path in _PATHS:
        parts = [nn.GELU() if name == "gelu" else _part(network, name) for name in path]
        if all(part is not None for part in parts):
            return tuple(part for part in parts if part is not None)
    raise ModelError(
        f"{type(network).__name__}: the way to its output layer is not known; name a BERT, DistilBERT, "
        "RoBERTa, MPNet, ELECTRA or ModernBERT checkpoint, or a causal model"
    )


def _part(network: nn.Module, path: str) -> nn.Module | None:
    found: nn.Module | None = network
    for name in path.split("."):
        found = getattr(found, name, None)
    return found
