"""The dense twin: it learns, it is open_clip's own, and it starts where its lexical model has started."""

import io
import json
import math
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from lexiscope.clip_tower import ClipTower
from lexiscope.errors import RecipeError
from lexiscope.evaluation.dense import DenseEncoder, load_open_clip
from lexiscope.evaluation.dense_patches import ByDenseText
from lexiscope.model import LexicalModel
from lexiscope.text.tower import TextTower
from lexiscope.training import load_recipe, run
from lexiscope.training.assemble import make_vision
from lexiscope.training.dense import DenseModel, DenseModule
from lexiscope.training.losses import info_nce
from lexiscope.training.picture_batches import Pictures
from lexiscope.training.twin import Twin
from lexiscope.vision.tower import VisionConfig, VisionTower

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "white": (240, 240, 240)}


@pytest.fixture(scope="module", autouse=True)
def tiny_architecture():
    """A ViT of 32 px under a name that says it all, as open_clip needs it."""
    load_open_clip()
    from timm.models import register_model

    from lexiscope.vision.architectures import vit_convstem_dinov2

    def vit_convstem_dinov2_test_32(pretrained=False, **arguments):
        size = {"img_size": 32, "embed_dim": 32, "depth": 1, "num_heads": 2, "stem": (8,), **arguments}
        return vit_convstem_dinov2(pretrained, **size)

    vit_convstem_dinov2_test_32.__module__ = "lexiscope.vision.architectures"
    register_model(vit_convstem_dinov2_test_32)


def picture(colour, seed=0):
    noise = np.random.default_rng(seed).integers(-15, 15, (40, 40, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows = [(colour, seed) for seed in range(6) for colour in COLOURS]
    table = {
        "id": [f"{c}-{s}" for c, s in rows],
        "image": [{"bytes": picture(c, s), "path": None} for c, s in rows],
        "captions": [[f"a {c} ball", f"the ball is {c}"] for c, _ in rows],
    }
    pq.write_table(pa.table(table), folder / "train.parquet")
    return folder


RECIPE = """
name = "tiny-twin"
description = "four colours"
[data]
pictures = ["train.parquet"]
dev = "train.parquet"
[vision]
architecture = "vit_convstem_dinov2_test_32"
image_size = 32
resize = "squash"
[text]
tokenizer_size = 300
max_length = 16
[text.language_model]
model_type = "llama"
hidden_size = 32
intermediate_size = 48
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 2
[language]
steps = 3
batch = 2
length = 16
[dense_start]
width = 16
steps = 4
batch = 16
learning_rate = 5e-3
warmup = 1
freeze_vision = true
[dense]
width = 16
steps = 40
batch = 16
learning_rate = 5e-3
warmup = 5
average = 0.9
evaluate_every = 40
augment = { smallest = 0.5, colour = 0.1 }
"""


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin")
    (folder / "twin.toml").write_text(RECIPE)
    return run(folder / "twin.toml", data=data, out=folder / "run")


def figures(trained):
    log = trained.parent / "dense" / "metrics.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_trained_twin_finds_pictures_by_their_colour(trained):
    encoder = DenseEncoder.from_pretrained(trained, device="cpu")
    shown = encoder.encode_image([picture(colour, 99) for colour in COLOURS])
    asked = encoder.encode_text([f"a {colour} ball" for colour in COLOURS])
    assert shown.dtype == asked.dtype == np.float32
    assert shown.shape == asked.shape == (4, 16)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([shown, asked]), axis=1), 1, rtol=1e-5)
    assert (asked @ shown.T).argmax(axis=1).tolist() == list(range(len(COLOURS)))
    log = figures(trained)
    # A guess in a batch of 16 costs log 16; with the right one of four colours, log 4 and a little less.
    assert log[-2]["nce"] < 0.55 * math.log(16)
    assert log[-1]["dev/words image"] == 16
    assert "library_name: open_clip" in (trained / "README.md").read_text()


def test_open_clip_loads_it_and_gives_the_same_vectors(trained, tmp_path):
    open_clip = load_open_clip()
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{trained}")
    model.eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{trained}")(["a red ball", "blue"])
    pixels = torch.stack([transform(Image.open(io.BytesIO(picture(c)))) for c in ("red", "blue")])
    with torch.inference_mode():
        images = model.encode_image(pixels, normalize=True).numpy()
        texts = model.encode_text(tokens, normalize=True).numpy()
    moved = shutil.copytree(trained, tmp_path / "moved")
    for folder in (trained, moved):
        encoder = DenseEncoder.from_pretrained(folder, device="cpu")
        np.testing.assert_allclose(encoder.encode_image([picture("red"), picture("blue")]), images, atol=1e-5)
        np.testing.assert_allclose(encoder.encode_text(["a red ball", "blue"]), texts, atol=1e-5)


def test_a_pictures_vector_is_the_mean_of_its_patches(trained):
    encoder = DenseEncoder.from_pretrained(trained, device="cpu")
    texts = [f"a {colour} ball" for colour in COLOURS]
    patches = ByDenseText(encoder, texts)
    assert patches.grid == (8, 8) and patches.resize == "squash"
    pictures = [picture(colour) for colour in COLOURS]
    scores = list(patches.scores(pictures))
    assert [found.shape for found in scores] == [(64, 4)] * 4
    with torch.inference_mode():
        states = encoder.model.visual.trunk.forward_features(encoder.pixels(pictures))
        vectors = encoder.model.visual.head(states[:, 1:])
    np.testing.assert_allclose(
        torch.nn.functional.normalize(vectors.mean(dim=1), dim=-1), encoder.encode_image(pictures), atol=1e-5
    )
    expected = torch.nn.functional.normalize(vectors, dim=-1).numpy() @ encoder.encode_text(texts).T
    np.testing.assert_allclose(np.stack(scores), expected, atol=1e-5)


def test_it_starts_from_the_towers_it_is_given(language_folder, tmp_path):
    torch.manual_seed(1)
    vision = VisionTower(VisionConfig("vit_convstem_dinov2_test_32", image_size=32, resize="squash")).eval()
    text, _ = TextTower.from_pretrained(language_folder, max_length=16)
    model = DenseModel(vision, text.eval(), width=8, temperature=0.07, folder=tmp_path)
    module = DenseModule(model.network, None).eval()
    pixels = torch.randn(2, 3, 32, 32)
    vectors, states = module.pictures(Pictures(pixels, None, None))
    torch.testing.assert_close(states, vision(pixels))
    some = torch.tensor([[3, 0], [1, 2]])
    _, seen = module.pictures(Pictures(pixels, some, None))
    torch.testing.assert_close(seen, vision(pixels, some))
    torch.testing.assert_close(vectors, model.network.encode_image(pixels, normalize=True))
    ids, mask, _ = text.tokenize(["a dog runs on the beach", "a cat"])
    theirs, real = model.tokens(["a dog runs on the beach", "a cat"])
    longest = ids.shape[1]
    assert torch.equal(theirs[:, :longest], ids) and torch.equal(real[:, :longest], mask.bool())
    assert not real[:, longest:].any()
    mean = (text(ids, mask) * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    expected = torch.nn.functional.normalize(model.network.text.proj(mean), dim=-1)
    torch.testing.assert_close(module.texts(ids), expected)
    assert module.scale.item() == pytest.approx(1 / 0.07)


def test_the_loss_is_open_clips_own_where_no_picture_comes_twice():
    open_clip = load_open_clip()
    torch.manual_seed(0)
    left, right = (torch.nn.functional.normalize(torch.randn(6, 8), dim=-1) for _ in range(2))
    theirs = open_clip.ClipLoss()(left, right, torch.tensor(10.0))
    torch.testing.assert_close(info_nce(left, right, 10.0, torch.arange(6)), theirs)


def test_a_twin_takes_an_earlier_runs_language_model(trained, data, tmp_path):
    (tmp_path / "twin.toml").write_text(RECIPE.replace("steps = 40", "steps = 2"))
    folder = run(tmp_path / "twin.toml", data=data, out=tmp_path / "run", start=trained.parent)
    assert not (tmp_path / "run" / "language").exists()
    assert not (tmp_path / "run" / "cache").exists()
    assert (folder / "tokenizer.json").read_text() == (trained / "tokenizer.json").read_text()


def test_a_start_without_the_stages_is_refused(data, tmp_path):
    (tmp_path / "twin.toml").write_text(RECIPE)
    with pytest.raises(RecipeError, match="language"):
        run(tmp_path / "twin.toml", data=data, out=tmp_path / "run", start=tmp_path / "nothing")


def test_towers_that_open_clip_cannot_name_are_refused(language_folder, tmp_path):
    shape = {"embed_dim": 32, "depth": 1, "num_heads": 2}
    vision = VisionTower(VisionConfig("vit_convstem_dinov2", shape, 32))
    text, _ = TextTower.from_pretrained(language_folder)
    with pytest.raises(RecipeError, match="by its name alone"):
        DenseModel(vision, text, width=8, temperature=0.07, folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[dense]", "[lexical]\nsteps = 1\nbatch = 2\n[dense]"), "either a lexical model or a dense one"),
        (("[dense_start]\nwidth = 16", "[dense_start]\nwidth = 8"), "of one model"),
    ],
)
def test_recipes_that_contradict_themselves(tmp_path, change, message):
    (tmp_path / "twin.toml").write_text(RECIPE.replace(*change))
    with pytest.raises(RecipeError, match=message):
        load_recipe(tmp_path / "twin.toml")


def test_the_bundled_twin_differs_from_its_lexical_model_in_the_bottleneck_alone():
    lexical, dense = load_recipe("bundled"), load_recipe("dense-twin")
    for section in ("seed", "data", "text", "language", "distil"):
        assert getattr(lexical, section) == getattr(dense, section), section
    shared = {"steps", "batch", "learning_rate", "weight_decay", "warmup", "cooldown", "clip", "precision"}
    shared |= {"average", "augment", "keep_patches"}
    for left, right in ((lexical.head_start, dense.dense_start), (lexical.lexical, dense.dense)):
        assert left.model_dump(include=shared) == right.model_dump(include=shared)
    assert lexical.lexical.loss.distil_weight == dense.dense.distil_weight
    towers = [make_vision(recipe.vision) for recipe in (lexical, dense)]
    shapes = [{name: tensor.shape for name, tensor in tower.state_dict().items()} for tower in towers]
    assert shapes[0] == shapes[1]
    for name in ("resize", "image_size"):
        assert getattr(lexical.vision, name) == getattr(dense.vision, name), name


TAUGHT = (
    RECIPE[: RECIPE.index("[dense_start]")]
    + """
[vocabulary]
min_count = 1
pieces = 50
spoken_min_count = 1
[heads.vision]
keep = "top_k"
top_k = 4
[heads.text]
keep = "top_k"
top_k = 4
[lexical]
steps = 30
batch = 16
learning_rate = 1e-2
warmup = 3
twin = "TWIN"
keep_patches = 0.5
[lexical.loss]
soft_weight = 1.0
soft_scale = 10.0
words_weight = 0.5
text_words_weight = 0.5
neighbours = 16
words_power = 2.0
"""
)


def test_a_lexical_model_takes_its_twins_tower_and_learns_its_similarities(trained, data, tmp_path):
    (tmp_path / "taught.toml").write_text(TAUGHT.replace("TWIN", str(trained)))
    folder = run(tmp_path / "taught.toml", data=data, out=tmp_path / "run")
    model = LexicalModel.load(folder)
    encoder = DenseEncoder.from_pretrained(trained, device="cpu")
    for name, tensor in encoder.model.visual.trunk.state_dict().items():
        assert torch.equal(model.vision.model.state_dict()[name], tensor), name  # lent, and left alone
    lines = (tmp_path / "run" / "lexical" / "metrics.jsonl").read_text().splitlines()
    log = [json.loads(line) for line in lines if "soft" in line]
    assert log[-1]["soft"] < 0.7 * log[0]["soft"]
    assert log[-1]["text_words"] < log[0]["text_words"]

    larger = (tmp_path / "taught.toml").read_text().replace("image_size = 32", "image_size = 64")
    (tmp_path / "larger.toml").write_text(larger.replace("steps = 30", "steps = 4"))
    again = LexicalModel.load(run(tmp_path / "larger.toml", data=data, out=tmp_path / "larger", start=folder))
    assert again.vision.config.image_size == 64
    assert again.vision.grid == tuple(2 * side for side in model.vision.grid)


def test_a_twin_gives_open_clips_own_vectors(trained):
    """Of all patches' states the picture's; of the text the caption's."""
    twin = Twin(ClipTower.from_pretrained(str(trained)))
    encoder = DenseEncoder.from_pretrained(trained, device="cpu")
    pictures, texts = [picture(colour) for colour in COLOURS], ["a red ball", "the ball is blue"]
    with torch.no_grad():
        pixels = encoder.pixels(pictures)
        states = encoder.model.visual.trunk.forward_features(pixels)[:, 1:]
    np.testing.assert_allclose(twin.pictures(states), encoder.encode_image(pictures), atol=1e-5)
    np.testing.assert_allclose(twin.captions(texts), encoder.encode_text(texts), atol=1e-5)


def test_a_twin_sees_pictures_of_the_size_of_the_tower_it_lends(trained):
    twin = Twin(ClipTower.from_pretrained(str(trained)))
    tower = make_vision(load_recipe(trained.parents[1] / "twin.toml").vision)
    tower.see(tower.config.image_size * 2)
    twin.lend(tower, "that")
    states = tower(torch.randn(2, 3, tower.config.image_size, tower.config.image_size))
    vectors = twin.pictures(states)
    assert vectors.shape[0] == 2
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2))


def test_a_twin_of_another_tower_is_refused(trained):
    twin = Twin(ClipTower.from_pretrained(str(trained)))
    other = VisionTower(
        VisionConfig("vit_convstem_dinov2", {"embed_dim": 16, "depth": 1, "num_heads": 2}, 32)
    )
    with pytest.raises(RecipeError, match="its picture tower is not the recipe's"):
        twin.lend(other, "that")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("soft_weight = 1.0", "soft_weight = 0.0"), "go together"),
        (('twin = "TWIN"', ""), "go together"),
        (("[heads.text]", '[heads.text]\npooling = "sum"'), "heads.text.pooling"),
        (
            ("[lexical]", '[distil]\nteacher = "t"\nsteps = 1\nbatch = 2\n[lexical]'),
            "leave distil or lexical.twin out",
        ),
    ],
)
def test_what_a_twin_cannot_be_told(tmp_path, change, message):
    text = TAUGHT.replace("[heads.vision]", "[heads.vision]\nneck = 256").replace(*change)
    (tmp_path / "taught.toml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        load_recipe(tmp_path / "taught.toml")


def test_words_of_like_captions_need_a_twin(tmp_path):
    alone = TAUGHT.replace('twin = "TWIN"', "").replace("soft_weight = 1.0", "")
    (tmp_path / "alone.toml").write_text(alone)
    with pytest.raises(RecipeError, match="needs a twin"):
        load_recipe(tmp_path / "alone.toml")
