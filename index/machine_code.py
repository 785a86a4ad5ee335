"""From a kernel in Python to machine code that needs neither Python nor numba to run."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from lexiscope.index import arrays, scratch
from lexiscope.index.native import ENTRY, Kind, Kinds

__all__ = ["machine_code"]

#: How numba counts references, in LLVM's text. What is lent has no owner, and nothing has to be counted.
_COUNTING = re.compile(r"(define [^\n]*@NRT_(?:incref|decref)\([^\n]*\{\n).*?(\n\}\n)", re.DOTALL)
_OF_PYTHON = ("NRT_", "numba_", "Py")  # what only kernels need that take memory, or raise


def machine_code(module: str, name: str, kinds: Kinds, processor: str, features: str) -> bytes:
    """Compile a kernel as an object file.

    Its one function is `int32 lexiscope_kernel(void *result, void *error, int64 arguments)`, numba's own
    calling convention; the arguments are an address: there stand whole numbers and addresses of `Lent`.

    Args:
        module: Where the kernel is, beside this one.
        name: Of the kernel.
        kinds: Of its arguments.
        processor: As features: in LLVM's words.
        features: What it can do.

    Raises:
        RuntimeError: The kernel takes memory or raises an error.
    """
    kernel, opened = getattr(import_module(f"lexiscope.index.{module}"), name), _opened(kinds)

    def entry(arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        kernel(*opened(arguments))

    signature = (types.int64,)
    compiled: Any = numba.njit(nogil=True, error_model="numpy", boundscheck=False)(entry)
    compiled.compile(signature)
    code = binding.parse_assembly(_COUNTING.sub(r"\1  ret void\2", compiled.inspect_llvm(signature)))
    return _object(code, compiled.overloads[signature].fndesc.llvm_func_name, processor, features)


def _object(module: Any, entry: str, processor: str, features: str) -> bytes:  # noqa: ANN401
    """Leave of a module what one function needs, and compile that."""
    for function in module.functions:
        if not function.is_declaration and function.name != entry:
            function.linkage = "internal"
    module.get_function(entry).name = ENTRY
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=processor, features=features, opt=3, reloc="pic"
    )
    passes = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)
    missing = [one.name for one in module.functions if one.name.startswith(_OF_PYTHON)]
    if missing:
        raise RuntimeError(f"a kernel that takes memory or raises cannot stand alone: it calls {missing}")
    code: bytes = machine.emit_object(module)
    return code


def _opened(kinds: Kinds) -> Any:  # noqa: ANN401
    """`opened(arguments)` in a kernel: the numbers and arrays behind an address, as a tuple."""
    opened = types.Tuple([types.int64 if kind is None else _type(kind) for kind in kinds])

    def typed(context: Any, address: Any) -> Any:  # noqa: ANN401
        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401
            arguments = [_load(builder, values[0], place) for place in range(len(kinds))]
            parts = [
                value if isinstance(part, types.Integer) else _group(context, builder, part, value)
                for part, value in zip(opened.types, arguments, strict=True)
            ]
            return context.make_tuple(builder, opened, parts)

        return opened(types.int64), build

    return intrinsic(typed)


def _type(kind: Kind) -> Any:  # noqa: ANN401
    """The type of what is lent."""
    held = [types.Array(numba.from_dtype(np.dtype(one)), 1, "C") for one in kind.types]
    if not kind.group:
        return held[0]
    return types.NamedTuple(held, getattr(arrays, kind.group, None) or getattr(scratch, kind.group))


def _group(context: Any, builder: Any, kind: Any, address: Any) -> Any:  # noqa: ANN401
    """What is lent, from the address of its numbers."""
    if isinstance(kind, types.Array):
        return _array(context, builder, kind, address, 0)
    held = [_array(context, builder, one, address, place) for place, one in enumerate(kind.types)]
    return context.make_tuple(builder, kind, held)


def _array(context: Any, builder: Any, kind: Any, address: Any, place: int) -> Any:  # noqa: ANN401
    """An array without an owner: numba counts references, with an atomic addition each, but not of those."""
    made = context.make_array(kind)(context, builder)
    data, length = (_load(builder, address, 2 * place + part) for part in range(2))
    width = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
    populate_array(made, builder.inttoptr(data, made.data.type), [length], [width], width, None)
    return made._getvalue()


def _load(builder: Any, address: Any, place: int) -> Any:  # noqa: ANN401
    """The whole number at a place behind an address."""
    number = ir.IntType(64)
    start = builder.inttoptr(address, number.as_pointer())
    return builder.load(builder.gep(start, [ir.Constant(number, place)]))
