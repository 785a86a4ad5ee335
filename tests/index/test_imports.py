"""What importing and using the index loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lexiscope.index import InvertedIndex


def loaded_after(code: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in ran.stdout.split()}


def test_importing_the_index_loads_nothing_heavy() -> None:
    assert not loaded_after("import lexiscope.index") & {"numba", "torch", "scipy", "numpy", "sqlite3"}
    assert not loaded_after("from lexiscope.index import Collection, InvertedIndex") & {"numba", "torch"}


def test_numba_loads_with_a_build_and_not_with_a_search_and_torch_never(tmp_path, helpers) -> None:
    index = InvertedIndex.build(helpers.rows(3))
    index.search(index.rows([0]))  # so that machine code is there
    index.save(tmp_path / "saved")
    load = (
        f"from lexiscope.index import InvertedIndex; index = InvertedIndex.load({str(tmp_path / 'saved')!r})"
    )
    searched = loaded_after(f"{load}\nrows = index.rows([0])\nindex.search(rows)")
    built = loaded_after(f"{load}\nInvertedIndex.build(index.rows([0]))")
    assert not searched & {"numba", "torch"}
    assert "numba" in built and "torch" not in built


def test_unknown_names_are_attribute_errors() -> None:
    import lexiscope.index

    assert "Collection" in dir(lexiscope.index)
    with pytest.raises(AttributeError, match="nonsense"):
        lexiscope.index.nonsense  # noqa: B018
