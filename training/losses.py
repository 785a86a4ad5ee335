"""Losses and regularisers of lexical retrieval; s is a batch of lexical vectors (n, terms)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(left: Tensor, right: Tensor, scale: Tensor | float, owners: Tensor | None = None) -> Tensor:
    """Symmetric InfoNCE of matching rows, the mean of both directions (CLIP, LexVLA).

    Args:
        left: (n, terms) vectors.
        right: (n, terms) vectors; row i belongs to row i of `left`.
        scale: 1 / temperature.
        owners: (n,) what each row is of; rows of the same (two captions of one picture) are no
            negatives of one another. None: all differ.
    """
    scores = similarities(left, right, scale)
    target = torch.arange(len(left), device=left.device)
    if owners is not None:
        twins = (owners[:, None] == owners[None, :]) & (target[:, None] != target[None, :])
        scores = scores.masked_fill(twins, float("-inf"))
    return 0.5 * (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target))


def soft_targets(scores: Tensor, wanted: Tensor) -> Tensor:
    """How far a matrix of similarities is from a teacher's, the mean of both directions (TinyCLIP).

        ½ [ KL( softmax(wanted) ‖ softmax(scores) ) + the same of the transposed matrices ]

    Args:
        scores: (n, n) over the temperature.
        wanted: (n, n) the teacher's, over its own.
    """
    pairs = ((scores, wanted), (scores.T, wanted.T))
    ways = [F.kl_div(F.log_softmax(a, dim=1), F.softmax(b, dim=1), reduction="batchmean") for a, b in pairs]
    return 0.5 * (ways[0] + ways[1])


def similarities(left: Tensor, right: Tensor, scale: Tensor | float) -> Tensor:
    """Scaled products of all rows (n, terms) with all (m, terms), (n, m) float32."""
    with torch.autocast(left.device.type, enabled=False):  # bf16 has too few digits for scale times a cosine
        return scale * left.float() @ right.float().T


def word_loss(logits: Tensor, presence: Tensor, worth: Tensor) -> Tensor:
    """Cross-entropy of a picture's words with those of its caption, each counted by its worth.

        - Σ_j q_j log softmax(logits)_j ,   q_j = worth_j presence_j / Σ_k worth_k presence_k

    A caption is a list of labels: every picture learns from its own words, however small the batch
    (SuperClass, Huang et al. 2024, formula 2, with worth_j = the inverse document frequency).

    Args:
        logits: (n, terms) of the pictures.
        presence: (n, terms), 1 where a term stands in the caption; or, of several captions, how often.
        worth: (terms,) positive.
    """
    wanted = presence * worth
    wanted = wanted / wanted.sum(dim=1, keepdim=True).clamp(min=1e-6)
    return -(wanted * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def flops(s: Tensor) -> Tensor:
    """FLOPS regulariser: Σ_j ( (1/N) Σ_i s_ij )²  (SPLADE; LexLIP)."""
    return s.mean(dim=0).square().sum()


def overuse(s: Tensor) -> Tensor:
    """Overuse penalty: V · Σ_j [ s̄_j / Σ_k s̄_k ] · s̄_j²,  s̄_j = (1/N) Σ_i s_ij  (LexVLA).

    Weighs each term's FLOPS by its share of all mass, so that a few words that fire for everything
    cost more than many that fire seldom.
    """
    mean = s.mean(dim=0)
    return s.shape[1] * (mean / mean.sum().clamp(min=1e-9) * mean.square()).sum()


def l1(s: Tensor) -> Tensor:
    """Mean sum of a vector's weights: (1/N) Σ_i Σ_j |s_ij|  (D2S, sparse autoencoders)."""
    return s.abs().sum(dim=1).mean()


def idf_flops(s: Tensor, idf: Tensor) -> Tensor:
    """FLOPS, every term's part divided by its inverse document frequency: Σ_j ( (1/N) Σ_i s_ij )² / idf_j.

    Our reading of the "IDF-aware FLOPS loss" of the inference-free retrievers (Geng et al. 2024): words that
    tell much are held back less. The paper's own formula was not at hand.
    """
    return (s.mean(dim=0).square() / idf.clamp(min=1e-3)).sum()


def above(s: Tensor, threshold: int) -> Tensor:
    """ℓ0 threshold: rows with at most so many non-zero weights cost nothing (their weights become zero)."""
    if threshold <= 0:
        return s
    return s * ((s > 0).sum(dim=1, keepdim=True) > threshold)


REGULARISERS = {"flops": flops, "overuse": overuse}


def linear_ramp(step: int, length: int) -> float:
    """min(t, T) / T, from 0 to 1 over the first T steps."""
    return 1.0 if length <= 0 else min(step, length) / length


def quadratic_ramp(step: int, length: int) -> float:
    """(min(t, T) / T)², from 0 to 1 over the first T steps (SPLADE, LexVLA)."""
    return linear_ramp(step, length) ** 2
