"""Machine code: loaded without numba, kept and made anew, and nothing that it cannot do."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from lexiscope.index import InvertedIndex, arrays, kernels, native
from lexiscope.index.jit import jit
from lexiscope.index.native import Native, lend

QUESTION = """
import sys
from scipy.sparse import csr_array
from lexiscope.index import InvertedIndex
index = InvertedIndex.load(sys.argv[1])
ids, scores = index.search(csr_array(([1.0], ([0], [3])), shape=(1, index.vocabulary_size)), 2)
index.searcher(2)([3], [1.0])
index.rows(ids[0])
index.parts[0].segment.rows_with(3)
print(ids.tolist(), "numba" in sys.modules)
"""


class Pair(NamedTuple):
    source: np.ndarray
    target: np.ndarray


@jit
def add_to(number: int, pair: Pair) -> None:
    for place in range(len(pair.source)):
        pair.target[place] = pair.source[place] + number


@jit
def take_memory(numbers: np.ndarray) -> None:
    numbers[0] = np.empty(int(numbers[0])).sum()


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    """Where code is kept; with two small kernels."""
    monkeypatch.setattr(native, "_folders", lambda: iter([tmp_path / "cache"]))
    monkeypatch.setattr(kernels, "add_to", add_to, raising=False)
    monkeypatch.setattr(kernels, "take_memory", take_memory, raising=False)
    monkeypatch.setattr(arrays, "Pair", Pair, raising=False)
    return tmp_path / "cache"


def sum_of(number: int, source: np.ndarray) -> list[float]:
    target = np.zeros_like(source)
    Native("kernels", "add_to").bind(number, lend(Pair(source, target)))()
    return target.tolist()


def test_a_question_loads_no_numba(helpers, tmp_path) -> None:
    index = InvertedIndex.build(helpers.rows(50))
    index.search(helpers.rows(1))
    index.searcher()([3], [1.0])
    index.rows([1])
    index.parts[0].segment.rows_with(3)
    index.save(tmp_path / "index")
    asked = [sys.executable, "-c", QUESTION, str(tmp_path / "index")]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    wanted = np.argsort(-helpers.rows(50).toarray()[:, 3], kind="stable")[:2].tolist()
    assert said == f"{[wanted]} False\n"


def test_code_is_kept_and_made_anew_when_it_is_damaged_or_old(folder, monkeypatch) -> None:
    assert sum_of(2, np.array([1.0, 2.5])) == [3.0, 4.5]
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    with monkeypatch.context() as without_numba:
        without_numba.setitem(sys.modules, "lexiscope.index.machine_code", None)
        assert sum_of(3, np.array([1.0])) == [4.0]
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(ImportError):
            sum_of(3, np.array([1.0]))
    for damaged in (whole[:70], whole[:-1], b"", bytes([whole[0] ^ 1]) + whole[1:]):
        file.write_bytes(damaged)
        assert sum_of(4, np.array([1.0])) == [5.0]
        kept = file.read_bytes()
        assert kept[:32] == whole[:32] and kept[32:64] == hashlib.sha256(kept[64:]).digest()
    monkeypatch.setattr(native, "_state", lambda: bytes(32))  # other sources
    assert sum_of(5, np.array([1.0])) == [6.0]
    assert [one.read_bytes()[:32] for one in folder.iterdir()] == [bytes(32)]


def test_each_kind_of_array_has_code_of_its_own(folder) -> None:
    for number, kind in enumerate((np.float32, np.int64, np.uint16), 1):
        assert sum_of(number, np.arange(3, dtype=kind)) == [number, number + 1, number + 2]
        assert len(list(folder.iterdir())) == number


def test_where_nothing_can_be_kept_code_is_made_each_time(folder) -> None:
    folder.write_text("a file in place of the folder")
    assert sum_of(1, np.array([1.0])) == [2.0]
    assert folder.read_text() == "a file in place of the folder"


def test_a_kernel_that_takes_memory_is_refused(folder) -> None:
    with pytest.raises(RuntimeError, match="takes memory"):
        Native("kernels", "take_memory").bind(lend(np.ones(1)))
    assert not folder.exists()


def test_a_bound_kernel_reads_its_numbers_anew(folder) -> None:
    pair = Pair(np.array([1, 2]), np.zeros(2, np.int64))
    bound = Native("kernels", "add_to").bind(5, lend(pair))
    bound()
    bound.numbers[0] = 7
    pair.source[1] = 10
    assert pair.target.tolist() == [6, 7]
    bound()
    assert pair.target.tolist() == [8, 17]


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros(6)[::2]])
def test_only_contiguous_arrays_of_one_dimension_are_lent(array: np.ndarray) -> None:
    with pytest.raises(TypeError, match="contiguous"):
        lend(array)
