"""Crops of pictures and of the teacher's maps, against torch's own sampling."""

import pytest
import torch
import torch.nn.functional as F

from lexiscope.training.augment import crop, crop_states, random_boxes


def sampled(maps, theta, side):
    grid = F.affine_grid(theta, [len(maps), 1, side, side], align_corners=False)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


@pytest.mark.parametrize(("height", "width", "side"), [(32, 32, 28), (7, 7, 7), (9, 5, 7), (4, 4, 16)])
def test_crops_are_what_torch_samples(height, width, side):
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(32, 3, height, width, generator=generator) * 255
    theta = random_boxes(32, smallest=0.1, generator=generator)
    expected = sampled(maps, theta, side)
    assert torch.allclose(crop(maps, theta, side), expected, atol=0.02)
    states = crop_states(maps.permute(0, 2, 3, 1), theta, side)
    assert torch.allclose(states, expected.flatten(2).transpose(1, 2), atol=0.02)
    kept = torch.rand(32, side * side, generator=generator).argsort(dim=1)[:, :5]
    chosen = crop_states(maps.permute(0, 2, 3, 1), theta, side, kept)
    assert torch.allclose(chosen, states.gather(1, kept[..., None].expand(-1, -1, 3)))


def test_the_whole_of_a_picture_is_itself_and_mirrored_the_other_way_round():
    picture = torch.rand(1, 3, 8, 8)
    whole = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    mirrored = torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]])
    assert torch.allclose(crop(picture, whole, 8), picture, atol=1e-6)
    assert torch.allclose(crop(picture, mirrored, 8), picture.flip(-1), atol=1e-6)
