"""A slowly following copy of the encoders, and a queue of the vectors it gave (MoCo; LexLIP's second phase).

θ_m ← m θ_m + (1 - m) θ         after each step
queue ← the batch's vectors by θ_m, the oldest ones out
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from lexiscope.family import FamilyModel


class Momentum(nn.Module):
    """The copy and both queues; all of it is in the checkpoint.

    Args:
        model: what is trained.
        size: vectors a queue keeps.
        momentum: m.
    """

    questions: Tensor
    documents: Tensor
    filled: Tensor

    def __init__(self, model: FamilyModel, size: int, momentum: float) -> None:
        super().__init__()
        self.copy = deepcopy(model).requires_grad_(False)
        self.size, self.momentum = size, momentum
        terms = len(model.vocabulary)
        self.register_buffer("questions", torch.zeros(size, terms))
        self.register_buffer("documents", torch.zeros(size, terms))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def follow(self, model: FamilyModel) -> None:
        """Move the copy towards the model."""
        for slow, fast in zip(self.copy.parameters(), model.parameters(), strict=True):
            slow.lerp_(fast.detach(), 1 - self.momentum)

    def past(self) -> tuple[Tensor, Tensor]:
        """Questions and documents that the queues hold, (m, V) each."""
        m = min(int(self.filled), self.size)
        return self.questions[:m].clone(), self.documents[:m].clone()

    @torch.no_grad()
    def push(self, questions: Tensor, documents: Tensor) -> None:
        """Put a batch's vectors (n, V) in the place of the oldest; n divides the queue's size."""
        n, start = len(questions), int(self.filled) % self.size
        self.questions[start : start + n] = questions
        self.documents[start : start + n] = documents
        self.filled += n
