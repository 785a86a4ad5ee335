"""Public names that load on first use (PEP 562), so that importing a package costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy(package: str, home: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make the `__getattr__` and `__dir__` of a package.

    Bind them under `if not TYPE_CHECKING:`; beside them, real imports under `if TYPE_CHECKING:` tell type
    checkers what the names are, and unknown names stay errors.

    Args:
        package: its `__name__`.
        home: the module that each public name lives in.
    """

    def getattr_(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(home[name]), name)

    def dir_() -> list[str]:
        return sorted({*vars(import_module(package)), *home})

    return getattr_, dir_
