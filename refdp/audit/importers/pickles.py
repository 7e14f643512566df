"""A pickle is a program. This reads one opcode by opcode into plain containers and runs nothing that it names.

G1. No class or function is imported, looked up, called or given state: names are pairs of strings, checked against
    ``pickle_names.KNOWN`` where they are named, and what they would make is a dict, a list, a number or an Inert.
G2. At most 32 MiB, a million opcodes and 2^32 memo slots; keys that are no text or small number are passed over
    (hashing others can take for ever), integers beyond 256 bits are not made.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from typing import Any

from refdp.audit.importers.pickle_names import SMALL, Attributes, Inert, Name, make, named
from refdp.audit.importers.words import one_line, short
from refdp.errors import RefDPError

PICKLE_LIMIT = 32 * 2**20
MOST_OPCODES = 10**6
REMEDY = "save json.dump(accountant.state_dict(), file) instead"


def read_pickle(data: bytes) -> Any:
    """What the pickle holds, as containers, numbers, text and Inerts (see the module's guarantees).

    Raises:
        RefDPError: a name outside the list, a damaged or too long pickle, a feature that could bring code.
    """
    if len(data) > PICKLE_LIMIT:
        raise RefDPError(f"its pickle has {len(data):,} bytes: at most {PICKLE_LIMIT:,} are read; {REMEDY}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes in the pickle's strings
            return _run(data)
    except RefDPError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise RefDPError(
            f"its pickle is damaged or cut off ({one_line(str(error)) or type(error).__name__}); save it again"
        ) from None


def _run(data: bytes) -> Any:
    machine = _Machine()
    for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if number == MOST_OPCODES:
            raise RefDPError(f"its pickle has over {MOST_OPCODES:,} opcodes: too long; {REMEDY}")
        _STEPS[opcode.name](machine, argument)
    return machine.pop()


class _Machine:
    """The stack, its marks and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return self.stack.pop()

    def mark(self, _: Any = None) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def since_mark(self, _: Any = None) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def drop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.since_mark()

    def put(self, slot: Any) -> None:
        if not 0 <= int(slot) < 2**32:
            raise RefDPError(f"its pickle uses memo slot {short(slot)}: damaged, or made to harm; {REMEDY}")
        self.memo[int(slot)] = self.stack[-1]

    def integer(self, value: int) -> None:
        self.push(value if value.bit_length() <= 256 else Inert(f"integer of {value.bit_length():,} bits"))

    def append(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def set_items(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], dict):
            self.stack[-1].update(pairs(items))

    def build(self, _: Any) -> None:
        """State for the object below: kept for what is a bag of attributes, or a dtype's byte order."""
        state, target = self.pop(), self.stack[-1]
        if isinstance(target, Attributes) and isinstance(state, dict) and len(state) <= SMALL:
            target.update(state)
        elif isinstance(target, Inert) and target.kind == "numpy.dtype" and isinstance(state, tuple):
            target.state = (target.state[0] if isinstance(target.state, tuple) else target.state, state[1])

    def call(self, function: Any, arguments: Any) -> None:
        if not isinstance(function, Name):
            raise RefDPError(f"its pickle calls {short(function)}, which is no name: refused; {REMEDY}")
        self.push(make(function, arguments if isinstance(arguments, tuple) else ()))

    def reduce(self, _: Any) -> None:
        arguments = self.pop()
        self.call(self.pop(), arguments)

    def reduce_with_keywords(self, _: Any) -> None:
        self.pop()
        self.reduce(None)

    def instance(self, argument: str) -> None:
        self.call(named(*argument.split(" ", 1)), tuple(self.since_mark()))

    def instance_of_stack(self, _: Any) -> None:
        function, *arguments = self.since_mark()
        self.call(function, tuple(arguments))

    def stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        self.push(named(module, name))

    def tuple_of(self, size: int) -> None:
        if len(self.stack) < size:
            raise LookupError("stack underflow")
        items = self.stack[len(self.stack) - size :]
        del self.stack[len(self.stack) - size :]
        self.push(tuple(items))

    def storage(self, _: Any) -> None:
        """A tensor's data, kept beside the pickle: never loaded."""
        identity = self.pop()
        if not isinstance(identity, tuple) or not identity or identity[0] != "storage":
            raise RefDPError(f"its pickle refers to {short(identity)} outside itself: refused; {REMEDY}")
        self.push(Inert("a tensor's storage"))


def pairs(items: list[Any]) -> dict[Any, Any]:
    """Key, value, key, value ... as a dict; keys that are no text or small whole number are passed over."""
    if len(items) % 2:
        raise LookupError("a key without a value")
    return {
        key: value
        for key, value in zip(items[::2], items[1::2], strict=True)
        if isinstance(key, str) or (type(key) is int and abs(key) < 2**60)
    }


def _refuse(what: str) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, argument: Any) -> None:
        raise RefDPError(f"its pickle {what}: refused, and nothing of it was run; {REMEDY}")

    return step


def _push(machine: _Machine, value: Any) -> None:
    machine.push(value)


def _nothing(machine: _Machine, argument: Any) -> None:
    """PROTO, FRAME, STOP."""


_Step = Callable[[_Machine, Any], None]
_LITERALS = (
    "FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES "
    "SHORT_BINBYTES BINBYTES8 BYTEARRAY8"
)
_STEPS: dict[str, _Step] = {
    **dict.fromkeys(_LITERALS.split(), _push),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"), _Machine.integer),
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _nothing),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, slot: m.push(m.memo[slot])),
    **dict.fromkeys(
        ("EXT1", "EXT2", "EXT4"), _refuse("names a class by a number of this machine's registry")
    ),
    **dict.fromkeys(("NEXT_BUFFER", "READONLY_BUFFER"), _refuse("takes data from outside itself")),
    "PERSID": _refuse("refers to something outside itself"),
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_SET": lambda m, _: m.push([]),
    "MARK": _Machine.mark,
    "POP": _Machine.drop,
    "POP_MARK": lambda m, _: (m.since_mark(), None)[1],
    "DUP": lambda m, _: m.push(m.stack[-1]),
    "LIST": lambda m, _: m.push(m.since_mark()),
    "FROZENSET": lambda m, _: m.push(m.since_mark()),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "DICT": lambda m, _: m.push(pairs(m.since_mark())),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    "APPEND": lambda m, _: m.append([m.pop()]),
    "APPENDS": lambda m, _: m.append(m.since_mark()),
    "ADDITEMS": lambda m, _: m.append(m.since_mark()),
    "SETITEM": lambda m, _: m.set_items([m.pop(), m.pop()][::-1]),
    "SETITEMS": lambda m, _: m.set_items(m.since_mark()),
    "GLOBAL": lambda m, argument: m.push(named(*argument.split(" ", 1))),
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "NEWOBJ_EX": _Machine.reduce_with_keywords,
    "INST": _Machine.instance,
    "OBJ": _Machine.instance_of_stack,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
}
