"""CSV tables and WebDataset tars: as from Parquet, and one line for what is broken."""

import io
import json
import tarfile

import pytest

from lexiscope.errors import DatasetError
from lexiscope.evaluation import evaluate_retrieval, open_dataset

from .conftest import ColourEncoder, picture_bytes

CAPTIONS = {"red": ["a red wall", "red, or not"], "green": ["green grass"], "blue": ["the blue sky"]}


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def write_tar(file, samples, mode="w"):
    with tarfile.open(file, mode) as tar:
        for name, content in samples:
            add(tar, name, content)
    return file


def samples(names, first=0):
    for number, name in enumerate(names, first):
        yield f"{number:04}.png", picture_bytes(name)
        yield f"{number:04}.txt", "\n".join(CAPTIONS[name]).encode()


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in CAPTIONS:
        (folder / f"{name}.png").write_bytes(picture_bytes(name))
    return folder


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_a_table(pictures, tmp_path, sign):
    lines = [f"image{sign}caption"]
    lines += [f'{name}.png{sign}"{one}"' for name, own in CAPTIONS.items() for one in own]
    file = tmp_path / "set.csv"
    file.write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    dataset = open_dataset(file, images=pictures)
    assert dataset.ids == ("red.png", "green.png", "blue.png")
    assert dataset.captions == tuple(tuple(own) for own in CAPTIONS.values())
    assert evaluate_retrieval(dataset, ColourEncoder())["text_to_image"]["R@1"] == 75  # "red," is no colour


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,caption\n,a dog\n", "line 2: a caption without a picture"),
        ("file,caption\nred.png,\n", "line 2: picture 'red.png' without a caption"),
        ("file,caption\nred.png\n", "line 2: picture 'red.png' without a caption"),
        ("file,caption\ngone.png,a dog\n", "gone.png: is missing, and 1 of the 1 pictures"),
        ("red.png,a dog\n", "has no columns file and caption"),
        ("", "has no columns file and caption"),
        ("file,caption\n", "has no pictures"),
        ('file,caption\nred.png,"open\n', "cannot be read as a table"),
    ],
)
def test_bad_tables(pictures, text, says):
    file = pictures / "set.csv"
    file.write_text(text)
    with pytest.raises(DatasetError, match=says) as caught:
        open_dataset(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_one_tar(tmp_path, mode):
    dataset = open_dataset(write_tar(tmp_path / "set.tar", samples(CAPTIONS), mode))
    assert dataset.captions == tuple(tuple(own) for own in CAPTIONS.values())
    assert list(dataset.sources()) == [picture_bytes(name) for name in CAPTIONS]
    assert list(dataset.sources()) == list(dataset.sources())
    assert dataset.name == "set"


def test_a_folder_of_tars_by_number(tmp_path):
    folder = tmp_path / "flickr" / "test"
    folder.mkdir(parents=True)
    for number, name in ((2, "red"), (10, "green"), (1, "blue")):
        write_tar(folder / f"{number}.tar", samples([name], number))
    dataset = open_dataset(tmp_path / "flickr")
    assert [own[0] for own in dataset.captions] == ["the blue sky", "a red wall", "green grass"]
    assert dataset.name == "flickr"


def test_captions_in_json(tmp_path):
    content = json.dumps({"captions": ["one", "two"]}).encode()
    file = write_tar(tmp_path / "set.tar", [("a.jpg", picture_bytes("red")), ("a.json", content)])
    assert open_dataset(file).captions == (("one", "two"),)


def test_broken_tars(tmp_path):
    whole = write_tar(tmp_path / "set.tar", samples(CAPTIONS)).read_bytes()
    (tmp_path / "short.tar").write_bytes(whole[:700])
    (tmp_path / "no.tar").write_bytes(b"no tar at all")
    for name in ("short.tar", "no.tar"):
        with pytest.raises(DatasetError, match="is a broken tar"):
            open_dataset(tmp_path / name)
    lonely = write_tar(tmp_path / "lonely.tar", [("a.png", picture_bytes("red"))])
    with pytest.raises(DatasetError, match="picture 'a' has no caption"):
        open_dataset(lonely)
    orphan = write_tar(tmp_path / "orphan.tar", [*samples(["red"]), ("b.txt", b"text")])
    with pytest.raises(DatasetError, match="caption 'b' has no picture"):
        open_dataset(orphan)
    twice = write_tar(tmp_path / "twice.tar", [*samples(["red"]), *samples(["green"])])
    with pytest.raises(DatasetError, match="id '0000' stands 2 times"):
        open_dataset(twice)
    with pytest.raises(DatasetError, match="there is no such file"):
        open_dataset(tmp_path / "gone.tar")
    with pytest.raises(DatasetError, match="only a Karpathy"):
        open_dataset(lonely, split="test")
