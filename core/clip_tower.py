"""Any open_clip model as a frozen tower: unit vectors of pictures and texts, computed without gradients."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.errors import ModelError
from lexiscope.torchvision_shim import ensure_torchvision_operators

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ClipTower", "clip_source", "load_open_clip"]

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"


def load_open_clip() -> ModuleType:
    """Import open_clip, and register with it what lexiscope's own models are made of.

    Raises:
        ModelError: it is not installed.
    """
    ensure_torchvision_operators()
    try:
        open_clip = importlib.import_module("open_clip")
    except ModuleNotFoundError as error:
        raise ModelError(
            f"dense models need {error.name}, which is not installed; pip install 'lexiscope[dense]'"
        ) from error
    import lexiscope.text.open_clip_decoder
    import lexiscope.vision.architectures  # noqa: F401  (registers with timm)

    return open_clip


def clip_source(open_clip: ModuleType, name: str) -> tuple[str, dict[str, Any]]:
    """Spell a name as `open_clip.create_model` wants it, with further arguments.

    Raises:
        ModelError: it is no folder, hub id, or model that open_clip knows.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return f"local-dir:{folder}", _moved(folder)
    if name.startswith("hf-hub:"):
        return name, {}
    model, _, weights = name.partition("/")
    if model in open_clip.list_models() and weights in open_clip.list_pretrained_tags_by_model(model):
        return model, {"pretrained": weights}
    raise ModelError(
        f"{name}: no such dense model; name a folder with {CONFIG}, hf-hub:OWNER/MODEL, or MODEL/WEIGHTS "
        "that open_clip knows, such as ViT-B-32/laion2b_s34b_b79k"
    )


def _moved(folder: Path) -> dict[str, Any]:
    """Say where the text tower's configuration is now: open_clip keeps the path that it was saved under."""
    try:
        text = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder}: not a dense model; {CONFIG} is missing or damaged") from error
    if not (folder / "config.json").is_file():
        return {}
    return {"text_cfg": {**text, "hf_model_name": str(folder), "hf_model_pretrained": False}}


class ClipTower(nn.Module):
    """An open_clip model whose weights stay as they are.

    Args:
        network: of open_clip, with its preprocessing set.
        tokenizer: of open_clip.
        config: open_clip's `model_cfg`, to save it by.
    """

    def __init__(self, network: Any, tokenizer: Any, config: dict[str, Any]) -> None:  # noqa: ANN401
        super().__init__()
        open_clip = load_open_clip()
        from open_clip.transform import PreprocessCfg, image_transform_v2

        self.network = network.eval().requires_grad_(False)
        self._tokenizer, self._config = tokenizer, config
        settings = PreprocessCfg(**open_clip.get_model_preprocess_cfg(network))
        self._transform = image_transform_v2(settings, is_train=False)
        self.settings = settings
        self.side: int = max(settings.input_size[1:])
        self.width = int(config["embed_dim"])

    @classmethod
    def from_pretrained(cls, name: str) -> ClipTower:
        """Load a folder in open_clip's format, `hf-hub:OWNER/MODEL`, or open_clip's `MODEL/WEIGHTS`.

        Raises:
            ModelError: there is no such model, or open_clip is not installed.
        """
        open_clip = load_open_clip()
        source, arguments = clip_source(open_clip, name)
        try:
            network = open_clip.create_model(source, require_pretrained=True, **arguments)
            tokenizer = open_clip.get_tokenizer(source)
            config = dict(open_clip.get_model_config(source) or {})
        except Exception as error:  # open_clip, transformers, the hub client and safetensors raise their own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{name}: open_clip cannot load it ({reason})") from error
        return cls(network, tokenizer, config)

    def train(self, mode: bool = True) -> ClipTower:
        """Stay as it is: a frozen model has no training mode."""
        return super().train(False)

    def pixels(self, pictures: Sequence[Image]) -> Tensor:
        """RGB pictures as the model sees them, (n, 3, height, width)."""
        return torch.stack([self._transform(picture) for picture in pictures])

    @torch.no_grad()
    def pictures(self, pixels: Tensor) -> Tensor:
        """Unit vectors (n, width) of pixels."""
        return F.normalize(self.network.encode_image(pixels).float(), dim=-1)

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (n, width) of texts; what is longer than the model's context is cut off."""
        device = next(self.network.parameters()).device
        found: Tensor = self.network.encode_text(self.tokens(texts).to(device)).float()
        return F.normalize(found.nan_to_num(), dim=-1)

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Token ids (n, context) of texts."""
        ids: Tensor = self._tokenizer(list(texts))
        return ids

    def save(self, folder: Path) -> None:
        """Write the folder that open_clip reads as `local-dir:FOLDER`."""
        from open_clip.push_to_hf_hub import save_config_for_hf
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        weights = {
            name: t.detach().cpu().contiguous().clone() for name, t in self.network.state_dict().items()
        }
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
        if hasattr(self._tokenizer, "save_pretrained"):  # open_clip's own is the same everywhere
            self._tokenizer.save_pretrained(folder)
        text = getattr(getattr(self.network, "text", None), "config", None)
        if text is not None:  # a transformers tower: its configuration lies beside
            text.save_pretrained(folder)
        save_config_for_hf(self.network, folder / CONFIG, model_config=self._config)
