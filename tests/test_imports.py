"""Importing costs nothing: heavy libraries load when they are first needed."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "timm", "transformers", "numba", "gradio", "pyarrow", "scipy", "skimage"}
MODELS = {"torch", "torchvision", "timm", "transformers"}


def loaded_by(*statements: str) -> set[str]:
    """Names of the top-level modules that a fresh interpreter has loaded after the statements."""
    program = [*statements, "import sys", "print(*{name.partition('.')[0] for name in sys.modules})"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import lexiscope", HEAVY | {"numpy", "PIL"}),
        ("import lexiscope; dir(lexiscope); lexiscope.__version__", HEAVY | {"numpy", "PIL"}),
        ("import lexiscope.errors, lexiscope.vocabulary", HEAVY),
        ("import lexiscope.cli", HEAVY),
        ("import lexiscope.vision, lexiscope.text, lexiscope.index, lexiscope.evaluation", HEAVY),
        ("from lexiscope.vision import open_picture", HEAVY),
        ("from lexiscope.text import read_transcript", HEAVY),
        ("from lexiscope.index import InvertedIndex, Collection, Document", MODELS | {"gradio"}),
        ("from lexiscope import InvertedIndex", MODELS | {"gradio"}),
        ("from lexiscope.evaluation import open_dataset", HEAVY),
        ("from lexiscope.evaluation import evaluate_retrieval, table", MODELS | {"gradio"}),
    ],
)
def test_what_an_import_never_loads(statement, never):
    assert not loaded_by(statement) & never


def test_the_index_works_without_torch():
    loaded = loaded_by(
        "from lexiscope import InvertedIndex",
        "from scipy.sparse import csr_array",
        "import numpy",
        "rows = csr_array(numpy.eye(3, dtype=numpy.float32))",
        "ids, scores = InvertedIndex.build(rows).search(rows[[1]], k=1)",
        "assert ids.tolist() == [[1]]",
    )
    assert not loaded & MODELS


def test_a_public_name_that_is_not_there():
    import lexiscope

    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = lexiscope.Nothing
