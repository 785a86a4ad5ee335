"""One model for every learned-sparse method: a query encoder, a document encoder, and towers behind them.

    s(q, d) = Σ_t f_Q(q)_t · f_D(d)_t

f_Q, f_D are `lexiscope.sparse_encoders`; a document is a text or a picture. Which encoder on which side, over
which tower, is all that tells DeepImpact from SPLADE from LexVLA (`lexiscope.training.family_recipe`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lexiscope.errors import ModelError
from lexiscope.family_config import FamilyConfig
from lexiscope.sparse_encoders import (
    INFERENCE_FREE,
    CodebookProjector,
    EncoderConfig,
    Reading,
    SparseEncoder,
    TokenProjector,
)
from lexiscope.text.language_model import LanguageModel
from lexiscope.text.templates import Windows
from lexiscope.vision.tower import Preprocessor, VisionTower
from lexiscope.vocabulary import Vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

    from lexiscope.clip_tower import ClipTower

SIDES = ("query", "document", "picture")


class FamilyModel(nn.Module):
    """Towers and encoders over one vocabulary.

    Args:
        config: which encoder on which side.
        vocabulary: the terms.
        token_ids: (V,) the tokenizer's token behind each term; None where terms are words.
        text: language model; for BINARY and IDF encoders its tokenizer alone is used.
        query_text: a language model of the queries' own; None shares `text`.
        vision: picture tower.
        dense: a frozen open_clip model whose embeddings both heads read (D2S), in place of the towers.
        rows: starts of codebooks, by side; the picture's may be the text's.
        idf: (V,) for IDF encoders.
    """

    token_ids: Tensor
    idf: Tensor

    def __init__(
        self,
        config: FamilyConfig,
        vocabulary: Vocabulary,
        *,
        token_ids: Tensor | None = None,
        text: LanguageModel | None = None,
        query_text: LanguageModel | None = None,
        vision: VisionTower | None = None,
        dense: ClipTower | None = None,
        rows: dict[str, Tensor] | None = None,
        idf: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.config, self.vocabulary = config, vocabulary
        self.text, self.query_text, self.vision, self.dense = text, query_text, vision, dense
        empty = torch.zeros(0, dtype=torch.long)
        self.register_buffer("token_ids", empty if token_ids is None else token_ids.long().clone())
        self.register_buffer("idf", torch.ones(len(vocabulary)) if idf is None else idf.float().clone())
        self._starts = rows or {}
        self.document = self._encoder("document", config.document)
        self.query = self.document if config.shared else self._encoder("query", config.query)
        self.picture = None if config.picture is None else self._encoder("picture", config.picture)
        del self._starts
        if len(self.token_ids):
            tokens = len(self.language("document").tokenizer)
            places = torch.full((max(tokens, int(self.token_ids.max()) + 1),), -1)
            places[self.token_ids] = torch.arange(len(self.token_ids))
            self.register_buffer("term_of_token", places, persistent=False)

    # ---- towers and heads

    def language(self, side: str) -> LanguageModel:
        """The language model that reads a side's texts.

        Raises:
            ModelError: there is none.
        """
        chosen = self.query_text if side == "query" and self.query_text is not None else self.text
        if chosen is None:
            raise ModelError(f"{side}: this model has no text tower")
        return chosen

    def _encoder(self, side: str, config: EncoderConfig) -> SparseEncoder:
        if config.kind in INFERENCE_FREE:
            return SparseEncoder(config, len(self.vocabulary), idf=self.idf)
        width = self._width(side)
        projector = self._projector(side, width) if config.kind in ("head", "cls") else None
        return SparseEncoder(config, len(self.vocabulary), width, projector=projector)

    def _width(self, side: str) -> int:
        if self.dense is not None:
            return self.dense.width
        if side == "picture":
            if self.vision is None:
                raise ModelError("picture: this model has no picture tower")
            return self.vision.width
        return self.language(side).width

    def _projector(self, side: str, width: int) -> nn.Module:
        shape = self.config.projectors.get(side)
        if shape is None:
            language = self.language(side)
            return TokenProjector(language.transforming(), language.decoder, self.token_ids)
        rows = self._starts.get(side)
        if rows is None:
            rows = torch.zeros(len(self.vocabulary), shape.code_width)
        copied = self.language(side).transforming() if shape.adapter == "copied" else []
        from copy import deepcopy

        return CodebookProjector(
            width, rows, adapter=shape.adapter, frozen=shape.frozen, copied=deepcopy(copied)
        )

    # ---- tensors in, weights out (training and encoding)

    def side(self, name: str) -> SparseEncoder:
        """The encoder of "query", "document" or "picture".

        Raises:
            ModelError: this model has no such side.
        """
        found = getattr(self, name)
        if found is None:
            raise ModelError(f"this model reads no {name}s; encode texts with it")
        encoder: SparseEncoder = found
        return encoder

    def read_texts(self, side: str, texts: Sequence[str], windows: Windows | None) -> Reading:
        """What the encoder of a side needs of texts; one row a window (one a text without a tower).

        Args:
            side: "query" or "document".
            texts: n texts.
            windows: their tokens, on the model's device; None where the encoder reads no positions.
        """
        counts = self.counts(texts, windows)
        if self.dense is not None and self.side(side).config.kind not in INFERENCE_FREE:
            return Reading(counts, self.dense.texts(texts)[:, None])
        if windows is None:
            return Reading(counts)
        if len(windows.owners) != len(texts):
            counts = counts[windows.owners]
        encoder = self.side(side)
        terms = self.terms_at(windows) if encoder.config.kind == "mlp" else None
        if encoder.config.kind in INFERENCE_FREE:
            return Reading(counts)
        states = self.language(side)(windows.ids, windows.mask)
        return Reading(counts, states, windows.pooled, terms)

    def read_pictures(self, pixels: Tensor) -> Reading:
        """What the picture encoder needs of pixels (n, 3, h, w)."""
        if self.dense is not None:
            return Reading(states=self.dense.pictures(pixels)[:, None])
        if self.vision is None:
            raise ModelError("this model has no picture tower; encode texts with it")
        return Reading(states=self.vision(pixels))

    def windows(self, side: str, texts: Sequence[str]) -> Windows | None:
        """Tokens of texts, or None where none is looked at (words are terms and no tower is asked)."""
        encoder = self.side(side)
        if self.dense is not None or (encoder.config.kind in INFERENCE_FREE and not len(self.token_ids)):
            return None
        return self.language(side).windows(texts)

    def counts(self, texts: Sequence[str], windows: Windows | None) -> Tensor:
        """(n, V) how often each term stands in each text."""
        counts = torch.zeros(len(texts), len(self.vocabulary), device=self.token_ids.device)
        if len(self.token_ids):
            if windows is None:  # a dense model reads the text itself
                windows = self.language("document").windows(texts).to(counts.device)
            terms = self.terms_at(windows)
            owners = windows.owners[:, None].expand_as(terms)
            flat = owners * len(self.vocabulary) + terms
            chosen = flat[terms >= 0]
            counts.view(-1).index_add_(0, chosen, torch.ones(len(chosen), device=counts.device))
            return counts
        for row, text in enumerate(texts):
            ids = torch.tensor(self.vocabulary.literals(text), dtype=torch.long, device=counts.device)
            counts[row].index_add_(0, ids, torch.ones(len(ids), device=counts.device))
        return counts

    def terms_at(self, windows: Windows) -> Tensor:
        """(windows, length) the term at each of the text's own tokens, else -1."""
        places: Tensor = self.term_of_token  # type: ignore[assignment]
        return places[windows.ids].masked_fill(~windows.literal, -1)

    # ---- the façade's view (`lexiscope.encoder`)

    @property
    def picture_side(self) -> int:
        """Side in pixels of the square that the picture tower sees."""
        if self.dense is not None:
            return self.dense.side
        if self.vision is None:
            raise ModelError("this model has no picture tower; encode texts with it, or name another model")
        return self.vision.config.image_size

    def picture_rows(self, pictures: Sequence[Image]) -> Tensor:
        """Lexical vectors (n, V) of RGB pictures."""
        encoder = self.side("picture")
        pixels = self.dense.pixels(pictures) if self.dense is not None else self._pixels(pictures)
        return encoder.finish(encoder(self.read_pictures(pixels.to(self.token_ids.device))))

    def _pixels(self, pictures: Sequence[Image]) -> Tensor:
        if self.vision is None:
            raise ModelError("this model has no picture tower; encode texts with it, or name another model")
        return Preprocessor(self.vision.config)(pictures)

    def text_rows(self, texts: Sequence[str], *, document: bool, inference_free: bool) -> Tensor:
        """Lexical vectors (n, V) of texts; those of long ones are max-pooled over their windows."""
        side = "document" if document else "query"
        encoder = self.side(side)
        windows = self.windows(side, texts)
        if windows is not None:
            windows = windows.to(self.token_ids.device)
        if inference_free and encoder.config.kind not in INFERENCE_FREE:
            counts = self.counts(texts, windows)
            return encoder.finish(self.idf * (counts > 0))
        seen = self.read_texts(side, texts, windows)
        weights = encoder.with_residual(encoder(seen), seen)
        counts = _needed_counts(seen)
        if windows is not None and len(weights) != len(texts):
            weights = _of_texts(weights, windows.owners, len(texts))
            counts = _of_texts(counts, windows.owners, len(texts))
        return encoder.finish(weights, counts)

    # ---- on disk

    def save(self, folder: Path, *, half: bool = False, card: str | None = None) -> None:
        """Write the model folder (see `lexiscope.storage`)."""
        from lexiscope.family_storage import save_family

        save_family(self, folder, half=half, card=card)

    @classmethod
    def load(cls, folder: Path) -> FamilyModel:
        """Read a model folder (see `lexiscope.family_storage`)."""
        from lexiscope.family_storage import load_family

        return load_family(folder)


def _of_texts(weights: Tensor, owners: Tensor, n: int) -> Tensor:
    out = torch.zeros(n, weights.shape[1], device=weights.device)
    return out.scatter_reduce(0, owners[:, None].expand_as(weights), weights, "amax")


def _needed_counts(seen: Reading) -> Tensor:
    if seen.counts is None:
        raise ValueError("a text has counts")
    return seen.counts
