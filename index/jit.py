"""How kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., Any])


def jit(function: _Function) -> _Function:
    """Compile without the GIL, cached on disk where there is a place to write the cache.

    A kernel is compiled anew when its own file changes, not when a kernel or constant that it takes from
    another file does: who changes one of those while developing touches all files of kernels.

    No fast-math: sums stay in the order in which they are written, so that two ways to one score agree bit
    for bit.
    """
    compile_: Any = numba.njit
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        compiled: _Function = compile_(cache=True, **options)(function)
    except RuntimeError:  # numba's answer to a read-only installation and home
        compiled = compile_(**options)(function)
    return compiled
