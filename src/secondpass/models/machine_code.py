"""A function written instruction by instruction and compiled by LLVM for the processor at hand.

For the few loops that no library computes as fast as the processor can. `compiled` takes what writes the code:

    >>> import numpy as np
    >>> def write(code: Code) -> None:
    ...     numbers, count = code.arguments
    ...     with code.loop(count) as place:
    ...         here = code.pointer(numbers + place * 4, ir.IntType(32))
    ...         code.builder.store(code.builder.add(code.builder.load(here), ir.Constant(ir.IntType(32), 1)), here)
    >>> add_one = compiled(write, arguments=2)
    >>> values = np.arange(3, dtype=np.int32)
    >>> add_one(values.ctypes.data, len(values))
    >>> values.tolist()
    [1, 2, 3]
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

_LONG = ir.IntType(64)
_NAME = "compiled"
_KEPT: list[Any] = []  # machine code lives as long as the engine that made it


class Whole:
    """A whole number of 64 bits, or an address, that the code being written computes with."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.value = value

    def __add__(self, other: Whole | int) -> Whole:
        """Write an addition."""
        return Whole(self.builder, self.builder.add(self.value, value_of(other)))

    def __sub__(self, other: Whole | int) -> Whole:
        """Write a subtraction."""
        return Whole(self.builder, self.builder.sub(self.value, value_of(other)))

    def __mul__(self, other: Whole | int) -> Whole:
        """Write a multiplication."""
        return Whole(self.builder, self.builder.mul(self.value, value_of(other)))

    def __floordiv__(self, other: Whole | int) -> Whole:
        """Write a division of numbers that are not negative."""
        return Whole(self.builder, self.builder.udiv(self.value, value_of(other)))

    def at_most(self, other: Whole | int) -> Whole:
        """Write the choice of the smaller one."""
        value = value_of(other)
        smaller = self.builder.icmp_signed("<", self.value, value)
        return Whole(self.builder, self.builder.select(smaller, self.value, value))

    def equals(self, other: Whole | int) -> Any:
        """Write a comparison, for `Code.when`."""
        return self.builder.icmp_signed("==", self.value, value_of(other))


class Code:
    """Writes the instructions of one function, which is given ``arguments``; ``builder`` is llvmlite's."""

    def __init__(self, module: Any, builder: Any, arguments: list[Whole]) -> None:
        self.module = module
        self.builder = builder
        self.arguments = arguments

    def pointer(self, address: Whole, kind: Any) -> Any:
        """Return ``address`` as a pointer to ``kind``."""
        return self.builder.inttoptr(address.value, kind.as_pointer())

    def read_whole(self, address: Whole) -> Whole:
        """Write the reading of a whole number of 64 bits."""
        return Whole(self.builder, self.builder.load(self.pointer(address, _LONG)))

    def write_whole(self, address: Whole, number: Whole | int) -> None:
        """Write the writing of a whole number of 64 bits."""
        self.builder.store(value_of(number), self.pointer(address, _LONG))

    def call(self, name: str, kind: Any, values: list[Any]) -> Any:
        """Write the instruction that LLVM calls ``name``; it returns a ``kind``."""
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(self.module, ir.FunctionType(kind, [value.type for value in values]), name)
        return self.builder.call(function, values)

    @contextmanager
    def loop(self, count: Whole | int) -> Iterator[Whole]:
        """Write what the block writes as a loop of ``count`` rounds, and give the number of the round, from 0."""
        builder = self.builder
        start, body, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
        total = value_of(count)
        builder.cbranch(builder.icmp_signed(">", total, ir.Constant(_LONG, 0)), body, after)
        builder.position_at_end(body)
        turn = builder.phi(_LONG)
        turn.add_incoming(ir.Constant(_LONG, 0), start)
        yield Whole(builder, turn)
        following = builder.add(turn, ir.Constant(_LONG, 1))
        turn.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, total), body, after)
        builder.position_at_end(after)

    @contextmanager
    def when(self, condition: Any) -> Iterator[None]:
        """Write what the block writes so that it runs only where ``condition`` holds."""
        with self.builder.if_then(condition):
            yield


def compiled(write: Callable[[Code], None], arguments: int, features: str = "") -> Callable[..., None]:
    """Compile what ``write`` writes into a function of so many ``arguments``, whole numbers of 64 bits or addresses.

    It lets other Python threads run while it computes, and stays for as long as the process runs. ``features``: what
    the processor surely has, in LLVM's words ("+amx-tile"), beside what LLVM sees for itself. An instruction that it
    has not ends the process.
    """
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_LONG] * arguments), _NAME)
    builder = ir.IRBuilder(function.append_basic_block())
    write(Code(module, builder, [Whole(builder, value) for value in function.args]))
    builder.ret_void()
    engine = _machine_code(str(module), features)
    _KEPT.append(engine)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)(engine.get_function_address(_NAME))


def value_of(number: Whole | int) -> Any:
    """Return what llvmlite knows a whole number by."""
    return number.value if isinstance(number, Whole) else ir.Constant(_LONG, number)


def _machine_code(assembly: str, features: str) -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    known = ",".join(part for part in (llvm.get_host_cpu_features().flatten(), features) if part)
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=known, opt=3)
    module = llvm.parse_assembly(assembly)
    module.verify()
    settings = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, settings)
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
