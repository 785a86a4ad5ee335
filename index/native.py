"""Kernels as machine code, which numba makes once for a machine, and which is loaded without numba.

numba takes half a second to be imported and set up before it runs what is in its own cache; to link the same
code takes some fifty milliseconds. Code is kept where numba would keep it, for one kind of processor and one
state of the kernels' sources, with a checksum.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
from array import array
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Bound", "Kind", "Kinds", "Lent", "Native", "lend"]

ENTRY = "lexiscope_kernel"  # what a kernel is called in its machine code
_HERE = Path(__file__).parent
_SOURCES = (
    "*_kernels.py",
    "arrays.py",
    "effort.py",
    "heap.py",
    "jit.py",
    "kernels.py",
    "machine_code.py",
    "scratch.py",
)
_DIGEST = hashlib.sha256().digest_size
_LOADING, _LINKED = Lock(), count()  # of code no two have one name
#: Two pointers that every kernel takes first: where it would put a result and an error. It has neither.
_UNUSED = (ctypes.c_int64 * 2)()
_RESULT, _ERROR = ctypes.addressof(_UNUSED), ctypes.addressof(_UNUSED) + 8


class Kind(NamedTuple):
    """What arrays a kernel is lent: for each kind it is compiled anew."""

    group: str  # a named tuple of `arrays` or `scratch`; "" for one array
    types: tuple[str, ...]  # of the arrays' elements


Kinds = tuple[Kind | None, ...]  # of all arguments; None for a whole number


class Lent(NamedTuple):
    """One-dimensional arrays that stay where they are, so that machine code can be told where that is."""

    kind: Kind
    address: int  # of the numbers
    numbers: array[int]  # of each array the address and the length
    arrays: tuple[npt.NDArray[Any], ...]  # they live as long as this does


def lend(arrays: tuple[npt.NDArray[Any], ...] | npt.NDArray[Any]) -> Lent:
    """Lend a named tuple of arrays, or one array, to kernels.

    Args:
        arrays: Contiguous and one-dimensional. Those that kernels write to can be written to.
    """
    group, held = ("", (arrays,)) if isinstance(arrays, np.ndarray) else (type(arrays).__name__, arrays)
    numbers = array("q")
    for one in held:
        if one.ndim != 1 or not one.flags.c_contiguous:
            raise TypeError(f"kernels take contiguous arrays of one dimension, not {one.shape}")
        numbers.extend((one.ctypes.data, len(one)))
    return Lent(Kind(group, tuple(one.dtype.name for one in held)), numbers.buffer_info()[0], numbers, held)


class Bound:
    """A kernel with its arguments, to be called once or often, without the GIL."""

    __slots__ = ("_address", "_function", "_held", "numbers")

    def __init__(self, function: Callable[[int, int, int], int], arguments: tuple[int | Lent, ...]) -> None:
        self.numbers = array("q", [one if isinstance(one, int) else one.address for one in arguments])
        self._function, self._held = function, arguments
        self._address = self.numbers.buffer_info()[0]

    def __call__(self) -> None:
        """Run it; a whole number among the arguments may be changed before, in `numbers`."""
        self._function(_RESULT, _ERROR, self._address)


class Native:
    """A kernel, compiled or loaded when first bound to arguments of some kinds."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name
        self._functions: dict[Kinds, Callable[[int, int, int], int]] = {}

    def bind(self, *arguments: int | Lent) -> Bound:
        """Return a function without arguments or a result: kernels write into what they are lent."""
        kinds = tuple(one.kind if isinstance(one, Lent) else None for one in arguments)
        if kinds not in self._functions:
            with _LOADING:
                if kinds not in self._functions:
                    self._functions[kinds] = _linked(self._module, self._name, kinds)
        return Bound(self._functions[kinds], arguments)


def _linked(module: str, name: str, kinds: Kinds) -> Callable[[int, int, int], int]:
    from llvmlite import binding

    entry = hashlib.sha256(repr((module, name, kinds, *_processor())).encode()).hexdigest()[:16]
    library = (
        binding.JITLibraryBuilder()
        .add_object_img(_code(module, name, kinds, f"{module}.{name}.{entry}.o"))
        .add_current_process()
        .export_symbol(ENTRY)
        .link(_linker(), f"{name} {next(_LINKED)}")
    )
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_int64] * 3)(library[ENTRY])
    function.library = library  # type: ignore[attr-defined]  # which otherwise would be unloaded
    return function


@cache
def _linker() -> Any:  # noqa: ANN401
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.create_lljit_compiler()


@cache
def _processor() -> tuple[str, str]:
    """For what the code is made: the processor, and what it can do."""
    from llvmlite import binding

    return binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()


def _code(module: str, name: str, kinds: Kinds, file: str) -> bytes:
    """The machine code of a kernel: as it is kept, or, if it is of another state or damaged, made anew."""
    state = _state()
    for folder in _folders():
        try:
            kept = (folder / file).read_bytes()
        except OSError:
            continue
        code = kept[2 * _DIGEST :]
        if kept[: 2 * _DIGEST] == state + hashlib.sha256(code).digest():
            return code
    from lexiscope.index.machine_code import machine_code

    code = machine_code(module, name, kinds, *_processor())
    for folder in _folders():
        if _keep(folder, file, state + hashlib.sha256(code).digest() + code):
            break
    return code


@cache
def _state() -> bytes:
    """What stands for the sources that the code is made of, and for what makes it."""
    digest = hashlib.sha256(f"{version('numba')} {version('llvmlite')} {sys.version}".encode())
    for pattern in _SOURCES:
        for source in sorted(_HERE.glob(pattern)):
            digest.update(source.name.encode() + source.read_bytes())
    return digest.digest()


def _folders() -> Iterator[Path]:
    """Where code may be kept, in the order of numba's own cache."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"])
    yield _HERE / "__pycache__"
    yield Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "lexiscope"


def _keep(folder: Path, file: str, content: bytes) -> bool:
    """Write a file in one step; whether that went."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{file}.{os.getpid()}"
        fresh.write_bytes(content)
        fresh.replace(folder / file)
    except OSError:
        return False
    return True
