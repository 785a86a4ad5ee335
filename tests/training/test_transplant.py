"""Rows for words that a language model lacks."""

import pytest
import torch

from lexiscope.errors import RecipeError
from lexiscope.training.transplant import omp, ridge, transplant


class Tokenizer:
    """Words it knows whole; others in letters."""

    def __init__(self, whole):
        self.ids = {word: number for number, word in enumerate(whole)}
        self.letters = {sign: len(whole) + n for n, sign in enumerate("abcdefghijklmnopqrstuvwxyz0123456789")}

    def __call__(self, text, **_):
        bare = text.strip()
        if text.startswith(" ") and bare in self.ids:
            return {"input_ids": [self.ids[bare]]}
        return {"input_ids": [self.letters[sign] for sign in bare]}


def spaces(n=80, lacking=10):
    """A donor space, and a model's that is a linear map of it."""
    generator = torch.Generator().manual_seed(0)
    words = [f"w{number}" for number in range(n)]
    donor = torch.randn(n, 12, generator=generator)
    truth = donor @ torch.randn(12, 8, generator=generator)
    tokenizer = Tokenizer(words[lacking:])
    rows = torch.cat([truth[lacking:], torch.randn(36, 8, generator=generator)])
    return words, donor, truth, tokenizer, rows


def test_whole_words_are_copied_and_others_are_the_mean_of_their_tokens():
    words, _, truth, tokenizer, rows = spaces()
    made = transplant(words, tokenizer, rows, method="mean")
    torch.testing.assert_close(made.rows[10:], truth[10:])
    parts = rows[[tokenizer.letters["w"], tokenizer.letters["3"]]].mean(dim=0)
    torch.testing.assert_close(made.rows[3], parts)
    assert made.copied == 70


def test_auto_chooses_by_what_was_held_out():
    words, donor, truth, tokenizer, rows = spaces()
    made = transplant(words, tokenizer, rows, donor=donor)
    assert made.method == max(made.overlap, key=made.overlap.get) != "mean"
    assert set(made.overlap) == {"mean", "ridge", "omp"}
    torch.testing.assert_close(made.rows[:10], truth[:10], atol=0.3, rtol=0.1)


def test_both_maps_find_a_linear_relation():
    _, donor, truth, _, _ = spaces()
    for fit in (ridge, omp):
        got = fit(donor[10:], truth[10:], donor[:10])
        assert torch.cosine_similarity(got, truth[:10]).min() > 0.99


def test_a_map_without_a_donor_is_refused():
    words, _, _, tokenizer, rows = spaces()
    with pytest.raises(RecipeError, match="donor"):
        transplant(words, tokenizer, rows, method="ridge")
    assert transplant(words, tokenizer, rows).method == "mean"
