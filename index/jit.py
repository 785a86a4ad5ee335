"""How kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

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


@jit
def whole(number: int | np.integer) -> int:
    """A whole number with 64 bits and a sign: numba makes a float of one with and one without a sign."""
    return np.int64(number)  # type: ignore[return-value]


def _item_bytes(context: Any, array: Any) -> Any:  # noqa: ANN401
    """The bytes of one element: a constant, so that what depends on it costs nothing."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401
        return context.get_constant(types.intp, array.dtype.bitwidth // 8)

    return types.intp(array), build


#: `item_bytes(array)` in a kernel.
item_bytes: Any = intrinsic(_item_bytes)


def _prefetch(context: Any, array: Any, place: Any) -> Any:  # noqa: ANN401
    """Ask the processor for the cache line of an array's element that will be read soon; never fails."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401
        start = context.make_array(signature.args[0])(context, builder, values[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.bitcast(builder.gep(start, [values[1]]), byte)
        of_llvm = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        declare: Any = cgutils.get_or_insert_function
        function = declare(builder.module, of_llvm, "llvm.prefetch.p0")
        builder.call(function, [address, number(0), number(2), number(1)])  # to read, keep, data
        return context.get_dummy_value()

    return types.void(array, types.intp), build


#: `prefetch(array, place)` in a kernel.
prefetch: Any = intrinsic(_prefetch)
