"""The one training loop: any stage, CPU or GPU, resumable to the bit.

A stage draws its batch from the step's number alone, so that a resumed run sees the same batches as
one that was never stopped; the rest of the state (weights, optimiser, step) is in the checkpoint.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm.auto import tqdm

from lexiscope.errors import RecipeError, printable
from lexiscope.precision import bf16_where_quicker
from lexiscope.training.distributed import average_gradients, rank, same_everywhere, wait, world

#: What a stage logs; a tensor is read when the step is over, for a device must not be waited for before.
Figures = dict[str, Tensor | float]


class Stage(Protocol):
    """What the loop trains."""

    @property
    def module(self) -> nn.Module:
        """What is trained, with everything that its checkpoint must hold."""

    def batch(self, step: int) -> Any:  # noqa: ANN401
        """The batch of a step; depends on nothing but the step."""

    def loss(self, batch: Any, step: int) -> tuple[Tensor, Mapping[str, Tensor | float]]:  # noqa: ANN401
        """The loss to minimise, and figures to log."""

    def evaluate(self) -> dict[str, float]:
        """Figures on held-out data; may be empty."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage trains."""

    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: int = 100  # steps of linear warm-up
    cooldown: int = 0  # last steps, of a linear way down; 0: a cosine down from the warm-up
    clip: float = 1.0  # largest norm of the gradient
    precision: str = "bf16"  # autocast type of the forward pass, where the device has it; or "fp32"
    average: float = 0.0  # decay of the exponential moving average of the weights; 0 keeps none
    save_every: int = 200  # steps between checkpoints
    evaluate_every: int = 1000  # steps between evaluations
    log_every: int = 20  # steps between lines of metrics.jsonl
    save_frozen: bool = True  # whether checkpoints hold what is not trained; a large frozen tower need not be

    def rate(self, step: int) -> float:
        """Learning rate at a step.

        A linear warm-up, then a cosine down to nothing; or, with a `cooldown`, the full rate until a last,
        linear way down. Such a run can be made longer afterwards from any checkpoint before its cooldown
        (warm-up, stable, decay: Hu et al., "MiniCPM", 2024, section 4).
        """
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        if self.cooldown:
            return self.learning_rate * min(1.0, (self.steps - step) / self.cooldown)
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def fit(
    stage: Stage, schedule: Schedule, folder: Path, *, device: torch.device, resume: bool = False
) -> None:
    """Train a stage to the end of its schedule; its module then holds the (averaged) weights.

    Args:
        stage: what to train.
        schedule: steps, rates, precision.
        folder: keeps `checkpoint/` and `metrics.jsonl`.
        device: where the module is.
        resume: go on from the folder's checkpoint, where there is one.

    Raises:
        RecipeError: the loss or its gradient is no longer a number; the last good state is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainer = _Trainer(stage, schedule, folder, device)
    first = trainer.restore() if resume else 0
    alone = rank() == 0  # one process writes
    if first == 0 and alone:
        (folder / "metrics.jsonl").unlink(missing_ok=True)
    bar = tqdm(
        range(first, schedule.steps),
        initial=first,
        total=schedule.steps,
        desc=folder.name,
        disable=None if alone else True,
    )
    for step in bar:
        figures = trainer.step(step)
        last = step + 1 == schedule.steps
        if alone and ((step + 1) % schedule.log_every == 0 or last or step == 0):
            bar.set_postfix({name: f"{value:.3f}" for name, value in list(figures.items())[:4]})
            _log(folder, {"step": step + 1, **figures})
        if alone and ((step + 1) % schedule.save_every == 0 or last):
            trainer.save(step + 1)
        if alone and ((step + 1) % schedule.evaluate_every == 0 or last):
            trainer.evaluate(step + 1)
        if (step + 1) % schedule.save_every == 0 or last:
            wait()
    trainer.finish()


def load_trained(module: nn.Module, folder: Path) -> None:
    """Load what `fit` kept in a stage's folder: the (averaged) weights.

    Raises:
        RecipeError: there is no checkpoint, or it is of another module.
    """
    kept = folder / "checkpoint"
    if not (kept / "model.safetensors").is_file():
        raise RecipeError(f"{folder}: holds no checkpoint of this stage; name a run that has trained it")
    weights = load_file(kept / "model.safetensors") | load_file(kept / "average.safetensors")
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise RecipeError(f"{folder}: was trained for other towers than the recipe's ({reason})") from error


class _Trainer:
    """Optimiser, autocast, moving average and checkpoint of one stage."""

    def __init__(self, stage: Stage, schedule: Schedule, folder: Path, device: torch.device) -> None:
        self.stage, self.schedule, self.folder, self.device = stage, schedule, folder, device
        same_everywhere(stage.module)
        self.parameters = {n: p for n, p in stage.module.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.AdamW(
            _groups(self.parameters, schedule.weight_decay), betas=(0.9, 0.98), fused=device.type == "cuda"
        )
        self.averaged = {**self.parameters, **_statistics(stage.module)} if schedule.average else {}
        self.mean = {name: tensor.detach().clone() for name, tensor in self.averaged.items()}

    def step(self, step: int) -> dict[str, float]:
        started = time.perf_counter()
        torch.manual_seed(step * world() + rank())  # dropout and augmentation repeat after a resume
        _train(self.stage.module)
        rate = self.schedule.rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = self.stage.batch(step)
        with self._autocast():
            loss, figures = self.stage.loss(batch, step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.parameters.values())
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), self.schedule.clip)
        self._stop_unless_finite("loss", loss.item(), step)
        self._stop_unless_finite("norm of the gradient", norm.item(), step)
        self.optimizer.step()
        self._average(step)
        seconds = time.perf_counter() - started
        found = {"loss": loss, **figures, "rate": rate, "norm": norm, "seconds": seconds}
        return {name: float(torch.as_tensor(value).detach()) for name, value in found.items()}

    def _stop_unless_finite(self, name: str, value: float, step: int) -> None:
        """Stop before a bad number reaches the weights, which are then still those of the step before."""
        if math.isfinite(value):
            return
        if step and rank() == 0:
            self.save(step)
        kept = (
            f"the weights before it are in {printable(self.folder / 'checkpoint')}"
            if step
            else "nothing is lost"
        )
        raise RecipeError(
            f"{self.folder.name}: the {name} is {value} at step {step}; {kept}; "
            "lower learning_rate and --resume"
        )

    def evaluate(self, step: int) -> None:
        with self._averaged(), torch.no_grad():
            self.stage.module.eval()
            figures = self.stage.evaluate()
        if figures:
            _log(self.folder, {"step": step, **{f"dev/{name}": value for name, value in figures.items()}})

    def _autocast(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.schedule.precision == "fp32" else bf16_where_quicker(self.device)

    @torch.no_grad()
    def _average(self, step: int) -> None:
        decay = min(self.schedule.average, (1 + step) / (10 + step))
        if self.mean:
            now = [self.averaged[name].detach() for name in self.mean]
            torch._foreach_lerp_(list(self.mean.values()), now, 1 - decay)

    def _averaged(self) -> AbstractContextManager[None]:
        return _Swapped(self.averaged, self.mean)

    def finish(self) -> None:
        with torch.no_grad():
            for name, mean in self.mean.items():
                self.averaged[name].copy_(mean)
        self.stage.module.eval()

    def save(self, step: int) -> None:
        """Write the whole state aside, then swap it in, so that a kill leaves the old or the new one."""
        part, kept = self.folder / "checkpoint.part", self.folder / "checkpoint"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        save_file(_contiguous(self._state()), part / "model.safetensors")
        save_file(_contiguous(self.mean), part / "average.safetensors")
        save_file(_contiguous(self._moments()), part / "optimizer.safetensors")
        (part / "state.json").write_text(json.dumps({"step": step, "steps": self.schedule.steps}))
        old = self.folder / "checkpoint.old"
        shutil.rmtree(old, ignore_errors=True)
        if kept.exists():
            os.replace(kept, old)
        os.replace(part, kept)
        shutil.rmtree(old, ignore_errors=True)

    def _state(self) -> dict[str, Tensor]:
        whole = self.stage.module.state_dict()
        if self.schedule.save_frozen:
            return whole
        frozen = {name for name, p in self.stage.module.named_parameters() if not p.requires_grad}
        return {name: tensor for name, tensor in whole.items() if name not in frozen}

    def restore(self) -> int:
        kept = self.folder / "checkpoint"
        if not kept.exists():
            kept = self.folder / "checkpoint.old"  # killed between the two renames
        if not kept.exists():
            return 0
        self._load(load_file(kept / "model.safetensors"))
        for name, mean in load_file(kept / "average.safetensors").items():
            self.mean[name].copy_(mean)
        self._set_moments(load_file(kept / "optimizer.safetensors"))
        return int(json.loads((kept / "state.json").read_text())["step"])

    def _load(self, found: dict[str, Tensor]) -> None:
        try:
            _, unknown = self.stage.module.load_state_dict(found, strict=self.schedule.save_frozen)
            lost = self.parameters.keys() - found.keys() if not self.schedule.save_frozen else set()
            if unknown or lost:
                raise RuntimeError(f"{sorted(lost)[:2]} {unknown[:2]} do not fit")
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise RecipeError(
                f"{self.folder}: its checkpoint is of another recipe ({reason}); name another --out"
            ) from error

    def _moments(self) -> dict[str, Tensor]:
        found = {}
        for name, parameter in self.parameters.items():
            for key, value in self.optimizer.state[parameter].items():
                found[f"{name}/{key}"] = torch.as_tensor(value)
        return found

    @property
    def _fused(self) -> bool:
        """Whether the optimiser is one kernel, which wants its count of steps on the device too."""
        return bool(self.optimizer.defaults["fused"])

    def _set_moments(self, found: dict[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            self.optimizer.state[parameter] = {
                key: found[f"{name}/{key}"].to(self.device if key != "step" or self._fused else "cpu")
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"{name}/{key}" in found
            }


class _Swapped:
    """Puts the averaged weights in for the length of a `with` block."""

    def __init__(self, tensors: dict[str, Tensor], mean: dict[str, Tensor]) -> None:
        self.tensors, self.mean = tensors, mean

    def _swap(self) -> None:
        with torch.no_grad():
            for name, mean in self.mean.items():
                kept = self.tensors[name].detach().clone()
                self.tensors[name].copy_(mean)
                mean.copy_(kept)

    def __enter__(self) -> None:
        self._swap()

    def __exit__(self, *_: object) -> None:
        self._swap()


def _train(module: nn.Module) -> None:
    """Set all but the frozen parts to training: a frozen batch norm must keep its running statistics."""
    module.train()
    for part in module.modules():
        own = list(part.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            part.eval()


def _statistics(module: nn.Module) -> dict[str, Tensor]:
    """Running means and variances of batch norms: weights that are averaged need them averaged too."""
    return {name: tensor for name, tensor in module.named_buffers() if "running_" in name}


def _groups(parameters: dict[str, nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Matrices decay; vectors (norms, biases, scales) do not."""
    matrices = [p for p in parameters.values() if p.ndim > 1]
    vectors = [p for p in parameters.values() if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _log(folder: Path, figures: dict[str, float]) -> None:
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(figures) + "\n")


def epoch_rows(step: int, batch: int, n: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Rows of a step: every epoch visits all n rows once, in an order of its own."""
    per_epoch = max(1, n // batch)
    order = np.random.default_rng([seed, step // per_epoch]).permutation(n)
    start = (step % per_epoch) * batch
    return order[start : start + batch]
