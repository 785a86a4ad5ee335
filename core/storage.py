"""A model folder on disk: the file names, the format version, and nothing else about models.

config.json         format version, vocabulary fingerprint, towers and heads
model.safetensors   every weight
vocabulary.txt      one term a line
tokenizer…          the language model's tokenizer files
README.md           model card
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexiscope.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT_VERSION = 1
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
VOCABULARY = "vocabulary.txt"
CARD = "README.md"
BUNDLED = "bundled"


def resolve(name: str | Path) -> Path:
    """The folder of a model: "bundled", a folder, or a hub id (downloaded once).

    Raises:
        ModelError: there is no such folder, and the hub has no such model or cannot be reached.
    """
    folder = Path(str(files("lexiscope") / BUNDLED)) if name == BUNDLED else Path(name).expanduser()
    if (folder / CONFIG).is_file():
        return folder
    if name == BUNDLED or folder.exists() or str(name).count("/") != 1:
        raise ModelError(
            f"{folder}: no {CONFIG} there; name 'bundled', a folder saved by lexiscope, or a hub id"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(name)))
    except Exception as error:  # the hub client raises many kinds, its network library more
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{name}: neither a folder nor a model the hub gives ({reason})") from error


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a model folder.

    Raises:
        ModelError: it is not JSON, or of a newer format.
    """
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        version = int(config["format_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / CONFIG}: not a lexiscope model ({error}); save the model again"
        ) from error
    if version > FORMAT_VERSION:
        raise ModelError(f"{folder}: model format {version} is newer than {FORMAT_VERSION}; update lexiscope")
    return config


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the configuration with its format version first."""
    text = json.dumps({"format_version": FORMAT_VERSION, **config}, indent=2) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Every tensor of a model folder, on the CPU, in float32 where it is floating.

    Raises:
        ModelError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder / WEIGHTS}: cannot be read ({error}); copy the model again") from error
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def write_weights(folder: Path, tensors: Mapping[str, Tensor], *, half: bool) -> None:
    """Write tensors; floating ones in float16 where `half` is set (the bundled model's size)."""
    from safetensors.torch import save_file

    ready = {
        name: (t.half() if half and t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in tensors.items()
    }
    save_file(ready, folder / WEIGHTS, metadata={"format": "pt"})
