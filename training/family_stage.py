"""The loop's view of a family recipe: rows or pictures in, the sum of what supervises them out.

L = Σ_k weight_k · L_k(q, d)  +  ramp(step) · [ λ_Q R(q) + λ_D R(d) ]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lexiscope.clip_tower import ClipTower
from lexiscope.family import FamilyModel
from lexiscope.head import pool
from lexiscope.sparse_encoders import SparseEncoder
from lexiscope.text.templates import Windows
from lexiscope.training import supervision as by
from lexiscope.training.bottleneck import WeakDecoder, bottleneck_loss
from lexiscope.training.distributed import gather
from lexiscope.training.family_recipe import FamilyRecipe, PenaltySection
from lexiscope.training.losses import REGULARISERS, above, idf_flops, l1, linear_ramp, quadratic_ramp
from lexiscope.training.momentum import Momentum


class FamilyModule(nn.Module):
    """The model with what only training needs.

    Args:
        model: what is trained.
        recipe: says whether there is a temperature, a weak decoder, a momentum copy.
    """

    def __init__(self, model: FamilyModel, recipe: FamilyRecipe) -> None:
        super().__init__()
        rules = recipe.supervision
        self.model = model
        scale = torch.tensor(math.log(1 / rules.temperature))
        self.log_scale = nn.Parameter(scale, requires_grad=rules.learn_temperature)
        self.decoder = None
        if rules.bottleneck:
            language = model.language("document")
            self.decoder = WeakDecoder(language.width, language.config.max_length + 8)
        self.past = Momentum(model, rules.queue, rules.momentum) if rules.queue else None

    @property
    def scale(self) -> Tensor:
        """1 / temperature; a learned one at most 100 (CLIP)."""
        scale = self.log_scale.exp()
        return scale.clamp(max=100.0) if self.log_scale.requires_grad else scale


@dataclass(frozen=True)
class Side:
    """One side of a batch: n texts or pictures.

    Attributes:
        name: "query", "document" or "picture".
        texts: the texts; empty for pictures.
        windows: their tokens, one window each; None where no tokenizer is asked.
        pixels: (n, 3, h, w) for pictures.
    """

    name: str
    texts: Sequence[str] = ()
    windows: Windows | None = None
    pixels: Tensor | None = None

    def part(self, start: int, size: int) -> Side:
        """Some of it."""
        stop = min(start + size, len(self))
        return Side(
            self.name,
            self.texts[start:stop],
            None if self.windows is None else self.windows.part(start, stop),
            None if self.pixels is None else self.pixels[start:stop],
        )

    def __len__(self) -> int:
        return len(self.texts) if self.pixels is None else len(self.pixels)


@dataclass(frozen=True)
class FamilyBatch:
    """One process's share of a step."""

    query: Side
    document: Side  # texts or pictures, `group` for each question, the answer first
    group: int = 1
    scores: Tensor | None = None  # (n, teachers, group)


@dataclass(frozen=True)
class Vectors:
    """What an encoder says of one side.

    Attributes:
        kept: (n, V) as they would be indexed, or, by `supervision.cut`, not yet cut.
        base: (n, V) before the literal residual and the cut: what the regulariser looks at.
        presence: (n, V) 1 where a term stands in the text; empty for pictures.
    """

    kept: Tensor
    base: Tensor
    presence: Tensor


class FamilyStage:
    """The loop's view of a method.

    Args:
        module: the model with what training needs.
        recipe: the method.
        draw: makes the batch of a step.
        teacher: the dense model of `supervision.dense`, where it is not the model's own tower.
        evaluate: gives figures on held-out data.
    """

    def __init__(
        self,
        module: FamilyModule,
        recipe: FamilyRecipe,
        draw: Callable[[int], FamilyBatch],
        *,
        teacher: ClipTower | None = None,
        evaluate: Callable[[FamilyModel], dict[str, float]] | None = None,
    ) -> None:
        self.module, self.recipe, self._draw, self._evaluate = module, recipe, draw, evaluate
        self._teacher = teacher if teacher is not None else module.model.dense

    def batch(self, step: int) -> FamilyBatch:
        """This process's rows of a step."""
        return self._draw(step)

    def evaluate(self) -> dict[str, float]:
        """Figures of the evaluation that was handed in, if any."""
        return self._evaluate(self.module.model) if self._evaluate else {}

    def loss(self, batch: FamilyBatch, step: int) -> tuple[Tensor, dict[str, float]]:
        """The formula of this module, and its parts."""
        q, d = self._vectors(batch.query), self._vectors(batch.document)
        with torch.autocast(
            q.kept.device.type, enabled=False
        ):  # a margin of scores is no matter of eight bits
            return self._total(batch, q, d, step)

    def _total(
        self, batch: FamilyBatch, q: Vectors, d: Vectors, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        q = Vectors(self._masked(q, step), q.base, q.presence)
        parts = self._parts(batch, q, d)
        terms = self.recipe.supervision.terms()
        supervised = torch.stack([terms[name] * value for name, value in parts.items()]).sum()
        use_q, use_d = self._penalties(q.base, d.base, batch.group)
        total = supervised + self._ramp(step) * (use_q + use_d)
        figures = {"supervised": supervised.item(), **{name: value.item() for name, value in parts.items()}}
        figures |= {"use_q": use_q.item(), "use_d": use_d.item()}
        figures |= {"words_q": _words(q.kept), "words_d": _words(d.kept)}
        if self.module.past is not None:
            self._remember(batch)
        return total, figures

    # ---- encoding

    def _vectors(self, side: Side) -> Vectors:
        """Encode a side; in chunks whose activations are made again in the backward pass, where asked.

        That is grad-cache (Gao et al. 2021): the loss sees all vectors at once, memory holds one chunk's
        states.
        """
        size = self.recipe.train.chunk
        if not size or size >= len(side):
            parts = [self._encode(self.module.model, side)]
        else:
            parts = [
                checkpoint(self._encode, self.module.model, side.part(start, size), use_reentrant=False)
                for start in range(0, len(side), size)
            ]
        kept, base, presence = (gather(torch.cat(listed)) for listed in zip(*parts, strict=True))
        return Vectors(kept, base, presence)

    def _encode(self, model: FamilyModel, side: Side) -> tuple[Tensor, Tensor, Tensor]:
        return encode(model, side, cut=self.recipe.supervision.cut)

    def _masked(self, q: Vectors, step: int) -> Tensor:
        """Expansion control (D2S): a whole batch's texts keep their own words alone, less and less often."""
        share = self.recipe.supervision.expansion_control
        if not share or not self.module.training:
            return q.kept
        chance = 1 - step / max(1.0, share * self.recipe.train.steps)
        # The same toss in all processes.
        toss = torch.rand((), generator=torch.Generator().manual_seed(step)).item()
        return q.kept * q.presence if toss < chance else q.kept

    # ---- the parts of the loss

    def _parts(self, batch: FamilyBatch, q: Vectors, d: Vectors) -> dict[str, Tensor]:
        rules, scores = self.recipe.supervision, self._scores(batch)
        documents = d.kept.unflatten(0, (-1, batch.group))
        answers = slice(0, None, batch.group)
        makers: dict[str, Callable[[], Tensor]] = {
            "contrastive": lambda: self._contrast(q.kept, documents),
            "bag_of_words": lambda: self._contrast(self._bags(q), documents),
            "margin_mse": lambda: by.margin_mse(q.kept, documents, scores[0]),
            "kl": lambda: by.distil_kl(
                by.own_scores(q.kept, documents), scores[0], rules.teacher_temperature
            ),
            "ensemble": lambda: by.distil_kl(
                by.own_scores(q.kept, documents),
                by.ensemble(scores, rules.score_scale),
                rules.teacher_temperature,
            ),
            "dense": lambda: self._dense(batch, q, d),
            "bottleneck": lambda: self._bottleneck(batch),
            "likelihood": lambda: by.query_likelihood(q.presence, d.base[answers]),
            "term_recall": lambda: by.term_recall(d.base[answers], d.presence[answers], q.presence),
        }
        return {name: makers[name]() for name in rules.terms()}

    def _contrast(self, q: Tensor, documents: Tensor) -> Tensor:
        rules, scale = self.recipe.supervision, self.module.scale
        past_q, past_d = (None, None) if self.module.past is None else self.module.past.past()
        forth = by.contrastive(q, documents, scale, in_batch=rules.in_batch, past=past_d)
        if not rules.both_ways:
            return forth
        back = by.contrastive(documents[:, 0], q[:, None], scale, in_batch=rules.in_batch, past=past_q)
        return 0.5 * (forth + back)

    def _bags(self, q: Vectors) -> Tensor:
        bags = q.base * q.presence
        return F.normalize(bags, dim=-1) if self.recipe.query.unit_length else bags

    def _scores(self, batch: FamilyBatch) -> Tensor:
        """(teachers, n, group) of all processes; empty where there is no teacher."""
        if batch.scores is None:
            return torch.zeros(0)
        return gather(batch.scores).transpose(0, 1)

    @torch.no_grad()
    def _dense_scores(self, batch: FamilyBatch) -> Tensor:
        if self._teacher is None or batch.document.pixels is None:
            raise ValueError("a dense teacher and pictures are wanted")
        texts = gather(self._teacher.texts(batch.query.texts))
        return texts @ gather(self._teacher.pictures(batch.document.pixels)).T

    def _dense(self, batch: FamilyBatch, q: Vectors, d: Vectors) -> Tensor:
        temperature = self.recipe.supervision.teacher_temperature
        return by.dense_to_sparse(q.kept, d.kept, self._dense_scores(batch), temperature)

    def _bottleneck(self, batch: FamilyBatch) -> Tensor:
        model, windows = self.module.model, batch.query.windows
        if windows is None or batch.document.pixels is None or self.module.decoder is None:
            raise ValueError("the bottleneck needs captions, pictures and a decoder")
        seen = model.read_pictures(batch.document.pixels)
        logits = pool(model.side("picture").logits(seen), None, "max")
        return bottleneck_loss(model, self.module.decoder, windows, logits)

    # ---- sparsity

    def _penalties(self, q: Tensor, d: Tensor, group: int) -> tuple[Tensor, Tensor]:
        rules = self.recipe.regulariser
        if rules.on == "unit":
            q, d = F.normalize(q, dim=-1), F.normalize(d, dim=-1)
        use_q = self._penalty(rules.query, q)
        # Answers and others by themselves, as they are drawn differently.
        use_d = torch.stack([self._penalty(rules.document, part) for part in _by_place(d, group)]).sum()
        return rules.query.weight * use_q, rules.document.weight * use_d

    def _penalty(self, rule: PenaltySection, s: Tensor) -> Tensor:
        s = above(s, rule.threshold)
        if rule.kind == "none":
            return s.new_zeros(())
        if rule.kind == "idf_flops":
            return idf_flops(s, self.module.model.idf)
        return l1(s) if rule.kind == "l1" else REGULARISERS[rule.kind](s)

    def _ramp(self, step: int) -> float:
        rule = self.recipe.regulariser
        return {"none": lambda *_: 1.0, "linear": linear_ramp, "quadratic": quadratic_ramp}[rule.ramp](
            step, rule.steps
        )

    @torch.no_grad()
    def _remember(self, batch: FamilyBatch) -> None:
        past = self.module.past
        if past is None or not self.module.training:
            return
        past.follow(self.module.model)
        answers = batch.document
        q, d = (gather(self._encode(past.copy, side)[0]) for side in (batch.query, answers))
        past.push(q, d[:: batch.group])


def encode(model: FamilyModel, side: Side, *, cut: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors, their base and the text's own terms, (n, V) each (`Vectors`)."""
    encoder: SparseEncoder = model.side(side.name)
    if side.pixels is not None:
        base = encoder(model.read_pictures(side.pixels))
        return encoder.finish(base, cut=cut), base, base.new_zeros(len(base), 0)
    seen = model.read_texts(side.name, side.texts, side.windows)
    base = encoder(seen)
    presence = (seen.counts > 0).float() if seen.counts is not None else base.new_zeros(len(base), 0)
    return encoder.finish(encoder.with_residual(base, seen), presence, cut=cut), base, presence


def _by_place(d: Tensor, group: int) -> list[Tensor]:
    return [d[place::group] for place in range(group)]


def _words(s: Tensor) -> float:
    return float((s.detach() > 0).sum(dim=1).float().mean())
