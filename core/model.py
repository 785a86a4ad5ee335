"""The two towers, their heads and the literal weights, as one module of tensors in and out.

A text's vector is  W = max( expansion , literal ⊙ presence ):  the words that the language model says,
and the words that stand in the text, which always survive (VDR's bag-of-words mask, PROSPER's literal
residual). `literal` is one learned weight a term, in the manner of the inference-free retrievers' IDF.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope import storage
from lexiscope.errors import ModelError, VocabularyMismatch
from lexiscope.head import HeadConfig, LexiconHead
from lexiscope.precision import bf16_where_quicker
from lexiscope.text.tower import TextConfig, TextTower
from lexiscope.torchvision_shim import ensure_torchvision_operators
from lexiscope.vision.tower import Preprocessor, VisionConfig, VisionTower
from lexiscope.vocabulary import Vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

#: k1 of BM25: a word said n times in a document weighs n (k1 + 1) / (n + k1) times its literal weight.
SATURATION = 0.9
#: Windows of texts that are encoded at once where no gradients are kept.
WINDOWS_AT_ONCE = 64


class LexicalModel(nn.Module):
    """Picture tower and text tower over one vocabulary.

    Args:
        vocabulary: the shared terms.
        vision: picture tower; `vision_head`: its head.
        text: text tower; `text_head`: its head.
        literal: (V,) start of the literal weights, positive.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        vision: VisionTower,
        vision_head: LexiconHead,
        text: TextTower,
        text_head: LexiconHead,
        literal: Tensor,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.vision, self.vision_head = vision, vision_head
        self.text, self.text_head = text, text_head
        # One gain for all terms, so that what training learns about the scale of literal words also
        # reaches the terms that no training text contains.
        self.literal_gain = nn.Parameter(torch.zeros(()))
        self.literal_logits = nn.Parameter(literal.clamp(min=1e-3).expm1().log())  # inverse of softplus

    @property
    def literal(self) -> Tensor:
        """Weight of every term when it stands in a text, (V,), positive."""
        return self.literal_gain.exp() * F.softplus(self.literal_logits)

    def text_weights(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and mask (n, length) to the weights of the text head's terms, (n, terms), uncut."""
        return self.text_head.weights(self.text(ids, mask), mask)

    def picture_vectors(self, states: Tensor) -> Tensor:
        """States (n, patches, d) to lexical vectors (n, V), cut, of unit length where the head says so."""
        kept = self.vision_head.keep(self.vision_head.weights(states), len(self.vocabulary))
        return self._finish(self._spread(kept, self.vision_head), self.vision_head.config)

    def text_vectors(
        self, tokens: tuple[Tensor, Tensor, Tensor] | None, counts: Tensor, *, saturate: bool
    ) -> Tensor:
        """Lexical vectors of texts, (n, V).

        Args:
            tokens: ids, mask and owners of the windows (`TextTower.tokenize`); None leaves the
                language model out (inference-free queries).
            counts: (n, V) how often each term stands in each text.
            saturate: whether repeats weigh more (documents) or not (queries).
        """
        literal = self.literal * self._presence(counts, saturate=saturate)
        if tokens is None:
            return self._finish(literal, self.text_head.config)
        said = self._said(*tokens, len(counts))
        kept = self.text_head.keep(said, len(self.vocabulary))
        return self._finish(torch.maximum(self._spread(kept, self.text_head), literal), self.text_head.config)

    @property
    def picture_side(self) -> int:
        """Side in pixels of the square that the picture tower sees."""
        return self.vision.config.image_size

    def picture_states(self, pictures: Sequence[Image]) -> Tensor:
        """States of the patches of RGB pictures, (n, patches, d) float32."""
        device = self.literal_logits.device
        pixels = Preprocessor(self.vision.config)(pictures)
        # Channels last: the convolutions of a stem are twice as quick with it on a CPU.
        pixels = pixels.to(device, memory_format=torch.channels_last)
        with bf16_where_quicker(device):
            states: Tensor = self.vision(pixels)
        return states.float()

    def picture_rows(self, pictures: Sequence[Image]) -> Tensor:
        """Lexical vectors (n, V) of RGB pictures."""
        return self.picture_vectors(self.picture_states(pictures))

    def text_rows(self, texts: Sequence[str], *, document: bool, inference_free: bool) -> Tensor:
        """Lexical vectors (n, V) of texts."""
        counts = torch.zeros(len(texts), len(self.vocabulary))
        for row, text in enumerate(texts):
            ids = torch.tensor(self.vocabulary.literals(text), dtype=torch.long)
            counts[row].index_add_(0, ids, torch.ones(len(ids)))
        tokens, device = None, self.literal_logits.device
        if not inference_free:
            ids, mask, owners = self.text.tokenize(texts)
            tokens = (ids.to(device), mask.to(device), owners.to(device))
        return self.text_vectors(tokens, counts.to(device), saturate=document)

    def _said(self, ids: Tensor, mask: Tensor, owners: Tensor, texts: int) -> Tensor:
        """The greatest weight of each of the text head's terms over the windows of each text, (texts, terms).

        Without gradients a few windows go at a time, so that memory does not grow with the length of a text.
        """
        step = max(1, len(ids)) if torch.is_grad_enabled() else WINDOWS_AT_ONCE
        said: Tensor | None = None
        for start in range(0, len(ids), step):
            part = slice(start, start + step)
            windows = self.text_weights(ids[part], mask[part])
            before = windows.new_zeros(texts, windows.shape[1]) if said is None else said
            said = before.scatter_reduce(0, owners[part, None].expand_as(windows), windows, "amax")
        if said is None:
            return torch.zeros(texts, len(self.text_head.term_ids), device=ids.device)
        return said

    def _presence(self, counts: Tensor, *, saturate: bool) -> Tensor:
        if not saturate:
            return (counts > 0).float()
        return counts * (SATURATION + 1) / (counts + SATURATION)

    def _spread(self, weights: Tensor, head: LexiconHead) -> Tensor:
        """(n, terms of the head) to (n, V)."""
        wide = torch.zeros(len(weights), len(self.vocabulary), device=weights.device, dtype=weights.dtype)
        wide[:, head.term_ids] = weights
        return wide

    @staticmethod
    def _finish(vectors: Tensor, config: HeadConfig) -> Tensor:
        return F.normalize(vectors, dim=-1) if config.unit_length else vectors

    def save(self, folder: Path, *, half: bool = False, card: str | None = None) -> None:
        """Write the model folder (see `lexiscope.storage`)."""
        folder.mkdir(parents=True, exist_ok=True)
        self.text.tokenizer.save_pretrained(folder)
        self.vocabulary.save(folder / storage.VOCABULARY)
        storage.write_weights(folder, self.state_dict(), half=half)
        if card is not None:
            (folder / storage.CARD).write_text(card, encoding="utf-8")
        storage.write_config(folder, self._config())

    def _config(self) -> dict[str, Any]:
        return {
            "vocabulary": self.vocabulary.fingerprint,
            "vision": {"tower": self.vision.config.to_dict(), "head": self.vision_head.config.to_dict()},
            "text": {"tower": self.text.config.to_dict(), "head": self.text_head.config.to_dict()},
        }

    @classmethod
    def load(cls, folder: Path) -> LexicalModel:
        """Read a model folder.

        Raises:
            ModelError: a file is missing, damaged or of a newer format.
            VocabularyMismatch: vocabulary.txt is not the one the weights were trained with.
        """
        config = storage.read_config(folder)
        vocabulary = Vocabulary.load(folder / storage.VOCABULARY)
        if config.get("vocabulary") != vocabulary.fingerprint:
            raise VocabularyMismatch(
                f"{folder / storage.VOCABULARY}: fingerprint {vocabulary.fingerprint}, but the weights were "
                f"trained with {config.get('vocabulary')}; copy the model folder again"
            )
        weights = storage.read_weights(folder)
        try:
            model = cls._build(config, vocabulary, folder)
            model.load_state_dict(weights)
        except (KeyError, TypeError, RuntimeError, AttributeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"{folder}: configuration and weights do not fit ({reason})") from error
        return model.eval()

    @classmethod
    def _build(cls, config: dict[str, Any], vocabulary: Vocabulary, folder: Path) -> LexicalModel:
        ensure_torchvision_operators()  # transformers imports torchvision
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(folder))
        heads = {}
        for name in ("vision", "text"):
            shape = HeadConfig(**config[name]["head"])
            heads[name] = LexiconHead(shape, torch.zeros(shape.terms))
        return cls(
            vocabulary,
            VisionTower(VisionConfig.from_dict(config["vision"]["tower"])),
            heads["vision"],
            TextTower(TextConfig(**config["text"]["tower"]), tokenizer),
            heads["text"],
            torch.ones(len(vocabulary)),
        )
