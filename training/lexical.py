"""Stage "lexical": both towers learn to say the same words about a picture and its captions.

    L = ½ [ NCE(top_k(i), t) + NCE(i, top_k(t)) ] + λ_I·R(i) + λ_T·R(t⁺) + λ_W·L_words(i)
        + λ_V·L_words(t⁺) + λ_D·L_distil + λ_S·L_soft

i, t are unit vectors over the terms that the heads can say; t⁺ is t without the words that stand in the
text: those cost nothing, and words that are added to every text cost much, which no picture that fails to
say them would push down. Pairing a cut vector with a whole one (VDR)
trains what is used at search time without starving the words that the cut leaves out. With probability
p, falling from 1 to 0, a batch's captions are masked to their own words (probabilistic expansion
control, D2S), so that words keep their meaning while the towers are young.

With a dense twin (`lexiscope.training.twin`) the picture tower is its, frozen, and L_soft pulls the batch's
similarities, of both pairings as in the first term, towards the twin's own. Similarities alone are also
reached with words that mean nothing: any rare word will do as a code. So with a twin pictures learn their
words from the captions nearest to their own, too, and texts the words that these add.
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

from lexiscope.head import LexiconHead, activate
from lexiscope.model import LexicalModel
from lexiscope.training.caption_rows import CaptionRows, Neighbourhood, Presence
from lexiscope.training.distil import distillation_loss
from lexiscope.training.distributed import gather
from lexiscope.training.loop import Figures
from lexiscope.training.losses import (
    REGULARISERS,
    info_nce,
    quadratic_ramp,
    similarities,
    soft_targets,
    word_loss,
)
from lexiscope.training.picture_batches import PictureBatches, Pictures
from lexiscope.training.twin import Twin

OWN = 0.5  # what a picture's own caption counts beside those around it
NEVER = -1e4  # logit of a word that is not asked for


@dataclass(frozen=True)
class LexicalLoss:
    """Weights of the loss."""

    temperature: float = 0.07  # start of the learned temperature
    regulariser: str = "overuse"  # or "flops"
    picture_weight: float = 5e-4  # λ_I
    text_weight: float = 1e-3  # λ_T, of words that do not stand in the text
    ramp: int = 2000  # steps of the quadratic ramp of both
    words_weight: float = 0.0  # λ_W; needs max pooling of the picture's head
    text_words_weight: float = 0.0  # λ_V, with a dense twin; needs max pooling of the text's head
    words_power: float = 1.0  # of a word's worth in L_words: above 1 rare words count more
    neighbours: int = 12  # captions nearest to one that its words are learned from, with a dense twin
    distil_weight: float = 1.0  # λ_D
    contrast_weight: float = 1.0  # of the contrastive term
    soft_weight: float = 0.0  # λ_S, with a dense twin
    soft_scale: float = 30.0  # 1 / temperature of the twin's similarities
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
    around: Tensor | None = None  # (n, terms): how often a term stands in captions like this one
    told: Tensor | None = None  # (n, width) unit vectors of the captions by a dense twin


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
        twin: Twin | None = None,
        evaluate: Callable[[LexicalModel], dict[str, float]] | None = None,
    ) -> None:
        self.module, self.pictures, self.weights = module, pictures, loss
        self._evaluate = evaluate
        self.from_teacher, self.twin = from_teacher, twin
        model, device = module.model, pictures.device
        self._worth = model.literal[model.text_head.term_ids].detach() ** loss.words_power
        self._captions = CaptionRows(
            pictures.corpus.captions, _first_windows(model), batch=batch, seed=seed, device=device
        )
        self._presence = Presence(_places(model, self._captions.texts), model.text_head.config.terms, device)
        self._told = None if twin is None else twin.captions(self._captions.texts)
        self._around: Neighbourhood | None = None
        if self._told is not None and (loss.words_weight or loss.text_words_weight):
            self._around = Neighbourhood(self._presence, self._told, loss.neighbours)

    def batch(self, step: int) -> LexicalBatch:
        """Captions with their pictures; five captions of a picture are five samples."""
        chosen = self._captions.of_step(step)
        rows = self._captions.owners[chosen]
        draw = self.pictures.draw_teacher if self.from_teacher else self.pictures.draw
        ids, mask = self._captions.tokens(chosen)
        owners = torch.from_numpy(rows).to(self.pictures.device)
        told = None if self._told is None else self._told[torch.from_numpy(chosen).to(self._told.device)]
        around = self._around.of(chosen) if self._around else None
        presence = self._presence.of(chosen)
        return LexicalBatch(draw(rows, step), ids, mask, presence, owners, around, told)

    def loss(self, batch: LexicalBatch, step: int) -> tuple[Tensor, Figures]:
        """The formula of this module, and its parts."""
        weights, scale = self.weights, self.module.scale
        features, states = self._look(batch.pictures)
        said, logits = _say(self.module.model.vision_head, features)
        written, text_logits = self._text(batch, step)
        picture, text = gather(said), gather(written)
        pairs, owners = self._pairs(picture, text), gather(batch.owners)
        regularise, ramp = REGULARISERS[weights.regulariser], quadratic_ramp(step, weights.ramp)
        added = F.normalize(text, dim=-1) * (1 - gather(batch.presence))
        terms = {
            "nce": (weights.contrast_weight, _mean([info_nce(*pair, scale, owners) for pair in pairs])),
            "use_i": (ramp * weights.picture_weight, regularise(F.normalize(picture, dim=-1))),
            "use_t": (ramp * weights.text_weight, regularise(added)),
        }
        if self.twin is not None and states is not None and batch.told is not None:
            wanted = similarities(gather(self.twin.pictures(states)), gather(batch.told), weights.soft_scale)
            soft = [soft_targets(similarities(*pair, scale), wanted) for pair in pairs]
            terms["soft"] = weights.soft_weight, _mean(soft)
        if weights.words_weight and logits is not None:
            said_of_it = batch.presence if batch.around is None else OWN * batch.presence + batch.around
            terms["words"] = weights.words_weight, word_loss(logits, said_of_it, self._worth)
        if weights.text_words_weight and text_logits is not None and batch.around is not None:
            others = text_logits.masked_fill(batch.presence > 0, NEVER)
            words = word_loss(others, batch.around * (1 - batch.presence), self._worth)
            terms["text_words"] = weights.text_words_weight, words
        if isinstance(batch.pictures, Pictures) and batch.pictures.teacher is not None:
            distil = distillation_loss(features, batch.pictures.teacher)
            terms["distil"] = weights.distil_weight, distil
        total = torch.stack([weight * value for weight, value in terms.values()]).sum()
        return total, {**{name: value for name, (_, value) in terms.items()}, "scale": scale}

    def evaluate(self) -> dict[str, float]:
        """Figures of the evaluation that was handed in, if any."""
        return self._evaluate(self.module.model) if self._evaluate else {}

    def _look(self, pictures: Pictures | Tensor) -> tuple[Tensor, Tensor | None]:
        """What the neck says of the patches that count, and with a twin its states of all patches."""
        if isinstance(pictures, Tensor):
            return pictures, None
        model = self.module.model
        if self.twin is None:
            return model.vision_head.neck(model.vision(pictures.pixels, pictures.kept)), None
        with torch.no_grad():
            states = model.vision(pictures.pixels)
        kept = pictures.kept
        seen = states if kept is None else states.gather(1, kept[..., None].expand(-1, -1, states.shape[-1]))
        return model.vision_head.neck(seen), states

    def _text(self, batch: LexicalBatch, step: int) -> tuple[Tensor, Tensor | None]:
        """Weights of the texts' words, and where the language model was asked their logits."""
        model, head = self.module.model, self.module.model.text_head
        literal = model.literal[head.term_ids] * batch.presence
        steps = self.weights.expansion_steps
        if step < steps and torch.rand(()).item() < 1 - step / steps:
            return literal, None
        said, logits = _say(head, head.neck(model.text(batch.ids, batch.mask)), batch.mask)
        return torch.maximum(said, literal), logits

    def _pairs(self, picture: Tensor, text: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Unit vectors to compare: each side's cut ones with the other's whole ones."""
        model = self.module.model
        size = len(model.vocabulary)
        cut_i = F.normalize(model.vision_head.keep(picture, size), dim=-1)
        cut_t = F.normalize(model.text_head.keep(text, size), dim=-1)
        return [(cut_i, F.normalize(text, dim=-1)), (F.normalize(picture, dim=-1), cut_t)]


def _say(head: LexiconHead, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Weights of a head's words, uncut, and where its pooling has them their logits."""
    if head.config.pooling != "max":
        return head.weights_of_features(features, mask).float(), None
    logits = head.loudest(features, mask)
    return activate(logits, head.config.activation), logits


def _mean(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).mean()


def _first_windows(model: LexicalModel) -> Callable[[list[str]], tuple[Tensor, Tensor]]:
    """A tokenizer that keeps the first window of a longer text."""

    def tokenize(texts: list[str]) -> tuple[Tensor, Tensor]:
        ids, mask, owners = model.text.tokenize(texts)
        _, first = np.unique(owners.numpy(), return_index=True)
        return ids[first], mask[first]

    return tokenize


def _places(model: LexicalModel, texts: list[str]) -> list[npt.NDArray[np.int64]]:
    """For each text the places among the head's terms of those that stand in it."""
    places = np.full(len(model.vocabulary), -1, dtype=np.int64)  # of terms that the head cannot say
    ids = model.text_head.term_ids.cpu().numpy()
    places[ids] = np.arange(len(ids))
    found = (places[model.vocabulary.literals(text)] for text in texts)
    return [spoken[spoken >= 0] for spoken in found]
