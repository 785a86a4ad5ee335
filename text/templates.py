"""What a language model reads around a text, and which of its positions count.

The prompt may hold {text} once, or twice (echo embeddings: Springer et al. 2024): a causal model reads the
text
again, so that each word of the second copy has seen all of it, and only the second copy is pooled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lexiscope.errors import ModelError

SLOT = "{text}"


@dataclass(frozen=True)
class Windows:
    """Texts as token ids, a long one in several windows.

    Attributes:
        ids: (windows, length), padded on the right.
        mask: (windows, length) bool: what the model reads.
        pooled: (windows, length) bool: what pooling looks at; all that is read, or the last copy of the text.
        literal: (windows, length) bool: the text's own tokens, once.
        owners: (windows,) the text that each window is of.
    """

    ids: Tensor
    mask: Tensor
    pooled: Tensor
    literal: Tensor
    owners: Tensor

    def first(self) -> Windows:
        """The first window of each text: what is trained on."""
        starts = torch.ones(len(self.owners), dtype=torch.bool)
        starts[1:] = self.owners[1:] != self.owners[:-1]
        return self.rows(starts)

    def rows(self, chosen: Tensor) -> Windows:
        """Some of the windows."""
        return Windows(
            self.ids[chosen],
            self.mask[chosen],
            self.pooled[chosen],
            self.literal[chosen],
            self.owners[chosen],
        )

    def part(self, start: int, stop: int) -> Windows:
        """The windows of some texts, where each has one; the first of them is text 0."""
        found = self.rows(torch.arange(start, stop, device=self.ids.device))
        return Windows(found.ids, found.mask, found.pooled, found.literal, found.owners - start)

    def to(self, device: torch.device) -> Windows:
        """On a device."""
        parts = (self.ids, self.mask, self.pooled, self.literal, self.owners)
        return Windows(*(part.to(device) for part in parts))


class Template:
    """Puts texts into a prompt.

    Args:
        tokenizer: a transformers tokenizer.
        prompt: with {text} once or twice.
        max_length: tokens of text a window; a longer text is cut into several.

    Raises:
        ModelError: the prompt holds {text} never, or more than twice.
    """

    def __init__(self, tokenizer: Any, prompt: str, max_length: int) -> None:  # noqa: ANN401
        self.tokenizer, self.max_length = tokenizer, max_length
        parts = prompt.split(SLOT)
        if len(parts) not in (2, 3):
            raise ModelError(f"prompt {prompt!r}: it must hold {SLOT} once, or twice to read the text again")
        before, after = _specials(tokenizer)
        self._parts = [self._ids(part) for part in parts]
        self._parts[0] = [*before, *self._parts[0]]
        self._parts[-1] = [*self._parts[-1], *after]

    def _ids(self, text: str) -> list[int]:
        if not text:
            return []
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)[
            "input_ids"
        ]
        return ids

    def windows(self, texts: Sequence[str]) -> Windows:
        """Tokens of texts; an empty text has one window without a token of its own."""
        rows: list[tuple[list[int], list[int], list[int]]] = []
        owners: list[int] = []
        for number, text in enumerate(texts):
            tokens = self._ids(text)
            for start in range(0, max(1, len(tokens)), self.max_length):
                rows.append(self._row(tokens[start : start + self.max_length]))
                owners.append(number)
        return self._pad(rows, owners)

    def _row(self, tokens: list[int]) -> tuple[list[int], list[int], list[int]]:
        """Ids, whether each is pooled, and whether each is the text's own."""
        ids, pooled, literal = list(self._parts[0]), [0] * len(self._parts[0]), [0] * len(self._parts[0])
        last = len(self._parts) - 1
        for copy, part in enumerate(self._parts[1:], start=1):
            ids += [*tokens, *part]
            pooled += [int(copy == last)] * len(tokens) + [0] * len(part)
            literal += [int(copy == 1)] * len(tokens) + [0] * len(part)
        if last == 1:  # no echo: everything that is read is pooled, as in SPLADE
            pooled = [1] * len(ids)
        return ids, pooled, literal

    def _pad(self, rows: list[tuple[list[int], list[int], list[int]]], owners: list[int]) -> Windows:
        length = max(1, max((len(ids) for ids, _, _ in rows), default=1))
        ids = torch.full((len(rows), length), self._padding)
        marks = torch.zeros((3, len(rows), length), dtype=torch.bool)
        for row, (tokens, pooled, literal) in enumerate(rows):
            n = len(tokens)
            ids[row, :n] = torch.tensor(tokens, dtype=torch.long)
            marks[0, row, : max(1, n)] = True
            marks[1, row, :n] = torch.tensor(pooled, dtype=torch.bool)
            marks[2, row, :n] = torch.tensor(literal, dtype=torch.bool)
            if not marks[1, row].any():  # an empty text: its last position stands for it
                marks[1, row, max(0, n - 1)] = True
        return Windows(ids, marks[0], marks[1], marks[2], torch.tensor(owners, dtype=torch.long))

    @property
    def _padding(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.tokenizer.eos_token_id or 0)


def _specials(tokenizer: Any) -> tuple[list[int], list[int]]:  # noqa: ANN401
    """What the tokenizer itself puts before and after a text, such as [CLS] and [SEP]."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    return [], []
