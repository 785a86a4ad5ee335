"""The picture tower on a tiny checkpoint in timm's hub format."""

import pytest
import torch
from PIL import Image

from lexiscope.errors import ModelError
from lexiscope.training.speed import tune_for
from lexiscope.vision.tower import Preprocessor, VisionConfig, VisionTower


def test_a_hub_folder_gives_patch_states(vision_folder):
    tower = VisionTower.from_pretrained(vision_folder).eval()
    assert tower.grid == (4, 4)
    assert tower(torch.zeros(2, 3, 32, 32)).shape == (2, 16, 32)


def test_the_weights_are_the_checkpoints(vision_folder):
    import timm

    tower = VisionTower.from_pretrained(vision_folder).eval()
    direct = timm.create_model(f"local-dir:{vision_folder}", pretrained=True, num_classes=0).eval()
    pixels = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(tower(pixels), direct.forward_features(pixels)[:, 1:])


@pytest.mark.parametrize("architecture", ["vit_small_patch14_reg4_dinov2", "vit_convstem_dinov2"])
def test_a_tower_that_looks_at_all_patches_in_another_order_says_the_same_of_each(architecture):
    arguments = {"embed_dim": 32, "depth": 2, "num_heads": 2}
    arguments |= {"stem": [4, 8, 16]} if "stem" in architecture else {"patch_size": 16}
    tower = VisionTower(VisionConfig(architecture, arguments, 64)).eval()
    pixels, order = torch.randn(2, 3, 64, 64), torch.rand(2, 16).argsort(dim=1)
    expected = tower(pixels).gather(1, order[..., None].expand(-1, -1, 32))
    torch.testing.assert_close(tower(pixels, order), expected)


def test_a_patch_that_is_not_looked_at_is_not_seen(vision_folder):
    tower = VisionTower.from_pretrained(vision_folder).eval()
    for name, parameter in tower.named_parameters():
        if name.endswith("gamma"):  # as it starts, a layer's scale lets hardly anything through
            torch.nn.init.ones_(parameter)
    pixels, kept = torch.randn(1, 3, 32, 32), torch.tensor([[0, 1, 2, 3]])  # the top row
    other = pixels.clone()
    other[:, :, 8:] = 0
    torch.testing.assert_close(tower(pixels, kept), tower(other, kept))
    assert not torch.allclose(tower(pixels)[:, :4], tower(other)[:, :4])


def test_a_tower_is_built_again_from_its_configuration(vision_folder):
    tower = VisionTower.from_pretrained(vision_folder).eval()
    again = VisionTower(VisionConfig.from_dict(tower.config.to_dict())).eval()
    again.load_state_dict(tower.state_dict())
    pixels = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(again(pixels), tower(pixels))


def test_class_and_register_tokens_are_dropped():
    arguments = {"patch_size": 8, "embed_dim": 32, "depth": 1, "num_heads": 2}
    config = VisionConfig("vit_small_patch14_reg4_dinov2", arguments, 32)
    assert VisionTower(config)(torch.zeros(1, 3, 32, 32)).shape == (1, 16, 32)


def test_another_size_resamples_the_positions(vision_folder):
    tower = VisionTower.from_pretrained(vision_folder, image_size=48)
    assert tower.grid == (6, 6)
    assert tower(torch.zeros(1, 3, 48, 48)).shape == (1, 36, 32)


@pytest.mark.parametrize("architecture", ["vit_small_patch14_reg4_dinov2", "vit_convstem_dinov2"])
def test_a_tower_may_see_larger_pictures_and_is_built_again_so(architecture):
    arguments = {"embed_dim": 32, "depth": 1, "num_heads": 2}
    arguments |= {"stem": [4, 8, 16]} if "stem" in architecture else {"patch_size": 16}
    tower = VisionTower(VisionConfig(architecture, arguments, 48)).eval()
    small = tower(torch.ones(1, 3, 48, 48))
    tower.see(64)
    assert (tower.grid, tower.config.image_size) == ((4, 4), 64)
    again = VisionTower(VisionConfig.from_dict(tower.config.to_dict())).eval()
    again.load_state_dict(tower.state_dict())
    pixels = torch.ones(1, 3, 64, 64)
    torch.testing.assert_close(again(pixels), tower(pixels))
    tower.see(48)
    assert tower(torch.ones(1, 3, 48, 48)).shape == small.shape


def test_a_convolutional_stem_gives_one_state_a_patch():
    arguments = {"embed_dim": 32, "stem": [4, 8, 16], "depth": 1, "num_heads": 2}
    tower = VisionTower(VisionConfig("vit_convstem_dinov2", arguments, 48)).eval()
    assert tower.grid == (3, 3)
    pixels = torch.zeros(1, 3, 48, 48)
    before = tower(pixels)
    assert before.shape == (1, 9, 32)
    pixels[:, :, :16, :16] = 1.0
    assert not torch.allclose(tower(pixels)[:, 0], before[:, 0])


def test_what_is_tuned_for_a_machine_gives_the_same_states(vision_folder):
    tower = VisionTower.from_pretrained(vision_folder).eval()
    pixels = torch.randn(2, 3, 32, 32)
    before = tower(pixels)
    torch.testing.assert_close(tune_for(tower, torch.device("cpu"))(pixels), before)


@pytest.mark.parametrize("name", ["no_such_architecture", "resnet18"])
def test_what_is_no_vision_transformer_says_so(name):
    with pytest.raises(ModelError, match=name):
        VisionTower(VisionConfig(name, {}, 32))


def test_an_empty_folder_says_so(tmp_path):
    with pytest.raises(ModelError, match="no timm model"):
        VisionTower.from_pretrained(tmp_path)


def test_squash_keeps_the_whole_picture_and_crop_the_middle():
    picture = Image.new("RGB", (64, 32), "black")
    picture.paste("white", (0, 0, 16, 32))  # the left quarter
    left = {}
    for resize in ("squash", "crop"):
        config = VisionConfig("x", {}, 16, mean=(0, 0, 0), std=(1, 1, 1), resize=resize)
        left[resize] = Preprocessor(config)([picture])[0, 0, :, 1].mean().item()
    assert left["squash"] > 0.9
    assert left["crop"] < 0.1


def test_pixels_are_normalised():
    config = VisionConfig("x", {}, 8)
    pixels = Preprocessor(config)([Image.new("RGB", (8, 8), (124, 116, 104))])
    assert pixels.shape == (1, 3, 8, 8)
    assert pixels.abs().max() < 0.02  # ImageNet's mean colour
