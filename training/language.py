"""Stage "language": a small Llama-architecture language model, trained to say the next token."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.errors import DatasetError
from lexiscope.torchvision_shim import ensure_torchvision_operators
from lexiscope.training.distributed import own
from lexiscope.training.loop import epoch_rows

END = "<|end|>"


def read_texts(files: Sequence[Path]) -> Iterator[str]:
    """Texts of Parquet files (every caption) and of `.jsonl.gz` files (`text`, paragraph by paragraph).

    Raises:
        DatasetError: a file is missing or of another kind.
    """
    for file in files:
        if not file.exists():
            raise DatasetError(f"{file}: no such text file; name the folder that holds it with --data")
        if file.suffix == ".parquet":
            yield from _captions(file)
        elif file.name.endswith(".jsonl.gz"):
            yield from _paragraphs(file)
        else:
            raise DatasetError(f"{file}: texts are read from .parquet and .jsonl.gz files only")


def _captions(file: Path) -> Iterator[str]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(file).iter_batches(columns=["captions"]):
        for captions in batch.column("captions").to_pylist():
            yield from captions


def _paragraphs(file: Path) -> Iterator[str]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            for paragraph in json.loads(line)["text"].split("\n"):
                if paragraph.strip():
                    yield paragraph.strip()


def train_tokenizer(texts: Iterable[str], size: int) -> Any:  # noqa: ANN401
    """A lower-casing byte-level BPE tokenizer, as a transformers tokenizer; no text is lost in it."""
    ensure_torchvision_operators()  # transformers imports torchvision
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    # The space before the first word makes a word one token wherever it stands.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)


def pack(texts: Iterable[str], tokenizer: Any, length: int) -> npt.NDArray[np.int32]:  # noqa: ANN401
    """Texts end to end, each closed by END, cut into (n, length) token ids."""
    flat: list[npt.NDArray[np.int32]] = []
    end = tokenizer.eos_token_id
    for chunk in _groups(texts, 4096):
        for tokens in tokenizer(chunk, add_special_tokens=False, verbose=False)["input_ids"]:
            flat.append(np.asarray([*tokens, end], dtype=np.int32))
    stream = np.concatenate(flat)
    n = len(stream) // length
    return stream[: n * length].reshape(n, length)


def _groups(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    group: list[str] = []
    for text in texts:
        group.append(text)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


class LanguageStage:
    """Next-token prediction on packed texts.

    Args:
        module: a transformers causal language model.
        rows: (n, length) token ids.
        held_out: (m, length) token ids for the perplexity.
    """

    def __init__(
        self,
        module: nn.Module,
        rows: npt.NDArray[np.int32],
        held_out: npt.NDArray[np.int32],
        *,
        batch: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.module, self.rows, self.held_out = module, rows, held_out
        self.size, self.seed, self.device = batch, seed, device

    def batch(self, step: int) -> Tensor:
        """Token ids (n, length): this process's share of a step."""
        chosen = own(epoch_rows(step, self.size, len(self.rows), self.seed))
        return self._tensor(self.rows[chosen])

    def loss(self, batch: Tensor, step: int) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy of the next token, in nats."""
        logits = self.module(input_ids=batch).logits[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())
        return loss, {}

    def evaluate(self) -> dict[str, float]:
        """Perplexity of held-out texts."""
        losses = [
            self.loss(self._tensor(self.held_out[i : i + 32]), 0)[0] for i in range(0, len(self.held_out), 32)
        ]
        return {"perplexity": float(torch.stack(losses).mean().exp())} if losses else {}

    def _tensor(self, rows: npt.NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(rows.astype(np.int64)).to(self.device)
