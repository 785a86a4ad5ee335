"""timm must import beside a torchvision without its operators, and a whole torchvision stays as it is."""

import subprocess
import sys

import pytest

WITHOUT_OPERATORS = """
import torch
def refuse(path):
    raise OSError(f"{path}: made for another torch")
torch.ops.load_library = refuse
"""

WHOLE = """
import torch
whole = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    whole.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    whole.impl(name, lambda dets, scores, iou_threshold: torch.arange(3), "CPU")
"""

SHIM = """
from lexiscope.torchvision_shim import ensure_torchvision_operators
declared = ensure_torchvision_operators()
"""


def run(*parts: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "\n".join(parts)], capture_output=True, text=True, timeout=300
    )


def test_without_the_shim_timm_cannot_be_imported():
    done = run(WITHOUT_OPERATORS, "import timm")
    assert done.returncode != 0
    assert "torchvision::nms does not exist" in done.stderr


def test_where_the_operators_are_missing_timm_imports_and_works():
    done = run(
        WITHOUT_OPERATORS,
        SHIM,
        "assert declared is not None and ensure_torchvision_operators() is declared",
        "import timm",
        "tower = timm.create_model('vit_tiny_patch16_224', img_size=32, depth=1, num_classes=0)",
        "assert tower(torch.zeros(1, 3, 32, 32)).shape == (1, 192)",
    )
    assert done.returncode == 0, done.stderr


def test_only_what_is_missing_is_declared():
    done = run(
        WITHOUT_OPERATORS,
        "other = torch.library.Library('torchvision', 'DEF')",
        "other.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')",
        SHIM,
        "assert declared is not None and hasattr(torch.ops.torchvision, 'qnms')",
        "import timm",
    )
    assert done.returncode == 0, done.stderr


def test_where_torchvision_is_whole_nothing_is_declared():
    done = run(
        WHOLE,
        "class NoLibrary:",
        "    def __init__(self, *arguments): raise AssertionError('something was declared')",
        "before, torch.library.Library = torch.library.Library, NoLibrary",
        SHIM,
        "torch.library.Library = before",
        "assert declared is None",
        "boxes = torch.zeros(3, 4)",
        "assert torch.ops.torchvision.nms(boxes, boxes[:, 0], 0.5).tolist() == [0, 1, 2]",
        "import timm",
    )
    assert done.returncode == 0, done.stderr


def test_the_compiled_operators_are_used_where_they_load():
    # The compiled library is found by the shim: that is what keeps it away from a whole torchvision.
    done = run(
        "import torch",
        "loaded = []",
        "torch.ops.load_library = lambda path: (loaded.append(path), define())",
        "def define():",
        "    global whole",
        "    whole = torch.library.Library('torchvision', 'DEF')",
        "    for name in ('nms', 'qnms'):",
        "        whole.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')",
        SHIM,
        "assert declared is None and len(loaded) == 1 and 'torchvision' in loaded[0], loaded",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["torch", "torchvision", "timm"])
def test_the_shim_is_light_to_import(module):
    done = run(f"import lexiscope.torchvision_shim, sys; sys.exit({module!r} in sys.modules)")
    assert done.returncode == 0, done.stderr
