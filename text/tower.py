"""The text tower: any causal language model of transformers, token states out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lexiscope.errors import ModelError
from lexiscope.torchvision_shim import ensure_torchvision_operators

#: LexVLA's in-context prompt (METHODS: the last state predicts the important words).
LEXVLA_PROMPT = (
    'The focus of "The man is riding a white horse." lies on important words:'
    '"man", "riding", "white", "horse".\nThe focus of "{text}" lies on important words:'
)


@dataclass(frozen=True)
class TextConfig:
    """Everything needed to build the text tower again without its source."""

    language_model: dict[str, Any]  # the transformers configuration, with its model_type
    max_length: int = 64  # tokens of text a window; a longer text is cut into windows that are max-pooled
    prompt: str = "{text}"  # what the model reads; {text} stands for the text

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return asdict(self)


class TextTower(nn.Module):
    """A causal language model without its output layer, and its tokenizer.

    Args:
        config: the language model's configuration, window and prompt.
        tokenizer: a transformers tokenizer.
        model: the decoder; None builds one with random weights from the configuration.
    """

    def __init__(self, config: TextConfig, tokenizer: Any, model: nn.Module | None = None) -> None:  # noqa: ANN401
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.model = model if model is not None else make_decoder(config.language_model)
        self.width = int(self.model.config.hidden_size)  # type: ignore[union-attr, arg-type]

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, max_length: int = 64, prompt: str = "{text}"
    ) -> tuple[TextTower, Tensor]:
        """Load any model that `AutoModelForCausalLM` loads, by hub id or folder.

        Returns:
            The tower, and the rows of the output embedding (tokens, width) that start a codebook.

        Raises:
            ModelError: no causal language model of that name can be loaded.
        """
        ensure_torchvision_operators()  # transformers imports torchvision
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(str(name))
            full = AutoModelForCausalLM.from_pretrained(str(name))
        except Exception as error:  # transformers, the hub client and safetensors each raise their own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{name}: no causal language model can be loaded there ({reason})") from error
        rows = full.get_output_embeddings().weight.detach().clone()
        settings = {key: value for key, value in full.config.to_dict().items() if not key.startswith("_")}
        config = TextConfig(settings, max_length, prompt)
        return cls(config, tokenizer, full.get_decoder()), rows

    def tokenize(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Cut texts into windows of token ids, padded on the right.

        Under a causal mask a token never sees what stands to its right, so padding changes nothing.

        Returns:
            ids (windows, length), mask (windows, length) bool, and the text each window is of (windows,).
        """
        rows: list[list[int]] = []
        owners: list[int] = []
        before, _, after = self.config.prompt.partition("{text}")
        head = self.tokenizer(before)["input_ids"]
        tail = self.tokenizer(after, add_special_tokens=False)["input_ids"] if after else []
        room = self.config.max_length
        listed = self.tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)
        for number, tokens in enumerate(listed["input_ids"]):
            for start in range(0, max(1, len(tokens)), room):
                rows.append([*head, *tokens[start : start + room], *tail])
                owners.append(number)
        return (*_pad(rows, self._padding), torch.tensor(owners))

    @property
    def _padding(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.tokenizer.eos_token_id or 0)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """States of the tokens, (batch, length, width); those of padding are meaningless."""
        states: Tensor = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return states


def _pad(rows: list[list[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Token lists to (n, longest) ids and their mask; an empty text keeps one padding token."""
    length = max(1, max(map(len, rows)))
    ids = torch.full((len(rows), length), padding)
    mask = torch.zeros((len(rows), length), dtype=torch.bool)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
        mask[row, : max(1, len(tokens))] = True
    return ids, mask


def make_decoder(settings: dict[str, Any]) -> nn.Module:
    """A causal language model's decoder with random weights.

    Args:
        settings: its transformers configuration, with its model_type.

    Raises:
        ModelError: transformers does not know it.
    """
    ensure_torchvision_operators()  # transformers imports torchvision
    from transformers import AutoConfig, AutoModelForCausalLM

    known = dict(settings)
    try:
        config = AutoConfig.for_model(known.pop("model_type"), **known)
        model: nn.Module = AutoModelForCausalLM.from_config(config).get_decoder()
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"text tower: transformers cannot build it from its configuration ({error})"
        ) from error
    return model
