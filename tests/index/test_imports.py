"""What importing and using the index loads."""

from __future__ import annotations

import subprocess
import sys

import pytest


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


def test_numba_loads_with_the_first_search_and_torch_never() -> None:
    build = (
        "import numpy as np; from scipy.sparse import csr_array; from lexiscope.index import InvertedIndex\n"
        "rows = csr_array(np.eye(3, dtype=np.float32)); index = InvertedIndex.build(rows)"
    )
    assert "numba" not in loaded_after(build)
    searched = loaded_after(f"{build}\nindex.search(rows)")
    assert "numba" in searched and "torch" not in searched


def test_unknown_names_are_attribute_errors() -> None:
    import lexiscope.index

    assert "Collection" in dir(lexiscope.index)
    with pytest.raises(AttributeError, match="nonsense"):
        lexiscope.index.nonsense  # noqa: B018
