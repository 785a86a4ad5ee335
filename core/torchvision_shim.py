"""Make `import timm` work beside a torchvision that cannot load its compiled operators.

timm imports torchvision, and torchvision registers fake kernels for `torchvision::nms` and
`torchvision::qnms` as it is imported. Where its compiled library does not fit the torch that is installed
(the published wheel beside the CPU build of torch 2.13.0, say), it leaves the library out without a word and
then fails with `operator torchvision::nms does not exist`. A vision transformer calls neither operator: it is
enough that they are declared. Beside a torchvision that is whole, nothing is declared.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


@functools.cache  # a declaration is withdrawn when its Library object dies: the cache keeps it alive
def ensure_torchvision_operators() -> torch.library.Library | None:
    """Declare the operators that torchvision needs as it is imported, where they are missing.

    Call it before anything that imports timm or torchvision; calling it again does nothing.

    Returns:
        The declarations, or None where there was nothing to declare.
    """
    import torch

    if _missing():
        _load_compiled_operators()
    missing = _missing()
    if not missing:
        return None
    declared = torch.library.Library("torchvision", "FRAGMENT")
    for name in missing:
        declared.define(_SCHEMAS[name])
    return declared


def _missing() -> list[str]:
    import torch

    return [name for name in _SCHEMAS if not hasattr(torch.ops.torchvision, name)]


def _load_compiled_operators() -> None:
    """Load torchvision's compiled library the way torchvision does, without importing torchvision."""
    import torch

    package = importlib.util.find_spec("torchvision")
    folders = package.submodule_search_locations if package else None
    library = importlib.machinery.PathFinder.find_spec("_C", folders) if folders else None
    if library is None or library.origin is None:
        return
    try:
        torch.ops.load_library(library.origin)
    except OSError:  # made for another torch: torchvision passes over it too
        return
