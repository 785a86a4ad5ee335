"""The text tower on a tiny Llama in transformers' hub format."""

import pytest
import torch

from lexiscope.errors import ModelError
from lexiscope.text.tower import LEXVLA_PROMPT, TextConfig, TextTower

TEXTS = ["a dog", "two children play with a red ball in the park", ""]


@pytest.fixture(scope="module")
def tower(language_folder):
    return TextTower.from_pretrained(language_folder, max_length=16)[0].eval()


def test_states_are_the_language_models(tower, language_folder):
    from transformers import AutoModelForCausalLM

    full = AutoModelForCausalLM.from_pretrained(language_folder).eval()
    ids, mask, _ = tower.tokenize(["a dog runs on the beach"])
    with torch.no_grad():
        torch.testing.assert_close(tower(ids, mask), full(ids, output_hidden_states=True).hidden_states[-1])


def test_padding_changes_nothing(tower):
    ids, mask, owners = tower.tokenize(TEXTS)
    assert owners.tolist() == [0, 1, 2]
    with torch.no_grad():
        together = tower(ids, mask)
        for row, text in enumerate(TEXTS[:2]):
            alone_ids, alone_mask, _ = tower.tokenize([text])
            alone = tower(alone_ids, alone_mask)[0]
            torch.testing.assert_close(together[row, : len(alone)], alone, atol=1e-5, rtol=1e-5)


def test_a_long_text_is_cut_into_windows_and_nothing_is_lost(tower):
    text = " ".join(f"dog{n}" for n in range(40))
    ids, mask, owners = tower.tokenize([text, "a dog"])
    whole = tower.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert ids[owners == 0][mask[owners == 0]].tolist() == whole
    assert ids.shape[1] <= 16


def test_the_prompt_surrounds_every_window(language_folder):
    tower = TextTower.from_pretrained(language_folder, prompt=LEXVLA_PROMPT)[0]
    ids, mask, _ = tower.tokenize(["a dog"])
    read = tower.tokenizer.decode(ids[0][mask[0]])
    bare = read.replace(" ", "")  # the tokenizer puts a space before every word
    assert bare.endswith('thefocusof"adog"liesonimportantwords:')
    assert bare.count("thefocusof") == 2


def test_output_rows_come_with_the_tower(language_folder):
    tower, rows = TextTower.from_pretrained(language_folder)
    assert rows.shape == (len(tower.tokenizer), tower.width)


def test_a_tower_is_built_again_from_its_configuration(tower):
    again = TextTower(TextConfig(**tower.config.to_dict()), tower.tokenizer).eval()
    again.load_state_dict(tower.state_dict())
    ids, mask, _ = tower.tokenize(["a dog"])
    torch.testing.assert_close(again(ids, mask), tower(ids, mask))


def test_what_is_no_language_model_says_so(tmp_path):
    with pytest.raises(ModelError, match="no causal language model"):
        TextTower.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match="text tower"):
        TextTower(TextConfig({"model_type": "no-such-model"}), None)
