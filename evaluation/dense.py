"""Dense baselines: any open_clip model, as an encoder that can be measured beside a lexical one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from lexiscope.clip_tower import clip_source, load_open_clip
from lexiscope.errors import ModelError
from lexiscope.evaluation.measures import Float32
from lexiscope.vision.pictures import open_picture

__all__ = ["DenseEncoder", "load_open_clip"]


class DenseEncoder:
    """An open_clip model: unit vectors of pictures and texts.

    Args:
        model: of open_clip, with its preprocessing set.
        tokenizer: of open_clip.
        device: where to compute; None leaves the model where it is.
    """

    def __init__(self, model: Any, tokenizer: Any, *, device: str | None = None) -> None:  # noqa: ANN401
        open_clip = load_open_clip()
        from open_clip.transform import PreprocessCfg, image_transform_v2

        self.device = torch.device(device) if device else model.logit_scale.device
        self.model = model.to(self.device).eval()
        settings = PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
        self._transform = image_transform_v2(settings, is_train=False)
        self._side = max(settings.input_size[1:])
        self.resize_mode: str = settings.resize_mode
        self._tokenizer = tokenizer
        # open_clip pads every text to its longest; towers of transformers need no more than a batch's own.
        self._padding = getattr(getattr(getattr(model, "text", None), "config", None), "pad_token_id", None)

    @classmethod
    def from_pretrained(cls, name: str | Path, *, device: str | None = None) -> DenseEncoder:
        """Load a folder in open_clip's format, `hf-hub:OWNER/MODEL`, or open_clip's `MODEL/WEIGHTS`.

        Raises:
            ModelError: there is no such model, or open_clip is not installed.
        """
        open_clip = load_open_clip()
        source, arguments = clip_source(open_clip, str(name))
        try:
            model = open_clip.create_model(source, require_pretrained=True, **arguments)
            tokenizer = open_clip.get_tokenizer(source)
        except Exception as error:  # open_clip, transformers, the hub client and safetensors raise their own
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{name}: open_clip cannot load it ({reason})") from error
        return cls(model, tokenizer, device=device or ("cuda" if torch.cuda.is_available() else "cpu"))

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of all weights."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
        return digest.hexdigest()[:16]

    def encode_image(
        self,
        pictures: Sequence[Any],
        *,
        batch_size: int = 32,
        show_progress_bar: bool | None = None,
    ) -> Float32:
        """Vectors of pictures.

        Args:
            pictures: paths, bytes, or PIL images.
            batch_size: pictures a forward pass.
            show_progress_bar: None shows one on a terminal.

        Returns:
            (n, dimensions) float32 of unit length.

        Raises:
            UnreadableSource: a file is no picture.
        """

        def vectors(chunk: Sequence[Any]) -> Tensor:
            return self.model.encode_image(self.pixels(chunk))  # type: ignore[no-any-return]

        return _encode(vectors, pictures, batch_size, show_progress_bar, "pictures")

    def encode_text(
        self, texts: Sequence[str], *, batch_size: int = 32, show_progress_bar: bool | None = None
    ) -> Float32:
        """Vectors of texts; what is longer than the model's context is cut off.

        Args:
            texts: any number.
            batch_size: texts a forward pass.
            show_progress_bar: None shows one on a terminal.

        Returns:
            (n, dimensions) float32 of unit length; zero where a text has no token.
        """
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))  # little padding

        def vectors(chunk: Sequence[int]) -> Tensor:
            ids = self._tokens([texts[number] for number in chunk]).to(self.device)
            return self.model.encode_text(ids)  # type: ignore[no-any-return]

        found = _encode(vectors, order, batch_size, show_progress_bar, "texts")
        return found[np.argsort(order, kind="stable")]

    vocabulary = None  # the dimensions stand for nothing in particular
    encode_query = encode_document = encode_text  # a dense model does not tell them apart

    def pixels(self, pictures: Sequence[Any]) -> Tensor:
        """Pictures as the model sees them, (n, 3, height, width), on its device."""
        opened = [self._transform(open_picture(picture, size_hint=self._side)) for picture in pictures]
        return torch.stack(opened).to(self.device)

    def _tokens(self, texts: list[str]) -> Tensor:
        ids: Tensor = self._tokenizer(texts)
        if self._padding is None:
            return ids
        return ids[:, : max(1, int((ids != self._padding).sum(dim=1).max()))]


def _encode(
    vectors: Callable[[Sequence[Any]], Tensor],
    items: Sequence[Any],
    size: int,
    show: bool | None,
    name: str,
) -> Float32:
    starts = range(0, len(items), size)
    hidden = None if show is None else not show
    with torch.inference_mode():
        parts = [
            vectors(items[start : start + size]).float().cpu()
            for start in tqdm(starts, desc=name, disable=hidden, leave=False)
        ]
        # A text without tokens has no direction: the mean over none of them is not a number.
        found = torch.nn.functional.normalize(torch.cat(parts).nan_to_num(), dim=-1)
    return found.numpy()
