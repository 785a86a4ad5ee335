"""The lexicon bottleneck against hand-computed numbers."""

import math

import pytest
import torch

from lexiscope.head import HeadConfig, LexiconHead, activate, pool, sparsify


def test_activations():
    x = torch.tensor([-1.0, 0.0, 2.0])
    torch.testing.assert_close(activate(x, "elu1p"), torch.tensor([math.exp(-1), 1.0, 3.0]))
    torch.testing.assert_close(activate(x, "log1p_relu"), torch.tensor([0.0, 0.0, math.log(3)]))


@pytest.mark.parametrize(
    ("pooling", "expected"), [("max", [[2.0, 5.0]]), ("sum", [[3.0, 8.0]]), ("last", [[2.0, 3.0]])]
)
def test_pooling_ignores_masked_positions(pooling, expected):
    values = torch.tensor([[[1.0, 5.0], [2.0, 3.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    assert pool(values, mask, pooling).tolist() == expected


def test_threshold_is_one_over_root_v_of_the_unit_vector():
    kept = sparsify(torch.tensor([[3.0, 4.0, 0.5]]), "threshold", top_k=1, vocabulary=4)
    assert kept.tolist() == [[3.0, 4.0, 0.0]]  # 0.5 / 5.02 < 1/2; 3 / 5.02 > 1/2


def test_top_k_keeps_the_heaviest():
    weights = torch.tensor([[1.0, 3.0, 2.0]])
    assert sparsify(weights, "top_k", top_k=2, vocabulary=3).tolist() == [[0.0, 3.0, 2.0]]
    assert sparsify(weights, "top_k", top_k=9, vocabulary=3).tolist() == weights.tolist()
    assert weights.tolist() == [[1.0, 3.0, 2.0]]  # the input is left alone


def test_a_neck_is_a_norm_and_a_linear_map_before_the_adapter():
    torch.manual_seed(0)
    head = LexiconHead(HeadConfig(8, 4, 10, neck=6, hidden=5), torch.arange(10))
    states = torch.randn(2, 3, 8)
    features = torch.nn.functional.layer_norm(states, (8,)) @ head.neck[1].weight.T + head.neck[1].bias
    torch.testing.assert_close(head.weights(states), head.weights_of_features(features))
    assert head.loudest(features).shape == (2, 10)


@pytest.mark.parametrize("activation", ["elu1p", "log1p_relu"])
def test_pooling_before_the_activation_changes_nothing(activation):
    torch.manual_seed(0)
    head = LexiconHead(HeadConfig(8, 4, 10, activation=activation, hidden=6), torch.arange(10))
    states, mask = torch.randn(3, 5, 8), torch.rand(3, 5) > 0.3
    mask[:, 0] = True
    expected = pool(activate(head.logits(states), activation), mask, "max")
    torch.testing.assert_close(head.weights(states, mask), expected)


def test_the_codebook_starts_from_the_rows_given():
    rows = torch.randn(10, 4)
    head = LexiconHead(HeadConfig(8, 4, 10), torch.arange(10), rows)
    torch.testing.assert_close(head.codebook.data, torch.nn.functional.normalize(rows, dim=-1))
