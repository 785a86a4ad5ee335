"""What a batch of texts or pictures is learned from.

q are the questions' vectors (n, V), d those of their documents (n, g, V): of each question's g documents the
first is the answer. s = q·d are scores, t a teacher's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def own_scores(q: Tensor, d: Tensor) -> Tensor:
    """Scores (n, g) of each question's own documents."""
    return torch.einsum("nv,ngv->ng", q, d)


def contrastive(
    q: Tensor, d: Tensor, scale: Tensor | float, *, in_batch: bool, past: Tensor | None
) -> Tensor:
    """InfoNCE of a question's answer against its other documents, the batch's, and past ones.

        -log exp(s q·d⁺) / Σ exp(s q·d)

    Args:
        q: (n, V).
        d: (n, g, V).
        scale: 1 / temperature.
        in_batch: whether the documents of other questions count.
        past: (m, V) documents of a momentum queue.
    """
    n, g, _ = d.shape
    if in_batch:
        scores = q @ d.flatten(0, 1).T
        target = torch.arange(n, device=q.device) * g
    else:
        scores = own_scores(q, d)
        target = torch.zeros(n, dtype=torch.long, device=q.device)
    if past is not None and len(past):
        scores = torch.cat([scores, q @ past.T], dim=1)
    return F.cross_entropy(scale * scores, target)


def margin_mse(q: Tensor, d: Tensor, teacher: Tensor) -> Tensor:
    """( (s⁺ - s⁻) - (t⁺ - t⁻) )², mean over the others (Hofstätter et al. 2020).

    Args:
        q: (n, V).
        d: (n, g, V).
        teacher: (n, g).
    """
    scores = own_scores(q, d)
    return F.mse_loss(scores[:, :1] - scores[:, 1:], teacher[:, :1] - teacher[:, 1:])


def distil_kl(scores: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """KL( softmax(t/T) ‖ softmax(s/T) ) over each question's documents, (n, g) both; mean over questions."""
    return F.kl_div(
        torch.log_softmax(scores / temperature, dim=1),
        torch.softmax(teacher / temperature, dim=1),
        reduction="batchmean",
    )


def ensemble(teachers: Tensor, score_scale: float) -> Tensor:
    """Heterogeneous teachers as one: each brought to 0..1 over a question's documents, their mean scaled.

        t̂ = (t - min) / (max - min + 10⁻⁶),    score_scale · mean over teachers of t̂     (Geng et al. 2024)

    Args:
        teachers: (teachers, n, g).
        score_scale: 30 in the paper.
    """
    low, high = teachers.amin(dim=2, keepdim=True), teachers.amax(dim=2, keepdim=True)
    return score_scale * ((teachers - low) / (high - low + 1e-6)).mean(dim=0)


def dense_to_sparse(q: Tensor, d: Tensor, dense: Tensor, temperature: float) -> Tensor:
    """½ [ CE(s, softmax(t/τ)) over rows + over columns ]: the batch's scores learn the dense ones (D2S).

    Args:
        q: (n, V).
        d: (n, V) pictures in the same order.
        dense: (n, n) scores of the dense model.
        temperature: τ; it divides the teacher's scores alone.
    """
    scores, target = q @ d.T, dense / temperature
    rows = F.cross_entropy(scores, target.softmax(dim=1))
    columns = F.cross_entropy(scores.T, target.T.softmax(dim=1))
    return 0.5 * (rows + columns)


def query_likelihood(presence: Tensor, logits: Tensor) -> Tensor:
    """Mean negative log likelihood of the question's terms under softmax(document's logits)  (TILDE).

    Args:
        presence: (n, V) 1 where a term stands in the question.
        logits: (n, V) of its answer.
    """
    shares = presence / presence.sum(dim=1, keepdim=True).clamp(min=1)
    return -(shares * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()


def term_recall(weights: Tensor, document: Tensor, question: Tensor) -> Tensor:
    """Mean squared error of a document's term weights to whether the question has the term  (DeepCT).

    DeepCT's target is the share of a document's questions that have the term; over training, the mean of
    these.

    Args:
        weights: (n, V).
        document: (n, V), 1 where a term stands in the document.
        question: (n, V), 1 where it stands in the question.
    """
    error = (weights - question).square() * document
    return error.sum() / document.sum().clamp(min=1)
