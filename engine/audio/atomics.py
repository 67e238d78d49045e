"""Atomic loads and stores for numba kernels, and the three C calls that the audio callback makes.

Numba has no memory ordering of its own; these intrinsics emit LLVM's atomic instructions, which a ring
between two threads needs on processors with weak ordering (Apple silicon, Raspberry Pi).
"""

from __future__ import annotations

import sys
import time
from typing import Any, no_type_check

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Python's time.monotonic_ns() reads this clock.
_MONOTONIC = 8 if sys.platform == "darwin" else getattr(time, "CLOCK_MONOTONIC", 1)


def _item_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Pointer to array[index]."""
    view = context.make_array(array_type)(context, builder, array)
    return builder.gep(view.data, [index])


@intrinsic
@no_type_check
def load_acquire(typingctx, array, index):
    """array[index] of an int64 array; nothing after it is read before it."""

    def codegen(context, builder, signature, args):
        pointer = _item_pointer(context, builder, signature.args[0], args[0], args[1])
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(array, types.int64), codegen


@intrinsic
@no_type_check
def store_release(typingctx, array, index, value):
    """array[index] = value of an int64 array; everything before it is seen by who loads it."""

    def codegen(context, builder, signature, args):
        pointer = _item_pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store_atomic(args[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), codegen


@intrinsic
@no_type_check
def fence(typingctx):
    """No load or store moves across this point."""

    def codegen(context, builder, signature, args):
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
@no_type_check
def as_pointer(typingctx, address):
    """An int64 address as a void pointer, for numba.carray."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), codegen


@intrinsic
@no_type_check
def as_address(typingctx, pointer):
    """A void pointer as an int64 address."""

    def codegen(context, builder, signature, args):
        return builder.ptrtoint(args[0], ir.IntType(64))

    return types.int64(types.voidptr), codegen


@intrinsic
@no_type_check
def sem_post(typingctx, address):
    """Post the POSIX semaphore at this address: async-signal safe, never waits."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.IntType(32), [cgutils.voidptr_t])
        function = cgutils.get_or_insert_function(builder.module, kind, "sem_post")
        builder.call(function, [builder.inttoptr(args[0], cgutils.voidptr_t)])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
@no_type_check
def monotonic_ns(typingctx):
    """The clock of Python's time.monotonic_ns(), read in C."""

    def codegen(context, builder, signature, args):
        i32, i64 = ir.IntType(32), ir.IntType(64)
        timespec = cgutils.alloca_once(builder, ir.ArrayType(i64, 2))
        kind = ir.FunctionType(i32, [i32, cgutils.voidptr_t])
        function = cgutils.get_or_insert_function(builder.module, kind, "clock_gettime")
        builder.call(function, [i32(_MONOTONIC), builder.bitcast(timespec, cgutils.voidptr_t)])
        seconds = builder.extract_value(builder.load(timespec), 0)
        nanos = builder.extract_value(builder.load(timespec), 1)
        return builder.add(builder.mul(seconds, i64(1_000_000_000)), nanos)

    return types.int64(), codegen
