"""`LexicalEncoder`: pictures and texts in, sparse rows of weighted words out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import csr_array, vstack
from torch import Tensor

from lexiscope.errors import ModelError, VocabularyMismatch
from lexiscope.head import activate
from lexiscope.model import LexicalModel
from lexiscope.models import Model, load_model
from lexiscope.vision.patches import PatchWords
from lexiscope.vision.pictures import open_picture
from lexiscope.vocabulary import Vocabulary

if TYPE_CHECKING:
    from PIL.Image import Image

    Picture = str | Path | bytes | Image


class LexicalEncoder:
    """Two towers behind one façade, named after sentence-transformers' `SparseEncoder`.

    Args:
        model: towers, heads and vocabulary: a `LexicalModel`, any method of the family (`FamilyModel`), or
            a CLIP that was not trained for it (`ClipLexicon`).
        device: where to compute; None takes CUDA where there is one.
    """

    def __init__(self, model: Model, *, device: str | None = None) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = model.to(self.device).eval()
        self.vocabulary: Vocabulary = model.vocabulary

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of all weights: vectors of two trainings never pass for one."""
        digest = hashlib.sha256(self.vocabulary.fingerprint.encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path = "bundled", *, device: str | None = None
    ) -> LexicalEncoder:
        """Load a model: "bundled", a folder, a hub id, or `clip:` and the name of any open_clip model.

        A CLIP needs no training: its own embeddings of words are the codebook (`lexiscope.clip_lexicon`).

        Raises:
            ModelError: there is no such model, or its files are damaged or newer.
            VocabularyMismatch: its vocabulary is not the one it was trained with.
        """
        return cls(load_model(name_or_path), device=device)

    def save_pretrained(self, folder: str | Path, *, half: bool = False, card: str | None = None) -> None:
        """Write the model folder; `half` stores float16, `card` becomes its README.md."""
        self.model.save(Path(folder), half=half, card=card)

    def encode_image(
        self,
        pictures: Picture | Sequence[Picture],
        *,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
    ) -> csr_array:
        """Lexical vectors of pictures.

        Args:
            pictures: one or many paths, bytes, or PIL images.
            batch_size: pictures a forward pass.
            show_progress_bar: None shows one on a terminal when there are many batches.

        Returns:
            (n, V) float32 rows, weights ≥ 0, of unit length where the model's head says so.

        Raises:
            UnreadableSource: a file is no picture.
        """
        listed = list(pictures) if isinstance(pictures, (list, tuple)) else [pictures]
        side = self.model.picture_side
        return self._stack(
            self.model.picture_rows([open_picture(picture, size_hint=side) for picture in chunk])
            for chunk in _chunks(listed, batch_size, show_progress_bar, "pictures")
        )

    def encode_patches(
        self,
        pictures: Picture | Sequence[Picture],
        *,
        batch_size: int = 8,
        show_progress_bar: bool | None = None,
    ) -> Iterator[PatchWords]:
        """The words of every patch of pictures, for maps of where a word comes from.

        See `lexiscope.vision.patches.relevance`. A picture of 37 × 37 patches and 17,000 terms takes 93 MB,
        so they come one after another.

        Args:
            pictures: one or many paths, bytes, or PIL images.
            batch_size: pictures a forward pass.
            show_progress_bar: None shows one on a terminal when there are many batches.

        Yields:
            For each picture the weights (rows, columns, terms) before pooling.

        Raises:
            UnreadableSource: a file is no picture.
            ModelError: the model has no words for patches.
        """
        model = self.model
        if not isinstance(model, LexicalModel):
            raise ModelError("this model has no words for single patches; name one with two towers")
        listed = list(pictures) if isinstance(pictures, (list, tuple)) else [pictures]
        config, head = model.vision.config, model.vision_head
        shape, terms = (*model.vision.grid, -1), head.term_ids.cpu().numpy()
        for chunk in _chunks(listed, batch_size, show_progress_bar, "pictures"):
            opened = [open_picture(picture, size_hint=config.image_size) for picture in chunk]
            with torch.inference_mode():
                states = model.picture_states(opened)
                weights = activate(head.logits(states), head.config.activation).float().cpu().numpy()
            for patches in weights:
                yield PatchWords(patches.reshape(shape), terms, config.resize)

    def encode_document(
        self, texts: str | Sequence[str], *, batch_size: int = 32, show_progress_bar: bool | None = None
    ) -> csr_array:
        """Lexical vectors of texts to be found; repeated words weigh more. See `encode_query`."""
        return self._encode_texts(texts, batch_size, show_progress_bar, inference_free=False, document=True)

    def encode_query(
        self,
        texts: str | Sequence[str],
        *,
        inference_free: bool = False,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
    ) -> csr_array:
        """Lexical vectors of questions.

        Args:
            texts: one or many; long ones are read in windows and max-pooled, nothing is cut off.
            inference_free: weigh the words that stand in the text, without a model pass.
            batch_size: texts a forward pass.
            show_progress_bar: None shows one on a terminal when there are many batches.

        Returns:
            (n, V) float32 rows, weights ≥ 0. Every word of a text has a weight in its row.
        """
        return self._encode_texts(
            texts, batch_size, show_progress_bar, inference_free=inference_free, document=False
        )

    def _encode_texts(
        self,
        texts: str | Sequence[str],
        batch_size: int,
        show: bool | None,
        *,
        inference_free: bool,
        document: bool,
    ) -> csr_array:
        listed = [texts] if isinstance(texts, str) else list(texts)
        order = sorted(range(len(listed)), key=lambda number: len(listed[number]))  # little padding
        rows = self._stack(
            self.model.text_rows(
                [listed[number] for number in chunk], document=document, inference_free=inference_free
            )
            for chunk in _chunks(order, batch_size, show, "texts")
        )
        back = np.argsort(order, kind="stable")
        return rows[back] if len(back) else rows

    def _stack(self, batches: Iterable[Tensor]) -> csr_array:
        with torch.inference_mode():
            parts = [csr_array(batch.float().cpu().numpy()) for batch in batches]
        empty = csr_array(np.zeros((0, len(self.vocabulary)), dtype=np.float32))
        rows: csr_array = vstack([empty, *parts], format="csr")
        return rows

    def decode(self, rows: csr_array, top_k: int | None = None) -> list[Any]:
        """Words of vectors, heaviest first.

        Args:
            rows: (n, V) lexical vectors.
            top_k: at most this many words a vector; None gives all.

        Returns:
            [(term, weight), …] for one row, a list of such lists for several.
        """
        self._check(rows)
        lists = [self._decode_row(rows[[number]], top_k) for number in range(rows.shape[0])]
        return lists[0] if len(lists) == 1 else lists

    def _decode_row(self, row: csr_array, top_k: int | None) -> list[tuple[str, float]]:
        order = np.lexsort((row.indices, -row.data))[:top_k]
        return [(self.vocabulary.terms[row.indices[place]], float(row.data[place])) for place in order]

    def intersection(self, left: csr_array, right: csr_array) -> csr_array:
        """Products of the weights that two vectors share; one left row goes with every right row."""
        self._check(left)
        self._check(right)
        if left.shape[0] == 1 and right.shape[0] != 1:
            left = csr_array(vstack([left] * right.shape[0], format="csr"))
        return csr_array(left.multiply(right))

    @staticmethod
    def sparsity(rows: csr_array) -> dict[str, float]:
        """Mean number of words a row, and the share of the vocabulary that is zero."""
        active = rows.nnz / rows.shape[0] if rows.shape[0] else 0.0
        return {"active_dims": active, "sparsity_ratio": 1 - active / rows.shape[1]}

    def _check(self, rows: csr_array) -> None:
        if rows.shape[1] != len(self.vocabulary):
            raise VocabularyMismatch(
                f"vectors have {rows.shape[1]} columns, the vocabulary has {len(self.vocabulary)} terms; "
                "encode them with this model"
            )


def _chunks(items: Sequence[Any], size: int, show: bool | None, name: str) -> Iterator[Sequence[Any]]:
    import sys

    from tqdm.auto import tqdm

    starts = range(0, len(items), size)
    hidden = not show if show is not None else not sys.stderr.isatty() or len(starts) < 8
    for start in tqdm(starts, desc=name, disable=hidden, leave=False):
        yield items[start : start + size]
