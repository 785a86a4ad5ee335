"""Stage "dense": CLIP, as open_clip builds it, from the towers that the lexical model starts from.

    L = ½ [ CE( s·i·tᵀ ) + CE( s·t·iᵀ ) ] + λ_D·L_distil

i, t are unit vectors: the mean of the patch states, or of the token states, through a linear map each; s is
learned and at most 100. The first term is open_clip's `ClipLoss`, but for one thing which that cannot say:
two captions of one picture are no negatives of one another (`lexiscope.training.losses.info_nce`). The
second is the lexical stage's own, so that the picture tower is taught the same things beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.errors import RecipeError
from lexiscope.evaluation.dense import load_open_clip
from lexiscope.text.tower import TextTower
from lexiscope.training.caption_rows import CaptionRows
from lexiscope.training.distil import distillation_loss
from lexiscope.training.distributed import gather
from lexiscope.training.loop import Figures
from lexiscope.training.losses import info_nce
from lexiscope.training.picture_batches import PictureBatches, Pictures
from lexiscope.vision.tower import VisionConfig, VisionTower, all_states

_RESIZE = {"squash": "squash", "crop": "shortest"}  # ours to open_clip's


class DenseModel:
    """An open_clip model with what belongs into its folder.

    Args:
        vision: the picture tower to start from; its architecture's name must say all, for open_clip passes
            timm no arguments.
        text: the text tower to start from.
        width: dimensions of a vector.
        temperature: start of the learned temperature.
        folder: where the model goes; the configuration of its text tower is written at once, because
            open_clip reads it there.

    Raises:
        RecipeError: open_clip cannot hold these towers.
    """

    def __init__(
        self, vision: VisionTower, text: TextTower, *, width: int, temperature: float, folder: Path
    ) -> None:
        open_clip = load_open_clip()
        from lexiscope.text.open_clip_decoder import OpenClipDecoderConfig

        if vision.config.arguments:
            raise RecipeError(
                "vision.arguments: open_clip makes a picture tower by its name alone; give this "
                f"{vision.config.architecture} a name of its own (lexiscope.vision.architectures)"
            )
        if text.config.prompt != "{text}":
            raise RecipeError('text.prompt: open_clip has no prompts; leave it at "{text}"')
        self.folder = folder
        pad = text.tokenizer.pad_token_id
        OpenClipDecoderConfig(text.config.language_model, pad_token_id=pad).save_pretrained(folder)
        text.tokenizer.save_pretrained(folder)
        self.tokenizer = open_clip.tokenizer.HFTokenizer(str(folder), context_length=text.config.max_length)
        self.config = _config(vision.config, text.config.max_length, width, folder)
        self.network: Any = open_clip.model.CustomTextCLIP(
            **self.config, init_logit_scale=math.log(1 / temperature)
        )
        self.network.visual.trunk.load_state_dict(vision.model.state_dict())
        self.network.text.transformer.decoder.load_state_dict(text.model.state_dict())
        open_clip.set_model_preprocess_cfg(self.network, _preprocessing(vision.config))

    def tokens(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        """Token ids (n, context) and their mask; of a longer text its beginning alone."""
        ids: Tensor = self.tokenizer(texts)
        return ids, ids != self.tokenizer.tokenizer.pad_token_id

    def save(self, *, card: str) -> None:
        """Write the folder that `open_clip.create_model_and_transforms("local-dir:FOLDER")` reads.

        Args:
            card: becomes its README.md.
        """
        from open_clip.push_to_hf_hub import save_for_hf

        self.network.to(memory_format=torch.contiguous_format)  # as safetensors wants it
        network = self.network.cpu()
        save_for_hf(network, self.tokenizer, self.config, str(self.folder), safe_serialization=True)
        (self.folder / "README.md").write_text(card, encoding="utf-8")


def _config(vision: VisionConfig, context: int, width: int, folder: Path) -> dict[str, Any]:
    """open_clip's `model_cfg`."""
    return {
        "embed_dim": width,
        "vision_cfg": {
            "timm_model_name": vision.architecture,
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": vision.image_size,
        },
        "text_cfg": {
            "context_length": context,
            "hf_model_name": str(folder.resolve()),
            "hf_model_pretrained": False,
            "hf_tokenizer_name": folder.name,  # any name: beside the model is where open_clip looks
            "hf_pooler_type": "mean_pooler",
            "hf_proj_type": "linear",
        },
    }


def _preprocessing(vision: VisionConfig) -> dict[str, Any]:
    """open_clip's `preprocess_cfg`."""
    return {
        "size": vision.image_size,
        "mode": "RGB",
        "mean": vision.mean,
        "std": vision.std,
        "interpolation": "bicubic",
        "resize_mode": _RESIZE[vision.resize],
        "fill_color": 0,
    }


class DenseModule(nn.Module):
    """open_clip's model with what only training needs: the map to the teacher's features.

    Args:
        network: `DenseModel.network`.
        to_teacher: from the distilled tower; None where nothing was distilled.
    """

    def __init__(self, network: Any, to_teacher: nn.Module | None) -> None:  # noqa: ANN401
        super().__init__()
        self.network = network
        self.to_teacher = to_teacher

    def pictures(self, batch: Pictures) -> tuple[Tensor, Tensor]:
        """Unit vectors (n, width) of pictures, and the patch states (n, patches, states) behind them."""
        visual = self.network.visual
        states = all_states(visual.trunk, batch.pixels, batch.kept)
        vectors = visual.head(visual.trunk.forward_head(states))
        return F.normalize(vectors.float(), dim=-1), states[:, visual.trunk.num_prefix_tokens :]

    def texts(self, ids: Tensor) -> Tensor:
        """Unit vectors (n, width) of token ids (n, length)."""
        return F.normalize(self.network.encode_text(ids).float(), dim=-1)

    @property
    def scale(self) -> Tensor:
        """1 / temperature, at most 100 (CLIP)."""
        scale: Tensor = self.network.logit_scale.exp().clamp(max=100.0)
        return scale


@dataclass(frozen=True)
class DenseBatch:
    """One process's share of a step's pictures and captions."""

    pictures: Pictures
    ids: Tensor  # (n, length) tokens of one caption each
    owners: Tensor  # (n,) the pictures' rows


class DenseStage:
    """The loop's view of CLIP training.

    Args:
        model: what is trained.
        to_teacher: from the distilled tower; None where nothing was distilled.
        pictures: augmented pictures, with the teacher's maps where there is one.
        distil_weight: λ_D.
        batch: pictures a step.
        seed: of the order of the captions.
        evaluate: gives figures on held-out data.
    """

    def __init__(
        self,
        model: DenseModel,
        to_teacher: nn.Module | None,
        pictures: PictureBatches,
        *,
        distil_weight: float,
        batch: int,
        seed: int,
        evaluate: Callable[[DenseModel], dict[str, float]] | None = None,
    ) -> None:
        self.model, self.module = model, DenseModule(model.network, to_teacher).to(pictures.device)
        self.pictures, self.distil_weight, self._evaluate = pictures, distil_weight, evaluate
        self._captions = CaptionRows(
            pictures.corpus.captions, model.tokens, batch=batch, seed=seed, device=pictures.device
        )

    def batch(self, step: int) -> DenseBatch:
        """The captions, pictures and crops that the lexical stage draws for the same step."""
        chosen = self._captions.of_step(step)
        rows, (ids, _) = self._captions.owners[chosen], self._captions.tokens(chosen)
        owners = torch.from_numpy(rows).to(self.pictures.device)
        return DenseBatch(self.pictures.draw(rows, step), ids, owners)

    def loss(self, batch: DenseBatch, step: int) -> tuple[Tensor, Figures]:
        """The formula of this module, and its parts."""
        said, states = self.module.pictures(batch.pictures)
        picture, text = gather(said), gather(self.module.texts(batch.ids))
        total = info_nce(picture, text, self.module.scale, gather(batch.owners))
        figures: Figures = {"nce": total, "scale": self.module.scale}
        teacher = batch.pictures.teacher
        if teacher is not None and self.module.to_teacher is not None and self.distil_weight:
            distil = distillation_loss(self.module.to_teacher(states), teacher)
            total = total + self.distil_weight * distil
            figures["distil"] = distil
        return total, figures

    def evaluate(self) -> dict[str, float]:
        """Figures of the evaluation that was handed in, if any."""
        return self._evaluate(self.model) if self._evaluate else {}
