"""The encoders against numbers worked out by hand."""

import math

import pytest
import torch
from torch import nn

from lexiscope.head import activate
from lexiscope.sparse_encoders import CodebookProjector, EncoderConfig, Reading, SparseEncoder, TokenProjector


def identity(terms):
    decoder = nn.Linear(terms, terms, bias=False)
    decoder.weight.data = torch.eye(terms)
    return TokenProjector([], decoder, torch.arange(terms))


@pytest.mark.parametrize(
    ("name", "at_two", "below"),
    [
        ("elu1p", 3.0, math.exp(-1.0)),
        ("relu", 2.0, 0.0),
        ("log1p_relu", math.log(3), 0.0),
        ("double_log1p", math.log(1 + math.log(3)), 0.0),
        ("log1p_softplus", math.log(1 + math.log(1 + math.exp(2))), math.log(1 + math.log(1 + math.exp(-1)))),
    ],
)
def test_activations(name, at_two, below):
    got = activate(torch.tensor([2.0, -1.0]), name)
    torch.testing.assert_close(got, torch.tensor([at_two, below]))


def test_binary_and_idf_weigh_what_stands_there():
    seen = Reading(counts=torch.tensor([[2.0, 0.0, 1.0]]))
    assert SparseEncoder(EncoderConfig("binary", scale=0.5), 3)(seen).tolist() == [[0.5, 0.0, 0.5]]
    idf = SparseEncoder(EncoderConfig("idf"), 3, idf=torch.tensor([1.0, 5.0, 2.0]))
    assert idf(seen).tolist() == [[1.0, 0.0, 2.0]]
    assert not idf.idf.requires_grad


@pytest.mark.parametrize(("pooling", "expected"), [("max", [3.0, 0.0, 1.0]), ("sum", [5.0, 0.0, 1.0])])
def test_an_mlp_weighs_the_tokens_and_a_repeat_is_pooled(pooling, expected):
    encoder = SparseEncoder(EncoderConfig("mlp", activation="relu", pooling=pooling), 3, 1)
    encoder.scorer.weight.data.fill_(1.0)
    encoder.scorer.bias.data.zero_()
    states = torch.tensor([[[9.0], [2.0], [3.0], [1.0], [-4.0]]])
    terms = torch.tensor([[-1, 0, 0, 2, 1]])  # the first stands for no term
    assert encoder(Reading(torch.ones(1, 3), states, None, terms)).tolist() == [expected]


def test_a_head_takes_the_loudest_position_that_is_pooled():
    encoder = SparseEncoder(EncoderConfig("head", activation="log1p_relu"), 2, 2, projector=identity(2))
    states = torch.tensor([[[9.0, 9.0], [1.0, -1.0], [3.0, -2.0]]])
    pooled = torch.tensor([[False, True, True]])  # an echo: the first copy is not looked at
    got = encoder(Reading(states=states, pooled=pooled))
    torch.testing.assert_close(got, torch.tensor([[math.log(4), 0.0]]))
    last = SparseEncoder(
        EncoderConfig("head", pooling="last", activation="relu"), 2, 2, projector=identity(2)
    )
    assert last(Reading(states=states, pooled=torch.tensor([[True, True, False]]))).tolist() == [[1.0, 0.0]]
    cls = SparseEncoder(EncoderConfig("cls", activation="relu"), 2, 2, projector=identity(2))
    assert cls(Reading(states=states, pooled=pooled)).tolist() == [[9.0, 9.0]]
    summed = SparseEncoder(
        EncoderConfig("head", pooling="sum", activation="relu"), 2, 2, projector=identity(2)
    )
    assert summed(Reading(states=states, pooled=pooled)).tolist() == [[4.0, 0.0]]


def test_epic_gates_positions_and_texts():
    config = EncoderConfig("head", activation="relu", importance=True, quality=True)
    encoder = SparseEncoder(config, 2, 2, projector=identity(2))
    for layer in (encoder.importance, encoder.quality):
        layer.weight.data.zero_()
        layer.bias.data.zero_()
    gate = math.log(1 + math.log(2))  # log1p(softplus(0)); sigmoid(0) is a half
    got = encoder(Reading(states=torch.tensor([[[2.0, 0.0], [1.0, 4.0]]])))
    torch.testing.assert_close(got, torch.tensor([[2.0, 4.0]]) * gate / 2)


def test_prospers_literal_residual():
    encoder = SparseEncoder(
        EncoderConfig("head", literal="residual", activation="relu"), 3, 3, projector=identity(3)
    )
    encoder.residual.weight.data.zero_()
    encoder.residual.bias.data = torch.tensor([0.5, 2.0, -1.0])  # w'
    seen = Reading(torch.tensor([[1.0, 0.0, 3.0]]), torch.zeros(1, 1, 3))
    got = encoder.with_residual(torch.tensor([[1.0, 1.0, 1.0]]), seen)
    assert got.tolist() == [[2.5, 1.0, 4.0]]  # w + I (max(w') - w')


def test_cuts_masks_and_lengths():
    weights, presence = torch.tensor([[3.0, 4.0, 1.0]]), torch.tensor([[1.0, 0.0, 1.0]])
    window = SparseEncoder(EncoderConfig("binary", keep="top_k", top_k=2, unit_length=True), 3)
    torch.testing.assert_close(window.finish(weights), torch.tensor([[0.6, 0.8, 0.0]]))
    whole = window.finish(weights, cut=False)
    torch.testing.assert_close(whole, weights / math.sqrt(26))
    masked = SparseEncoder(EncoderConfig("binary", literal="mask"), 3)
    assert masked.finish(weights, presence).tolist() == [[3.0, 0.0, 1.0]]


def test_a_token_projector_picks_rows_and_a_codebook_has_its_own():
    decoder = nn.Linear(2, 4)
    states = torch.randn(1, 3, 2)
    some = TokenProjector([nn.GELU()], decoder, torch.tensor([3, 1]))(states)
    torch.testing.assert_close(some, decoder(nn.GELU()(states))[..., [3, 1]])
    book = CodebookProjector(2, torch.ones(5, 6), adapter="attention", frozen=True)
    assert book(states).shape == (1, 3, 5)
    assert not book.codebook.requires_grad and book.bias.requires_grad


def test_states_in_the_codebooks_own_space_meet_its_rows_with_nothing_in_between():
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, -1.0]])
    book = CodebookProjector(2, rows, adapter="none", frozen=True)
    assert book(torch.tensor([[[3.0, 0.5]]])).tolist() == [[[3.0, 1.0, 2.5]]]  # z·Zᵀ
    assert not any(parameter.requires_grad for parameter in book.parameters())
