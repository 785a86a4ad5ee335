"""Stage "lexical": both towers learn to say the same words about a picture and its captions.

    L = ½ [ NCE(top_k(i), t) + NCE(i, top_k(t)) ] + λ_I·R(i) + λ_T·R(t⁺) + λ_W·L_words + λ_D·L_distil

i, t are unit vectors over the terms that the heads can say; t⁺ is t without the words that stand in the
text: those cost nothing, and words that are added to every text cost much, which no picture that fails to
say them would push down. Pairing a cut vector with a whole one (VDR)
trains what is used at search time without starving the words that the cut leaves out. With probability
p, falling from 1 to 0, a batch's captions are masked to their own words (probabilistic expansion
control, D2S), so that words keep their meaning while the towers are young.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lexiscope.head import activate
from lexiscope.model import LexicalModel
from lexiscope.training.distil import distillation_loss
from lexiscope.training.distributed import gather, own
from lexiscope.training.loop import epoch_rows
from lexiscope.training.losses import REGULARISERS, info_nce, quadratic_ramp, word_loss
from lexiscope.training.picture_batches import PictureBatches, Pictures


@dataclass(frozen=True)
class LexicalLoss:
    """Weights of the loss."""

    temperature: float = 0.07  # start of the learned temperature
    regulariser: str = "overuse"  # or "flops"
    picture_weight: float = 5e-4  # λ_I
    text_weight: float = 1e-3  # λ_T, of words that do not stand in the text
    ramp: int = 2000  # steps of the quadratic ramp of both
    words_weight: float = 0.0  # λ_W; needs max pooling of the picture's head
    distil_weight: float = 1.0  # λ_D
    expansion_steps: int = 0  # over these steps p falls from 1 to 0; 0 never masks


class LexicalModule(nn.Module):
    """The model with what only training needs: the temperature."""

    def __init__(self, model: LexicalModel, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    @property
    def scale(self) -> Tensor:
        """1 / temperature, at most 100 (CLIP)."""
        return self.log_scale.exp().clamp(max=100.0)


@dataclass(frozen=True)
class LexicalBatch:
    """One process's share of a step's pictures and captions."""

    pictures: Pictures | Tensor  # or (n, m, c) only what the teacher says of them
    ids: Tensor  # (n, length) tokens of one caption each
    mask: Tensor  # (n, length)
    presence: Tensor  # (n, terms): 1 where a term of the head stands in the caption
    owners: Tensor  # (n,) the pictures' rows


class LexicalStage:
    """The loop's view of lexical training."""

    def __init__(
        self,
        module: LexicalModule,
        pictures: PictureBatches,
        loss: LexicalLoss,
        *,
        batch: int,
        seed: int,
        from_teacher: bool = False,
        evaluate: Callable[[LexicalModel], dict[str, float]] | None = None,
    ) -> None:
        self.module, self.pictures, self.weights = module, pictures, loss
        self.size, self.seed, self._evaluate = batch, seed, evaluate
        self.from_teacher = from_teacher
        self._places = _places(module.model)
        self._worth = module.model.literal[module.model.text_head.term_ids].detach().clone()
        captions = pictures.corpus.captions
        self._captions = [caption for listed in captions for caption in listed]
        self._owners = np.repeat(np.arange(len(captions)), [len(listed) for listed in captions])

    def batch(self, step: int) -> LexicalBatch:
        """Captions with their pictures; five captions of a picture are five samples."""
        chosen = own(epoch_rows(step, self.size, len(self._captions), self.seed))
        captions, rows = [self._captions[number] for number in chosen], self._owners[chosen]
        draw = self.pictures.draw_teacher if self.from_teacher else self.pictures.draw
        ids, mask = self._tokens(captions)
        owners = torch.from_numpy(rows).to(self.pictures.device)
        return LexicalBatch(draw(rows, step), ids, mask, self._presence(captions), owners)

    def loss(self, batch: LexicalBatch, step: int) -> tuple[Tensor, dict[str, float]]:
        """The formula of this module, and its parts."""
        weights = self.weights
        features = self._features(batch.pictures)
        said, logits = self._say(features)
        picture, text = gather(said), gather(self._text(batch, step))
        contrast = self._contrast(picture, text, gather(batch.owners))
        regularise = REGULARISERS[weights.regulariser]
        ramp = quadratic_ramp(step, weights.ramp)
        added = F.normalize(text, dim=-1) * (1 - gather(batch.presence))
        use_i, use_t = regularise(F.normalize(picture, dim=-1)), regularise(added)
        total = contrast + ramp * (weights.picture_weight * use_i + weights.text_weight * use_t)
        figures = {"nce": contrast.item(), "use_i": use_i.item(), "use_t": use_t.item()}
        figures["scale"] = self.module.scale.item()
        if weights.words_weight and logits is not None:
            words = word_loss(logits, batch.presence, self._worth)
            total = total + weights.words_weight * words
            figures["words"] = words.item()
        if isinstance(batch.pictures, Pictures) and batch.pictures.teacher is not None:
            distil = distillation_loss(features, batch.pictures.teacher)
            total = total + weights.distil_weight * distil
            figures["distil"] = distil.item()
        return total, figures

    def evaluate(self) -> dict[str, float]:
        """Figures of the evaluation that was handed in, if any."""
        return self._evaluate(self.module.model) if self._evaluate else {}

    def _features(self, pictures: Pictures | Tensor) -> Tensor:
        if isinstance(pictures, Tensor):
            return pictures
        model = self.module.model
        features: Tensor = model.vision_head.neck(model.vision(pictures.pixels, pictures.kept))
        return features

    def _say(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weights of the pictures' words, uncut, and where the head's pooling has them their logits."""
        head = self.module.model.vision_head
        if head.config.pooling != "max":
            return head.weights_of_features(features).float(), None
        logits = head.loudest(features)
        return activate(logits, head.config.activation), logits

    def _text(self, batch: LexicalBatch, step: int) -> Tensor:
        model = self.module.model
        literal = model.literal[model.text_head.term_ids] * batch.presence
        if torch.rand(()).item() < 1 - step / max(1, self.weights.expansion_steps):
            return literal
        return torch.maximum(model.text_weights(batch.ids, batch.mask).float(), literal)

    def _contrast(self, picture: Tensor, text: Tensor, owners: Tensor) -> Tensor:
        model = self.module.model
        size = len(model.vocabulary)
        cut_i = F.normalize(model.vision_head.keep(picture, size), dim=-1)
        cut_t = F.normalize(model.text_head.keep(text, size), dim=-1)
        whole_i, whole_t = F.normalize(picture, dim=-1), F.normalize(text, dim=-1)
        scale = self.module.scale
        return 0.5 * (info_nce(cut_i, whole_t, scale, owners) + info_nce(whole_i, cut_t, scale, owners))

    def _tokens(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        ids, mask, owners = self.module.model.text.tokenize(captions)
        # Of a caption longer than a window only the first window is trained on.
        _, first = np.unique(owners.numpy(), return_index=True)
        device = self.pictures.device
        return ids[first].to(device), mask[first].to(device)

    def _presence(self, captions: list[str]) -> Tensor:
        presence = torch.zeros(len(captions), self.module.model.text_head.config.terms)
        for row, caption in enumerate(captions):
            places = self._places[self.module.model.vocabulary.literals(caption)]
            presence[row, places[places >= 0]] = 1.0
        return presence.to(self.pictures.device)


def _places(model: LexicalModel) -> npt.NDArray[np.int64]:
    """(V,) place of each term among the head's terms, -1 where the head cannot say it."""
    places = np.full(len(model.vocabulary), -1, dtype=np.int64)
    ids = model.text_head.term_ids.cpu().numpy()
    places[ids] = np.arange(len(ids))
    return places
