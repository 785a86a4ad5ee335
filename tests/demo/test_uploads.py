"""Where added files are kept, and under which names."""

import os
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lexiscope.demo.uploads import Uploads, safe_name
from lexiscope.errors import UnreadableSource


@given(st.text(st.characters(exclude_categories=()), max_size=400))
@example("../../etc/passwd")
@example("..\\..\\boot.ini")
@example(".htaccess")
@example("...")
@example("a\x00.png")
@example("\ud800.jpg")
@example("é" * 300 + ".jpeg")
@example("x." + "y" * 300)
@example("a." + " " * 10 + "b")
def test_a_safe_name_is_one_plain_file_in_its_folder(name):
    safe = safe_name(name)
    assert safe and not safe.startswith(".") and safe == safe.strip()
    assert os.path.basename(safe) == safe and "\\" not in safe and safe not in {".", ".."}
    assert len(safe.encode()) <= 120
    assert not any(unicodedata.category(sign) in {"Cc", "Cs", "Cf"} for sign in safe)
    assert safe_name(safe) == safe


@given(st.text(max_size=300), st.sampled_from([".jpg", ".PNG", ".vtt", ".jpeg", ".tiff"]))
def test_the_suffix_stays(stem, suffix):
    assert safe_name(stem + "a" + suffix).endswith(suffix)


def test_ordinary_names_stay_as_they_are():
    for name in ("photo.jpg", "Ferien in Österreich (2).png", "第1話.vtt", "a&b, c+d@e's-f_g.srt"):
        assert safe_name(name) == name


def test_the_same_file_is_kept_once_and_another_beside_it(tmp_path):
    uploads = Uploads(tmp_path / "my.index")
    first, new = uploads.keep("a.txt", b"one")
    assert new and first == tmp_path / "my.index.files" / "a.txt" and first.read_bytes() == b"one"
    assert uploads.keep("a.txt", b"one") == (first, False)
    second, new = uploads.keep("dir/a.txt", b"two")
    assert new and second.name == "a-2.txt"
    assert uploads.keep("a.txt", b"two") == (second, False)
    assert first.read_bytes() == b"one"
    assert sorted(path.name for path in uploads.folder.iterdir()) == ["a-2.txt", "a.txt"]


def test_empty_files_and_full_disks_are_said(tmp_path):
    with pytest.raises(UnreadableSource, match="empty"):
        Uploads(tmp_path / "i").keep("a.txt", b"")
    (tmp_path / "j.files").write_text("a file where the folder should be")
    with pytest.raises(UnreadableSource, match=r"a\.txt: cannot be kept in .*j\.files"):
        Uploads(tmp_path / "j").keep("a.txt", b"x")


def test_only_files_that_were_added_are_dropped(tmp_path):
    uploads = Uploads(tmp_path / "i")
    kept, _ = uploads.keep("a.txt", b"x")
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    inner = uploads.folder / "deeper" / "b.txt"
    inner.parent.mkdir()
    inner.write_text("deeper")
    for path in (kept, mine, inner, uploads.folder / ".." / "mine.txt", uploads.folder / "not-there"):
        uploads.drop(str(path))
    assert not kept.exists() and mine.exists() and inner.exists()
