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


def test_numba_loads_with_the_first_build_or_search_and_torch_never(tmp_path, helpers) -> None:
    InvertedIndex.build(helpers.rows(3)).save(tmp_path / "saved")
    opened = (
        f"from lexiscope.index import InvertedIndex; index = InvertedIndex.load({str(tmp_path / 'saved')!r})"
    )
    assert "numba" not in loaded_after(opened)
    searched = loaded_after(f"{opened}\nindex.search(index.rows([0]))")
    assert "numba" in searched and "torch" not in searched


def test_unknown_names_are_attribute_errors() -> None:
    import lexiscope.index

    assert "Collection" in dir(lexiscope.index)
    with pytest.raises(AttributeError, match="nonsense"):
        lexiscope.index.nonsense  # noqa: B018
