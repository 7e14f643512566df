"""The names that a checkpoint's pickle may hold, and the plain value each one stands for here.

None of them is imported: a name is two strings, and what it would have built is made from plain containers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refdp.audit.importers.words import short
from refdp.errors import RefDPError

SMALL = 256


class Inert:
    """Something that the record holds and that does not matter here: a tensor, a path, a date."""

    def __init__(self, kind: str, state: Any = None) -> None:
        self.kind = kind
        self.state = state

    def __repr__(self) -> str:
        return f"<{self.kind}>"


class Attributes(dict[str, Any]):
    """The attributes of an object that is a bag of them."""


@dataclass(frozen=True)
class Name:
    """A class or function, as two strings."""

    module: str
    name: str

    def __repr__(self) -> str:
        return f"{self.module}.{self.name}"


_Maker = Callable[[tuple[Any, ...]], Any]


# What follows makes no copy of anything large: a pickle may ask for it a million times over.


def _dict(arguments: tuple[Any, ...]) -> Any:
    found = arguments[-1] if arguments else ()
    if isinstance(found, list | tuple) and len(found) <= SMALL:
        rows = [row for row in found if isinstance(row, list | tuple) and len(row) == 2]
        return {row[0]: row[1] for row in rows if isinstance(row[0], str)}
    return found if isinstance(found, dict) else {}


def _list(arguments: tuple[Any, ...]) -> Any:
    return arguments[0] if arguments and isinstance(arguments[0], list) else []


def _encoded(arguments: tuple[Any, ...]) -> Any:
    """Bytes, as pickles of protocol 2 write them."""
    text = arguments[0] if arguments else None
    if isinstance(text, str) and len(text) <= SMALL and arguments[1:] in (("latin1",), ("latin-1",)):
        return text.encode("latin-1")
    return Inert("bytes")


_CODES = {"f8": "d", "f4": "f", "f2": "e", "b1": "?"} | {
    f"{kind}{size}": (code.upper() if kind == "u" else code)
    for kind in "iu"
    for size, code in (("1", "b"), ("2", "h"), ("4", "i"), ("8", "q"))
}


def _scalar(arguments: tuple[Any, ...]) -> Any:
    """A numpy number, from its bytes."""
    kind, data = arguments if len(arguments) == 2 else (None, None)
    if isinstance(kind, Inert) and kind.kind == "numpy.dtype" and isinstance(data, bytes):
        code, order = kind.state if isinstance(kind.state, tuple) else (kind.state, "<")
        if isinstance(code, str) and code in _CODES and order in ("<", ">", "|", "="):
            form = ("<" if order in ("|", "=") else order) + _CODES[code]
            if struct.calcsize(form) == len(data):
                return struct.unpack(form, data)[0]
    return Inert("numpy scalar")


def _dtype(arguments: tuple[Any, ...]) -> Inert:
    return Inert("numpy.dtype", arguments[0] if arguments else None)


def _accountant(mechanism: str) -> _Maker:
    return lambda _: Attributes(mechanism=mechanism)


def _inert(kind: str) -> _Maker:
    return lambda _: Inert(kind)


def _known() -> dict[tuple[str, str], _Maker]:
    known: dict[tuple[str, str], _Maker] = {
        ("collections", "OrderedDict"): _dict,
        ("collections", "defaultdict"): lambda _: {},
        ("collections", "Counter"): _dict,
        ("collections", "deque"): _list,
        ("_codecs", "encode"): _encoded,
        ("argparse", "Namespace"): lambda _: Attributes(),
        ("types", "SimpleNamespace"): lambda _: Attributes(),
        ("opacus.accountants.rdp", "RDPAccountant"): _accountant("rdp"),
        ("opacus.accountants.prv", "PRVAccountant"): _accountant("prv"),
        ("opacus.accountants.gdp", "GaussianAccountant"): _accountant("gdp"),
        ("numpy", "dtype"): _dtype,
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        known[module, "scalar"] = _scalar
        known[module, "_reconstruct"] = _inert("numpy array")
    for module in ("builtins", "__builtin__"):
        known |= {(module, name): _list for name in ("set", "frozenset", "list", "tuple")}
        known |= {(module, name): _inert(name) for name in ("complex", "slice", "range", "bytearray")}
        known[module, "dict"] = _dict
    inert = {
        "numpy": "ndarray",
        "torch._utils": (
            "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter "
            "_rebuild_parameter_with_state _rebuild_qtensor _rebuild_sparse_tensor _rebuild_meta_tensor_no_storage"
        ),
        "torch._tensor": "_rebuild_from_type_v2",
        "torch.serialization": "_get_layout",
        "torch.storage": "UntypedStorage TypedStorage _load_from_bytes",
        "torch.nn.parameter": "Parameter Buffer",
        "torch": (
            "Size device Tensor Generator FloatStorage DoubleStorage HalfStorage BFloat16Storage LongStorage "
            "IntStorage ShortStorage CharStorage ByteStorage BoolStorage ComplexFloatStorage ComplexDoubleStorage "
            "float16 float32 float64 bfloat16 float8_e4m3fn float8_e5m2 int8 int16 int32 int64 uint8 uint16 uint32 "
            "uint64 bool complex64 complex128"
        ),
        "pathlib": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
        "pathlib._local": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
        "datetime": "datetime date time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "uuid": "UUID",
    }
    return known | {
        (module, name): _inert("tensor, not loaded" if "_rebuild" in name else f"{module}.{name}")
        for module, names in inert.items()
        for name in names.split()
    }


KNOWN = _known()


def named(module: Any, name: Any = None) -> Name:
    """A name of the list; any other is refused, by name."""
    if not (isinstance(module, str) and isinstance(name, str)):
        raise RefDPError(
            f"its pickle makes a name of {short((module, name))}: refused, and nothing of it was run"
        )
    if (module, name) not in KNOWN:
        raise RefDPError(
            f"names {short(f'{module}.{name}', 120)}, which is no tensor or container: refused, and nothing of it was "
            "run; save json.dump(accountant.state_dict(), file) instead"
        )
    return Name(module, name)


def make(name: Name, arguments: tuple[Any, ...]) -> Any:
    """The plain value that stands for ``name(*arguments)``."""
    return KNOWN[name.module, name.name](arguments)
