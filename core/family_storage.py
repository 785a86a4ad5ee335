"""A family model's folder: config.json has a part "family"; open_clip models lie in `dense/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lexiscope import storage
from lexiscope.errors import ModelError, VocabularyMismatch
from lexiscope.family_config import FamilyConfig
from lexiscope.text.language_model import LanguageModel, LanguageModelConfig
from lexiscope.torchvision_shim import ensure_torchvision_operators
from lexiscope.vision.tower import VisionConfig, VisionTower
from lexiscope.vocabulary import Vocabulary

if TYPE_CHECKING:
    from lexiscope.family import FamilyModel

DENSE = "dense"


def save_family(model: FamilyModel, folder: Path, *, half: bool, card: str | None) -> None:
    """Write the folder; config.json last, so that a folder with one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    if model.text is not None:
        model.text.tokenizer.save_pretrained(folder)
    if model.dense is not None:
        model.dense.save(folder / DENSE)
    model.vocabulary.save(folder / storage.VOCABULARY)
    storage.write_weights(folder, _own(model), half=half)
    if card is not None:
        (folder / storage.CARD).write_text(card, encoding="utf-8")
    storage.write_config(folder, _config(model))


def _own(model: FamilyModel) -> dict[str, Tensor]:
    """Every tensor once: a tied output layer is the input embedding under a second name."""
    found: dict[str, Tensor] = {}
    seen: set[tuple[int, torch.Size]] = set()
    for name, tensor in model.state_dict().items():
        if name.startswith(f"{DENSE}."):
            continue
        key = (tensor.data_ptr(), tensor.shape)
        if tensor.numel() == 0 or key not in seen:
            found[name] = tensor
        seen.add(key)
    return found


def _config(model: FamilyModel) -> dict[str, Any]:
    return {
        "vocabulary": model.vocabulary.fingerprint,
        "family": model.config.to_dict(),
        "text": None if model.text is None else model.text.config.to_dict(),
        "query_text": None if model.query_text is None else model.query_text.config.to_dict(),
        "vision": None if model.vision is None else model.vision.config.to_dict(),
        "dense": model.dense is not None,
    }


def load_family(folder: Path) -> FamilyModel:
    """Read a family model's folder.

    Raises:
        ModelError: a file is missing, damaged, or does not fit the others.
        VocabularyMismatch: vocabulary.txt is not the one that the weights were trained with.
    """
    from lexiscope.family import FamilyModel

    config = storage.read_config(folder)
    vocabulary = Vocabulary.load(folder / storage.VOCABULARY)
    if config.get("vocabulary") != vocabulary.fingerprint:
        raise VocabularyMismatch(
            f"{folder / storage.VOCABULARY}: fingerprint {vocabulary.fingerprint}, but the weights were "
            f"trained with {config.get('vocabulary')}; copy the model folder again"
        )
    weights = storage.read_weights(folder)
    try:
        model = FamilyModel(
            FamilyConfig.from_dict(config["family"]),
            vocabulary,
            token_ids=weights["token_ids"] if len(weights["token_ids"]) else None,
            idf=weights["idf"],
            **_towers(config, folder),
        )
        fill(model, weights)
    except (KeyError, TypeError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"{folder}: configuration and weights do not fit ({reason})") from error
    return model.eval()


def _towers(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    towers: dict[str, Any] = {"vision": None, "dense": None}
    for name in ("text", "query_text"):
        shape = config.get(name)
        towers[name] = (
            None if shape is None else LanguageModel(LanguageModelConfig(**shape), _tokenizer(folder))
        )
    if config.get("vision") is not None:
        towers["vision"] = VisionTower(VisionConfig.from_dict(config["vision"]))
    if config.get("dense"):
        from lexiscope.clip_tower import ClipTower

        towers["dense"] = ClipTower.from_pretrained(str(folder / DENSE))
    return towers


def _tokenizer(folder: Path) -> Any:  # noqa: ANN401
    ensure_torchvision_operators()
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(folder))


def fill(model: FamilyModel, weights: dict[str, Tensor]) -> None:
    """Load a folder's weights; a tensor that is missing must be tied to one that is there.

    Args:
        model: of the same shape as the one that was saved.
        weights: by name, without those of `dense/`.

    Raises:
        RuntimeError: they do not fit.
    """
    missing, unexpected = model.load_state_dict(weights, strict=False)
    own = dict(model.state_dict())
    filled = {own[name].data_ptr() for name in weights if name in own}
    lost = [
        name for name in missing if not name.startswith(f"{DENSE}.") and own[name].data_ptr() not in filled
    ]
    if lost or unexpected:
        raise RuntimeError(f"missing {lost[:3]}, unexpected {list(unexpected)[:3]}")
