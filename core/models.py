"""What a model is to `LexicalEncoder`, and which one a name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from lexiscope import storage
from lexiscope.model import LexicalModel
from lexiscope.vocabulary import Vocabulary

if TYPE_CHECKING:
    from typing import Self

    import torch
    from PIL.Image import Image

__all__ = ["CLIP", "Model", "load_model"]

CLIP = "clip:"
"""What the name of an open_clip model that becomes a lexical one begins with."""


class Model(Protocol):
    """Pictures and texts to rows of tensors: `LexicalModel`, `FamilyModel`, `ClipLexicon`."""

    vocabulary: Vocabulary

    @property
    def picture_side(self) -> int:
        """Side in pixels of the square that the picture tower sees; a ModelError where there is none."""

    def picture_rows(self, pictures: Sequence[Image]) -> Tensor:
        """Lexical vectors (n, V) of RGB pictures."""

    def text_rows(self, texts: Sequence[str], *, document: bool, inference_free: bool) -> Tensor:
        """Lexical vectors (n, V) of texts."""

    def save(self, folder: Path, *, half: bool = False, card: str | None = None) -> None:
        """Write the model folder."""

    def state_dict(self) -> dict[str, Tensor]:
        """Every weight."""

    def to(self, device: torch.device) -> Self:
        """Move to a device."""

    def eval(self) -> Self:
        """Stop training."""


def load_model(name: str | Path) -> Model:
    """Load a model by "bundled", folder, hub id, or `clip:NAME`.

    Raises:
        ModelError: there is no such model, or its files are damaged or newer.
        VocabularyMismatch: its vocabulary is not the one it was trained with.
    """
    if str(name).startswith(CLIP):
        from lexiscope.clip_lexicon import ClipLexicon

        return ClipLexicon.from_clip(str(name).removeprefix(CLIP))
    folder = storage.resolve(name)
    config = storage.read_config(folder)
    if "family" in config:
        from lexiscope.family import FamilyModel

        return FamilyModel.load(folder)
    if "clip_lexicon" in config:
        from lexiscope.clip_lexicon import ClipLexicon

        return ClipLexicon.load(folder)
    return LexicalModel.load(folder)
