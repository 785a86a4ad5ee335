"""The teacher: a MobileNetV2 in torch, and what it says of every picture, whole and through boxes."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lexiscope.errors import DatasetError
from lexiscope.training.augment import crop, crop_states, inside, random_boxes, whole_boxes
from lexiscope.training.corpus import Corpus, Shard
from lexiscope.training.mobilenet import MobileNet, _Layer, read_mobilenet
from lexiscope.training.picture_batches import PictureBatches, Seen
from lexiscope.training.teacher import COMPONENTS, teacher_views
from lexiscope.vision.tower import Preprocessor, VisionConfig

CPU = torch.device("cpu")


def test_same_padding_is_tensorflows():
    """Of an even side halved, nothing is added before and one after; else one on each side."""
    torch.manual_seed(0)
    weight, bias, states = torch.randn(4, 3, 3, 3), torch.randn(4), torch.randn(2, 3, 6, 6)
    halved = _Layer(weight, bias, stride=2, linear=True)(states)
    wanted = torch.zeros(2, 4, 3, 3)
    padded = torch.nn.functional.pad(states, (0, 1, 0, 1))
    for y in range(3):
        for x in range(3):
            patch = padded[:, None, :, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            wanted[:, :, y, x] = (patch * weight).sum(dim=(2, 3, 4)) + bias
    torch.testing.assert_close(halved, wanted, rtol=1e-4, atol=1e-5)
    whole = _Layer(weight, bias, linear=True)(states)
    torch.testing.assert_close(whole, torch.nn.functional.conv2d(states, weight, bias, padding=1))
    assert _Layer(weight, bias)(states).min() == 0


def test_what_is_no_teacher_is_said_in_one_line(tmp_path):
    with pytest.raises(DatasetError, match=r"none\.tflite: no such teacher; name the folder"):
        read_mobilenet(tmp_path / "none.tflite")
    pytest.importorskip("ai_edge_litert", reason="the teacher needs lexiscope[train]")
    (tmp_path / "notes.tflite").write_bytes(b"no network at all")
    with pytest.raises(DatasetError, match=r"notes\.tflite: no quantised MobileNetV2"):
        read_mobilenet(tmp_path / "notes.tflite")


@pytest.mark.slow
def test_the_map_is_litert_s():
    data = os.environ.get("LEXISCOPE_DATA")
    if not data:
        pytest.skip("set LEXISCOPE_DATA to the folder of the training data")
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    file = Path(data) / "teacher" / "mobilenet_v2_1.0_224_quant.tflite"
    pictures = (
        np.random.default_rng(0).integers(0, 256, (4, 7, 7, 3), dtype=np.uint8).repeat(32, 1).repeat(32, 2)
    )
    theirs = interpreter(str(file), num_threads=1)
    theirs.allocate_tensors()
    details = theirs.get_tensor_details()
    pooled = next(d for d in details if d["name"].endswith("AvgPool"))
    mine = read_mobilenet(file)(torch.from_numpy(pictures).permute(0, 3, 1, 2).float()).mean(dim=(2, 3))
    for picture, found in zip(pictures, mine, strict=True):
        theirs.set_tensor(theirs.get_input_details()[0]["index"], picture[None])
        theirs.invoke()
        wanted = torch.from_numpy(theirs.get_tensor(pooled["index"]).astype(np.float32).ravel())
        assert torch.cosine_similarity(found, wanted, dim=0) > 0.97


class Colours(torch.nn.Module):
    """A teacher that says of each of 7 × 7 patches its mean colour, in 1,280 numbers."""

    def __init__(self):
        super().__init__()
        self.basis = torch.nn.Parameter(torch.randn(3, 1280, generator=torch.Generator().manual_seed(1)))

    def forward(self, pixels):
        parts = torch.nn.functional.adaptive_avg_pool2d(pixels / 128 - 1, 7)
        return torch.einsum("nchw,cd->ndhw", parts, self.basis)


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setattr("lexiscope.training.teacher.read_mobilenet", lambda file: Colours())
    monkeypatch.setattr("lexiscope.precision.computes_in_bf16", lambda device: False)
    random = np.random.default_rng(0)
    shards = []
    for name, n in (("first", 5), ("second", 3)):
        (tmp_path / name).mkdir()
        coarse = torch.from_numpy(random.integers(0, 256, (n, 3, 3, 3), dtype=np.uint8)).float()
        smooth = torch.nn.functional.interpolate(coarse, size=128, mode="bilinear", align_corners=True)
        squares = smooth.permute(0, 2, 3, 1).byte().numpy()
        shards.append(Shard(tmp_path / name, squares, [[f"{name} {i}"] for i in range(n)]))
    return Corpus(shards)


def look(corpus, views=3, smallest=0.4):
    return teacher_views(corpus, Path("none"), views=views, smallest=smallest, device=CPU)


def test_the_first_view_is_the_whole_picture_and_all_are_kept(corpus, monkeypatch):
    seen = look(corpus)
    assert seen.boxes.shape == (24, 2, 3) and [len(m) for m in seen.maps] == [15, 9]
    assert torch.equal(seen.boxes[::3], whole_boxes(8)) and not torch.equal(seen.boxes[1], seen.boxes[2])
    share = (seen.boxes[:, 0, 0] * seen.boxes[:, 1, 1]).abs()
    assert share.min() > 0.3 and share.max() <= 1.0
    monkeypatch.setattr("lexiscope.training.teacher.read_mobilenet", None)  # not asked again
    again = look(corpus)
    assert torch.equal(again.boxes, seen.boxes)
    np.testing.assert_array_equal(again.maps[1], seen.maps[1])


def test_a_batch_shows_what_the_teacher_saw(corpus):
    """Without a crop of its own a step's pictures are the teacher's boxes, and its maps are of them."""
    seen = Seen(corpus, look(corpus), CPU)
    preprocess = Preprocessor(VisionConfig("none", image_size=112))
    batches = PictureBatches(seen, preprocess, (7, 7), smallest=1.0, colour=0.0)
    rows = np.array([6, 0, 3, 6])
    drawn = batches.draw(rows, 5)
    mean = preprocess.normalise(torch.full((1, 3, 1, 1), 128.0))
    std = torch.tensor(preprocess.config.std).view(1, 3, 1, 1)
    colours = torch.nn.functional.adaptive_avg_pool2d((drawn.pixels - mean) * std * 255 / 128, 7)
    assert drawn.teacher.shape == (4, 49, COMPONENTS)
    # A PCA keeps distances: of what the teacher would say of these patches and of what it has said.
    ours = (colours.permute(0, 2, 3, 1).flatten(0, 2) @ Colours().basis).detach()
    apart = [torch.cdist(states, states).flatten() for states in (ours, drawn.teacher.flatten(0, 1))]
    assert torch.corrcoef(torch.stack(apart))[0, 1] > 0.99
    assert torch.equal(batches.draw_teacher(rows, 5), drawn.teacher)


def test_a_box_in_a_box_is_one_box():
    generator = torch.Generator().manual_seed(0)
    outer, inner = (random_boxes(3, smallest=0.5, generator=generator) for _ in range(2))
    smooth = torch.nn.functional.interpolate(
        torch.rand(3, 2, 3, 3, generator=generator), size=96, mode="bilinear", align_corners=True
    )
    twice = crop(crop(smooth, outer, 192), inner, 24)
    torch.testing.assert_close(crop(smooth, inside(outer, inner), 24), twice, atol=0.02, rtol=0)


def test_cubic_enlarges_as_pillow_does():
    from PIL import Image

    # Of a contrast that does not overshoot: Pillow cuts bytes between its two passes.
    picture = np.random.default_rng(0).integers(80, 170, (16, 16, 3), dtype=np.uint8)
    wanted = np.asarray(Image.fromarray(picture).resize((64, 64), Image.Resampling.BICUBIC))
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    found = crop(pixels, whole_boxes(1), 64, cubic=True).clamp(0, 255)[0].permute(1, 2, 0)
    inner = slice(8, -8)  # at the border Pillow leaves out what lies beyond, this goes on
    assert np.abs(found.numpy() - wanted)[inner, inner].max() < 2


def test_states_of_patches_that_are_kept():
    states = torch.arange(18.0).view(1, 3, 3, 2)
    assert torch.equal(crop_states(states, whole_boxes(1), 3, torch.tensor([[4, 0]]))[0, 0], states[0, 1, 1])


def test_a_network_needs_every_layer():
    with pytest.raises(KeyError, match="Conv"):
        MobileNet({}.__getitem__)
