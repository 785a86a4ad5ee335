import pyarrow as pa
import pytest

from lexiscope.errors import DatasetError
from lexiscope.evaluation import open_dataset

from .conftest import picture_bytes, write_karpathy, write_parquet


def one_line(error):
    message = str(error.value)
    assert "\n" not in message
    return message


def test_parquet(colours):
    dataset = open_dataset(colours)
    assert dataset.name == "colours"
    assert dataset.ids == ("r", "g", "b")
    assert dataset.texts == ["a red wall", "red", "green grass", "the blue sky", "blue", "blue sea"]
    assert dataset.caption_ids == ["r#0", "r#1", "g#0", "b#0", "b#1", "b#2"]
    assert dataset.owners.tolist() == [0, 0, 1, 2, 2, 2]
    for _ in range(2):  # can be streamed again
        assert list(dataset.sources()) == [picture_bytes(name) for name in ("red", "green", "blue")]


def test_parquet_with_plain_bytes_and_numbers_as_ids(tmp_path):
    file = write_parquet(
        tmp_path / "plain.parquet",
        [("x", None, ["one"]), ("y", None, ["two"])],
        id=pa.array([7, 8]),
        image=pa.array([b"first", b"second"]),
    )
    dataset = open_dataset(file)
    assert dataset.ids == ("7", "8")
    assert list(dataset.sources()) == [b"first", b"second"]


def test_parquet_with_more_pictures_than_are_read_at_a_time(tmp_path):
    rows = [(str(n), f"picture {n}".encode(), ["a caption"]) for n in range(150)]
    dataset = open_dataset(write_parquet(tmp_path / "many.parquet", rows))
    assert list(dataset.sources()) == [image for _, image, _ in rows]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_parquet_that_names_files(tmp_path, elsewhere):
    folder = tmp_path / "pictures" if elsewhere else tmp_path
    folder.mkdir(exist_ok=True)
    (folder / "r.png").write_bytes(picture_bytes("red"))
    file = write_parquet(tmp_path / "named.parquet", [("r", {"bytes": None, "path": "r.png"}, ["red"])])
    dataset = open_dataset(file, images=folder if elsewhere else None)
    assert list(dataset.sources()) == [folder / "r.png"]


def test_the_same_caption_of_two_pictures_stays_two_captions(tmp_path):
    rows = [("1", b"", ["a dog", "a dog"]), ("2", b"", ["a dog"])]
    dataset = open_dataset(write_parquet(tmp_path / "dogs.parquet", rows))
    assert dataset.texts == ["a dog"] * 3
    assert dataset.caption_ids == ["1#0", "1#1", "2#0"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "no pictures"),
        ([("a", b"", ["x"]), ("b", b"", [])], "'b' has no captions"),
        ([("a", b"", None)], "'a' has no captions"),
        ([("a", b"", ["x", " \n"])], "caption 2 of picture 'a' is empty"),
        ([("a", b"", ["x", None])], "caption of picture 'a' is null"),
        ([("a", b"", ["x"]), ("b", b"", ["y"]), ("a", b"", ["z"])], "'a' stands 2 times"),
        ([("a", b"", ["x"]), (None, b"", ["y"])], "row 1 has no id"),
        ([(" ", b"", ["x"])], "empty id"),
    ],
)
def test_parquet_that_does_not_hold_together(tmp_path, rows, says):
    file = write_parquet(tmp_path / "bad.parquet", rows)
    with pytest.raises(DatasetError) as error:
        open_dataset(file)
    assert says in one_line(error)
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {"captions": None},
            "has no column captions (it has id, image); the columns must be id, image, captions",
        ),
        ({"id": None, "image": None}, "has no column id, image"),
        ({"captions": pa.array(["a dog"])}, "column captions is string; it must be lists of strings"),
        ({"image": pa.array(["a.jpg"])}, "column image is string"),
        ({"image": pa.array([{"path": "a.jpg"}])}, "column image is struct"),
        ({"id": pa.array([0.5])}, "column id is double"),
    ],
)
def test_parquet_with_other_columns(tmp_path, columns, says):
    file = write_parquet(tmp_path / "bad.parquet", [("a", b"", ["x"])], **columns)
    with pytest.raises(DatasetError) as error:
        open_dataset(file)
    assert says in one_line(error)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (None, "row 0 has no picture"),
        ({"bytes": None, "path": None}, "row 0 has no picture"),
        ({"bytes": None, "path": "gone.jpg"}, "gone.jpg is missing; say with --images"),
    ],
)
def test_parquet_without_a_picture(tmp_path, cell, says):
    dataset = open_dataset(write_parquet(tmp_path / "bad.parquet", [("a", cell, ["x"])]))
    with pytest.raises(DatasetError) as error:
        list(dataset.sources())
    assert says in one_line(error)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all, but text"])
def test_damaged_parquet(tmp_path, content):
    file = tmp_path / "damaged.parquet"
    file.write_bytes(content)
    with pytest.raises(DatasetError, match="cannot be read as Parquet") as error:
        open_dataset(file)
    one_line(error)


def test_truncated_parquet(colours):
    colours.write_bytes(colours.read_bytes()[:-20])
    with pytest.raises(DatasetError, match="cannot be read as Parquet"):
        open_dataset(colours)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for name in ("one.jpg", "two.jpg", "val2014/three.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


@pytest.fixture
def karpathy(tmp_path):
    six = [f"caption {n}" for n in range(6)]
    content = [("one.jpg", "test", six), ("two.jpg", "train", ["x"]), ("three.jpg", "test", ["y"], "val2014")]
    return write_karpathy(tmp_path / "dataset_tiny.json", content, dataset="tiny")


def test_karpathy(karpathy, pictures):
    dataset = open_dataset(karpathy, images=pictures, split="test")
    assert dataset.name == "tiny/test"
    assert dataset.ids == ("one.jpg", "three.jpg")
    assert len(dataset.captions[0]) == 6  # all that the file gives
    assert list(dataset.sources()) == [pictures / "one.jpg", pictures / "val2014" / "three.jpg"]


def test_karpathy_with_pictures_that_lie_flat(karpathy, pictures):
    (pictures / "val2014" / "three.jpg").rename(pictures / "three.jpg")
    assert list(open_dataset(karpathy, images=pictures, split="test").sources())[1] == pictures / "three.jpg"


def test_karpathy_with_one_split_needs_no_name_of_it(tmp_path, pictures):
    file = write_karpathy(tmp_path / "only.json", [("one.jpg", "val", ["x"])])
    assert open_dataset(file, images=pictures).name == "only/val"


@pytest.mark.parametrize(("split", "says"), [("dev", "has no split 'dev'"), (None, "has several splits")])
def test_karpathy_lists_its_splits(karpathy, pictures, split, says):
    with pytest.raises(DatasetError) as error:
        open_dataset(karpathy, images=pictures, split=split)
    assert says in one_line(error)
    assert "(known: test (2), train (1))" in str(error.value)


def test_karpathy_with_missing_pictures(karpathy, pictures):
    (pictures / "val2014" / "three.jpg").unlink()
    with pytest.raises(DatasetError) as error:
        open_dataset(karpathy, images=pictures, split="test")
    assert f"{pictures / 'val2014' / 'three.jpg'}: is missing, and 1 of the 2" in one_line(error)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([("one.jpg", "test", [])], "'one.jpg' has no captions"),
        ([("one.jpg", "test", ["x", ""])], "caption 2 of picture 'one.jpg' is empty"),
        ([("one.jpg", "test", ["x"]), ("one.jpg", "test", ["y"])], "'one.jpg' stands 2 times"),
        ([], "has no pictures"),
    ],
)
def test_karpathy_that_does_not_hold_together(tmp_path, pictures, content, says):
    file = write_karpathy(tmp_path / "bad.json", content)
    with pytest.raises(DatasetError) as error:
        open_dataset(file, images=pictures)
    assert says in one_line(error)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is no Karpathy split file"),
        ("[1, 2", "is no Karpathy split file"),
        ("[]", "is no Karpathy split file"),
        ('{"images": [{"filename": "a.jpg", "split": "test"}]}', "images.0.sentences"),
        (
            '{"images": [{"filename": "a.jpg", "split": "test", "sentences": [{"raw": 3}]}]}',
            "sentences.0.raw",
        ),
    ],
)
def test_json_that_is_no_karpathy_file(tmp_path, pictures, content, says):
    file = tmp_path / "other.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError) as error:
        open_dataset(file, images=pictures)
    assert says in one_line(error)


def test_wrong_use(tmp_path, colours, karpathy):
    (tmp_path / "captions.xml").write_text("x")
    (tmp_path / "folder.parquet").mkdir()
    for arguments, says in [
        ({"file": tmp_path / "gone.parquet"}, "there is no such file"),
        ({"file": tmp_path / "folder.parquet"}, "is a folder without .tar files"),
        ({"file": tmp_path / "captions.xml"}, "is no data set"),
        ({"file": colours, "split": "test"}, "has splits; leave --split out"),
        ({"file": colours, "images": tmp_path / "gone"}, "no such folder of pictures; check --images"),
        ({"file": karpathy, "split": "test"}, "say with --images"),
    ]:
        with pytest.raises(DatasetError) as error:
            open_dataset(**arguments)
        assert says in one_line(error)
