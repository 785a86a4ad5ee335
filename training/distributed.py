"""Several processes (torchrun) as if they were one with a batch as large.

Each process encodes its share of the batch; the vectors are gathered everywhere, with their gradients, and
every
process computes the whole loss. What flows back into a process's share is the sum over all processes of what
they make of it; the mean over processes of the parameters' gradients is then that of one process alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn

from lexiscope.errors import RecipeError

_PATIENCE = timedelta(hours=12)  # one process decodes the pictures or evaluates while the others wait


def start() -> torch.device:
    """Join the other processes where torchrun has started several; the device of this one."""
    cuda = torch.cuda.is_available()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo", timeout=_PATIENCE)
    if not cuda:
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def rank() -> int:
    """This process's number."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Wait for the others."""
    if dist.is_initialized():
        dist.barrier()


@contextmanager
def in_turn() -> Iterator[None]:
    """The first process goes alone through what is inside; then the others, who find what it has written."""
    if rank() > 0:
        wait()
    yield
    if rank() == 0:
        wait()


def own(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """This process's rows of a step's batch, as many as every other's.

    Raises:
        RecipeError: the processes cannot share them evenly.
    """
    if len(rows) % world():
        raise RecipeError(f"batch: {len(rows)} rows are no multiple of the {world()} processes; change it")
    return rows[rank() :: world()]


def leave() -> None:
    """Part from the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def gather(part: Tensor) -> Tensor:
    """All processes' rows (world · n, …), in the order of the processes; gradients flow back to each."""
    if world() == 1:
        return part
    found: Tensor = _Gather.apply(part.contiguous())  # type: ignore[no-untyped-call]
    return found


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, part: Tensor) -> Tensor:
        parts = [torch.empty_like(part) for _ in range(world())]
        dist.all_gather(parts, part)
        ctx.rows = len(part)  # type: ignore[attr-defined]
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        whole = gradient.contiguous()
        dist.all_reduce(whole)
        n: int = ctx.rows  # type: ignore[attr-defined]
        return whole[rank() * n : (rank() + 1) * n]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every process the mean of all processes' gradients; one that a process lacks counts as zero."""
    if world() == 1:
        return
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        whole = parameter.grad.contiguous()  # convolutions may have their channels last
        dist.all_reduce(whole)
        parameter.grad.copy_(whole / world())


@torch.no_grad()
def same_everywhere(module: nn.Module) -> None:
    """Give every process the first one's weights."""
    if world() == 1:
        return
    for tensor in module.state_dict().values():
        whole = tensor.contiguous()
        dist.broadcast(whole, 0)
        tensor.copy_(whole)
