"""The picture tower: any timm vision transformer, patch states out (DINOv2 in LexVLA)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lexiscope.errors import ModelError
from lexiscope.torchvision_shim import ensure_torchvision_operators


@dataclass(frozen=True)
class VisionConfig:
    """Everything needed to build the picture tower again without its source."""

    architecture: str  # timm's name of the architecture
    arguments: dict[str, Any] = field(default_factory=dict)  # timm's arguments, where not its defaults
    image_size: int = 518  # side of the square picture in pixels
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # per channel, of values in 0..1
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    resize: str = "crop"  # "crop": shorter side, then the centre; "squash": the whole picture

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> VisionConfig:
        """Read what `to_dict` wrote."""
        known = dict(values)
        for name in ("mean", "std"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)


class VisionTower(nn.Module):
    """A timm ViT that gives one state a patch.

    Args:
        config: architecture and preprocessing.

    Raises:
        ModelError: timm does not know the architecture or its arguments.
    """

    def __init__(self, config: VisionConfig, model: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.model = model if model is not None else _create(config.architecture, **_arguments(config))
        self.width = int(self.model.num_features)  # type: ignore[arg-type]

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, image_size: int | None = None, resize: str = "crop"
    ) -> VisionTower:
        """Load weights by timm name, hub id (`timm/vit_base_patch14_dinov2.lvd142m`) or folder.

        Args:
            name: a timm model name, a hub id with a slash, or a folder in timm's hub format.
            image_size: side in pixels; None takes the checkpoint's own.
            resize: "crop" or "squash".

        Raises:
            ModelError: nothing of that name can be loaded.
        """
        source = _source(name)
        architecture, arguments = _describe(source)
        asked = {"num_classes": 0, **({"img_size": image_size} if image_size else {})}
        model = _create(source, pretrained=True, **asked)
        settings: dict[str, Any] = model.pretrained_cfg  # type: ignore[assignment]
        config = VisionConfig(
            architecture=architecture,
            arguments={k: v for k, v in arguments.items() if k not in {"num_classes", "img_size"}},
            image_size=image_size or int(settings["input_size"][-1]),
            mean=tuple(settings["mean"]),
            std=tuple(settings["std"]),
            resize=resize,
        )
        return cls(config, model)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        size = self.model.patch_embed.grid_size  # type: ignore[union-attr]
        return int(size[0]), int(size[1])  # type: ignore[index]

    def see(self, image_size: int) -> None:
        """Look at pictures of another size from now on; the weights of places are interpolated (timm).

        A tower that was trained on crops sees whole pictures best when they are larger than its crops
        were (Touvron et al., "Fixing the train-test resolution discrepancy", NeurIPS 2019).

        Args:
            image_size: side of the square picture in pixels.
        """
        if image_size != self.config.image_size:
            self.model.set_input_size(img_size=image_size)  # type: ignore[operator]
            self.config = replace(self.config, image_size=image_size)

    def forward(self, pixels: Tensor, kept: Tensor | None = None) -> Tensor:
        """States of the patches, without class and register tokens.

        Args:
            pixels: (batch, 3, image_size, image_size), normalised.
            kept: (batch, m) numbers of the patches that the blocks look at; None looks at all. For training
                alone: it takes timm's transformer apart.

        Returns:
            (batch, patches or m, width).
        """
        return all_states(self.model, pixels, kept)[:, int(self.model.num_prefix_tokens) :]  # type: ignore[arg-type]


def all_states(network: Any, pixels: Tensor, kept: Tensor | None) -> Tensor:  # noqa: ANN401
    """States of a timm ViT, class and register tokens first.

    Args:
        network: the ViT.
        pixels: (n, 3, h, w), normalised.
        kept: (n, m) numbers of the patches that the blocks look at; None looks at all.

    Returns:
        (n, prefix + patches or m, width).
    """
    if kept is None:
        states: Tensor = network.forward_features(pixels)
        return states
    prefix = network.num_prefix_tokens
    tokens = network._pos_embed(network.patch_embed(pixels))
    chosen = tokens[:, prefix:].gather(1, kept[..., None].expand(-1, -1, tokens.shape[-1]))
    tokens = network.norm_pre(torch.cat([tokens[:, :prefix], chosen], dim=1))
    for block in network.blocks:
        tokens = block(tokens)
    return network.norm(tokens)  # type: ignore[no-any-return]


def _arguments(config: VisionConfig) -> dict[str, Any]:
    return {**config.arguments, "num_classes": 0, "img_size": config.image_size}


def _source(name: str | Path) -> str:
    """Spell a folder, hub id or model name as timm wants it."""
    if Path(name).expanduser().is_dir():
        return f"local-dir:{Path(name).expanduser()}"
    text = str(name)
    return text if ":" in text or "/" not in text else f"hf-hub:{text}"


def _describe(source: str) -> tuple[str, dict[str, Any]]:
    """Architecture and saved arguments behind a source, without its weights."""
    kind, _, place = source.partition(":")
    if not place:
        return source.split(".")[0], {}
    try:
        file = Path(place) / "config.json" if kind == "local-dir" else _download(place)
        saved = json.loads(file.read_text(encoding="utf-8"))
        return str(saved["architecture"]), dict(saved.get("model_args") or {})
    except Exception as error:  # the hub client, JSON and the file system each raise their own
        raise ModelError(f"{place}: no timm model there ({_first_line(error)})") from error


def _download(hub_id: str) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(hub_id, "config.json"))


def _create(name: str, **arguments: Any) -> nn.Module:  # noqa: ANN401
    ensure_torchvision_operators()
    import timm

    import lexiscope.vision.architectures  # noqa: F401  (registers it with timm)

    try:
        model: nn.Module = timm.create_model(name, **arguments)
    except Exception as error:  # timm raises RuntimeError, TypeError, ValueError and the hub's own
        raise ModelError(f"{name}: timm cannot make this picture tower ({_first_line(error)})") from error
    if not hasattr(model, "num_prefix_tokens") or not hasattr(model, "patch_embed"):
        raise ModelError(f"{name}: has no patch tokens; choose a vision transformer, for example a DINOv2")
    return model


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class Preprocessor:
    """Pictures to normalised pixels.

    Args:
        config: size, mean, deviation and way of resizing.
    """

    def __init__(self, config: VisionConfig) -> None:
        self.config = config

    def __call__(self, pictures: Sequence[Any]) -> Tensor:
        """Stack RGB PIL pictures into (n, 3, image_size, image_size) float32."""
        return self.normalise(self.squares(pictures))

    def squares(self, pictures: Sequence[Any]) -> Tensor:
        """Stack RGB PIL pictures into (n, 3, image_size, image_size) uint8, not normalised."""
        import numpy as np

        found = np.stack([np.asarray(self._square(picture)) for picture in pictures])
        return torch.from_numpy(found).permute(0, 3, 1, 2)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Scale bytes (n, 3, h, w) 0..255 to the tower's range, float32."""
        mean = torch.tensor(self.config.mean, device=pixels.device).view(1, 3, 1, 1)
        std = torch.tensor(self.config.std, device=pixels.device).view(1, 3, 1, 1)
        return (pixels.float().div(255) - mean) / std

    def _square(self, picture: Any) -> Any:  # noqa: ANN401
        from PIL import Image

        side = self.config.image_size
        box = None
        if self.config.resize == "crop":
            short = min(picture.size)
            left, top = (picture.width - short) / 2, (picture.height - short) / 2
            box = (left, top, left + short, top + short)
        return picture.resize((side, side), Image.Resampling.BICUBIC, box=box)
