"""Supervision and regularisers against numbers worked out by hand."""

import math

import pytest
import torch

from lexiscope.training import supervision as by
from lexiscope.training.losses import above, idf_flops, l1, linear_ramp

Q = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
D = torch.tensor([[[2.0, 0.0], [1.0, 5.0]], [[0.0, 3.0], [4.0, 1.0]]])  # own scores 2, 1 and 3, 1


def test_contrastive_counts_own_others_batch_and_past():
    alone = by.contrastive(Q, D, 1.0, in_batch=False, past=None)
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))) / 2
    assert alone.item() == pytest.approx(expected)
    scores = torch.tensor([[2.0, 1, 0, 4], [0, 5, 3, 1]])
    both = -(scores.log_softmax(1)[0, 0] + scores.log_softmax(1)[1, 2]) / 2
    assert by.contrastive(Q, D, 1.0, in_batch=True, past=None).item() == pytest.approx(both.item())
    past = torch.tensor([[7.0, 7.0]])
    longer = torch.cat([scores, torch.full((2, 1), 7.0)], 1).log_softmax(1)
    wanted = -(longer[0, 0] + longer[1, 2]) / 2
    assert by.contrastive(Q, D, 1.0, in_batch=True, past=past).item() == pytest.approx(wanted.item())


def test_margin_mse():
    teacher = torch.tensor([[9.0, 5.0], [1.0, 1.0]])  # margins 4 and 0, ours 1 and 2
    assert by.margin_mse(Q, D, teacher).item() == pytest.approx((9 + 4) / 2)


def test_kl_is_nothing_where_student_and_teacher_agree_and_positive_else():
    same = torch.tensor([[1.0, 2.0]])
    assert by.distil_kl(same, same).item() == pytest.approx(0.0, abs=1e-7)
    p = torch.tensor([0.5, 0.5])
    q = torch.tensor([1.0, 3.0]).log()[None]  # shares 1/4, 3/4
    expected = (p * (p / torch.tensor([0.25, 0.75])).log()).sum()
    assert by.distil_kl(q, torch.zeros(1, 2)).item() == pytest.approx(expected.item())


def test_an_ensemble_is_the_mean_of_scaled_teachers():
    teachers = torch.tensor([[[0.0, 10.0, 5.0]], [[-1.0, -3.0, -2.0]]])
    torch.testing.assert_close(
        by.ensemble(teachers, 30.0), torch.tensor([[15.0, 15.0, 15.0]]), atol=1e-4, rtol=0
    )


def test_dense_to_sparse_divides_the_teachers_scores_alone():
    dense = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    got = by.dense_to_sparse(Q, D[:, 0], dense, 0.001)  # the teacher is all but certain: plain InfoNCE
    scores = Q @ D[:, 0].T
    hard = -(scores.log_softmax(1).diagonal() + scores.T.log_softmax(1).diagonal()).mean() / 2
    assert got.item() == pytest.approx(hard.item(), rel=1e-5)


def test_likelihood_and_term_recall():
    presence, logits = torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[0.0, 0.0, math.log(2.0)]])
    assert by.query_likelihood(presence, logits).item() == pytest.approx(
        -(math.log(0.25) + math.log(0.5)) / 2
    )
    weights, document = torch.tensor([[0.5, 9.0, 0.0]]), torch.tensor([[1.0, 0.0, 1.0]])
    assert by.term_recall(weights, document, presence).item() == pytest.approx((0.25 + 1.0) / 2)


def test_regularisers():
    s = torch.tensor([[1.0, 0.0, 3.0], [1.0, 2.0, 0.0]])
    assert l1(s).item() == pytest.approx(3.5)
    assert idf_flops(s, torch.tensor([2.0, 1.0, 1.0])).item() == pytest.approx(0.5 + 1.0 + 2.25)
    assert above(s, 2).abs().sum().item() == 0.0
    assert torch.equal(above(s, 1), s)
    assert [linear_ramp(t, 10) for t in (0, 5, 20)] == [0.0, 0.5, 1.0]
