"""Losses against numbers worked out by hand."""

import math

import pytest
import torch

from lexiscope.training.losses import (
    flops,
    info_nce,
    overuse,
    quadratic_ramp,
    similarities,
    soft_targets,
    word_loss,
)


def test_info_nce_of_two_orthogonal_pairs():
    eye = torch.eye(2)
    expected = math.log(1 + math.exp(-2.0))  # one right score of 2, one wrong of 0
    assert info_nce(eye, eye, 2.0).item() == pytest.approx(expected, rel=1e-6)


def test_info_nce_is_the_mean_of_both_directions():
    left, right = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    scores = left @ right.T
    rows = -torch.log_softmax(scores, dim=1).diagonal().mean()
    columns = -torch.log_softmax(scores, dim=0).diagonal().mean()
    assert info_nce(left, right, 1.0).item() == pytest.approx(((rows + columns) / 2).item(), rel=1e-6)


def test_two_captions_of_one_picture_are_no_negatives():
    left, right = torch.rand(3, 4), torch.rand(3, 4)
    owners = torch.tensor([7, 7, 9])
    alone = info_nce(left, right, 1.0, owners)
    scores = left @ right.T
    scores[0, 1] = scores[1, 0] = float("-inf")
    rows = -torch.log_softmax(scores, dim=1).diagonal().mean()
    columns = -torch.log_softmax(scores, dim=0).diagonal().mean()
    assert alone.item() == pytest.approx(((rows + columns) / 2).item(), rel=1e-6)
    assert torch.equal(info_nce(left, right, 1.0, torch.arange(3)), info_nce(left, right, 1.0))


def test_flops_and_overuse_by_hand():
    s = torch.tensor([[1.0, 0.0], [1.0, 2.0]])  # means 1 and 1
    assert flops(s).item() == pytest.approx(2.0)
    assert overuse(s).item() == pytest.approx(2 * (0.5 * 1 + 0.5 * 1))


def test_overuse_has_the_second_form_of_the_paper():
    s = torch.rand(5, 7)
    n, v = s.shape
    second = n * v * ((s.sum(0) / n) ** 3).sum() / s.sum()
    assert overuse(s).item() == pytest.approx(second.item(), rel=1e-5)


def test_a_shortcut_word_costs_more_than_the_same_mass_spread():
    shortcut, spread = torch.zeros(4, 4), torch.eye(4)
    shortcut[:, 0] = 1.0
    assert overuse(shortcut) > overuse(spread)
    assert overuse(torch.zeros(2, 3)).item() == 0.0


def test_the_ramp_is_quadratic_and_ends_at_one():
    assert [quadratic_ramp(t, 10) for t in (0, 5, 10, 99)] == [0.0, 0.25, 1.0, 1.0]
    assert quadratic_ramp(0, 0) == 1.0


def test_word_loss_by_hand():
    logits = torch.tensor([[0.0, math.log(2.0), math.log(5.0)]])  # softmax 1/8, 2/8, 5/8
    presence = torch.tensor([[1.0, 0.0, 1.0]])
    worth = torch.tensor([3.0, 7.0, 1.0])
    expected = -(0.75 * math.log(1 / 8) + 0.25 * math.log(5 / 8))
    torch.testing.assert_close(word_loss(logits, presence, worth), torch.tensor(expected))


def test_a_caption_without_known_words_costs_nothing():
    assert word_loss(torch.randn(2, 3), torch.zeros(2, 3), torch.ones(3)).item() == 0.0


def test_soft_targets_cost_nothing_where_they_are_met():
    torch.manual_seed(0)
    scores = torch.randn(5, 5)
    assert soft_targets(scores, scores).item() == pytest.approx(0.0, abs=1e-6)
    assert soft_targets(scores + 3.0, scores).item() == pytest.approx(
        0.0, abs=1e-6
    )  # a softmax sees no shift


def test_soft_targets_are_the_mean_of_both_directions():
    scores, wanted = torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([[3.0, 0.0], [0.0, 1.0]])

    def divergence(found, asked):
        p, q = torch.softmax(asked, dim=1), torch.softmax(found, dim=1)
        return (p * (p / q).log()).sum(dim=1).mean()

    expected = (divergence(scores, wanted) + divergence(scores.T, wanted.T)) / 2
    assert soft_targets(scores, wanted).item() == pytest.approx(expected.item(), rel=1e-5)


def test_similarities_stay_whole_under_autocast():
    left, right = torch.full((1, 3), 1.001), torch.full((2, 3), 1.003)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = similarities(left, right, 100.0)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.full((1, 2), 100 * 3 * 1.001 * 1.003))
