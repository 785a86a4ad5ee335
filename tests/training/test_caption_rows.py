"""Captions as rows: every caption once an epoch, with its picture, its tokens and its words."""

import numpy as np
import torch

from lexiscope.training.caption_rows import CaptionRows, Neighbourhood, Presence

CPU = torch.device("cpu")
CAPTIONS = [["a dog", "a dog runs"], [], ["one", "two words", "three words here"]]


def tokenize(texts):
    lengths = [len(text.split()) for text in texts]
    ids = torch.zeros(len(texts), max(lengths), dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : lengths[row]] = torch.tensor([len(word) for word in text.split()])
    return ids, ids > 0


def test_an_epoch_shows_every_caption_once_with_its_picture():
    rows = CaptionRows(CAPTIONS, tokenize, batch=1, seed=3, device=CPU)
    seen = np.concatenate([rows.of_step(step) for step in range(5)])
    assert sorted(seen) == [0, 1, 2, 3, 4]
    assert rows.owners.tolist() == [0, 0, 2, 2, 2]


def test_tokens_are_as_wide_as_the_longest_that_is_drawn():
    rows = CaptionRows(CAPTIONS, tokenize, batch=2, seed=0, device=CPU)
    ids, mask = rows.tokens(np.array([3, 2]))
    assert ids.tolist() == [[3, 5], [3, 0]] and mask.tolist() == [[True, True], [True, False]]
    assert rows.tokens(np.array([4]))[0].shape == (1, 3)


def test_presence_has_a_one_for_each_term():
    presence = Presence([np.array([2, 0]), np.array([], dtype=np.int64), np.array([1, 1])], 3, CPU)
    assert presence.of(np.array([2, 0, 1, 0])).tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0], [1, 0, 1]]
    assert Presence([np.array([], dtype=np.int64)], 2, CPU).of(np.array([0])).tolist() == [[0, 0]]


def test_a_neighbourhood_counts_what_like_captions_say_and_one_alone_does_not():
    places = [np.array(found, dtype=np.int64) for found in ([0], [0, 1], [0, 1, 2], [0, 3], [3])]
    vectors = torch.tensor([[1, 0.0], [0.99, 0.1], [0.98, 0.2], [0.9, 0.4], [0, 1.0]])
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    around = Neighbourhood(Presence(places, 4, CPU), vectors, 3)
    found = around.of(np.array([0, 4]))
    torch.testing.assert_close(found[0], torch.tensor([1, 2 / 3, 0, 0]))  # of 1, 2 and 3, and not of itself
    torch.testing.assert_close(found[1], torch.tensor([1, 2 / 3, 0, 0]))  # of 3, 2 and 1; 3 alone says term 3


def test_there_are_no_more_neighbours_than_captions():
    around = Neighbourhood(Presence([np.array([0])] * 3, 1, CPU), torch.eye(3), 12)
    assert around.of(np.array([1])).tolist() == [[1.0]]
