"""Hostile pickles, opcode by opcode. Each would make the file CANARY if it were loaded."""

from __future__ import annotations

import pickle
import struct

CANARY = "canary-of-the-importers"
SHELL = f"touch {CANARY}".encode()


def text(value: bytes) -> bytes:
    """A string on the stack."""
    return b"X" + struct.pack("<I", len(value)) + value


class System:
    """Reduces to a shell command, as the textbook attack does."""

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.system, (SHELL.decode(),)


class Evaluated:
    def __reduce__(self) -> tuple[object, ...]:
        return eval, (f"open({CANARY!r}, 'w')",)


class Executed:
    def __reduce__(self) -> tuple[object, ...]:
        return exec, (f"open({CANARY!r}, 'w')",)


class Nested:
    """getattr(__import__('os'), 'system')(...)"""

    def __reduce__(self) -> tuple[object, ...]:
        return Got(), ()


class Got:
    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (__builtins__, "eval")


def dumped(value: object, protocol: int) -> bytes:
    """The pickle of a hostile object among harmless ones."""
    return pickle.dumps({"history": [(1.0, 0.1, 5)], "mechanism": "rdp", "x": value}, protocol)


REFUSED: dict[str, bytes] = {
    **{f"system-{protocol}": dumped(System(), protocol) for protocol in range(6)},
    **{f"eval-{protocol}": dumped(Evaluated(), protocol) for protocol in (0, 2, 4)},
    **{f"exec-{protocol}": dumped(Executed(), protocol) for protocol in (0, 2, 4)},
    "global-reduce": b"cos\nsystem\n(" + text(SHELL) + b"tR.",
    "global-alone": b"cposix\nsystem\n.",
    "module-not-yet-imported": b"ccolorsys\nrgb_to_yiq\n.",
    "stack-global": b"\x80\x04\x8c\x02os\x8c\x06system\x93(" + text(SHELL) + b"tR.",
    "stack-global-of-no-text": b"\x80\x04K\x01K\x02\x93.",
    "inst": b"(" + text(SHELL) + b"ios\nsystem\n.",
    "obj": b"(cos\nsystem\n" + text(SHELL) + b"o.",
    "newobj": b"\x80\x02csubprocess\nPopen\n(" + text(SHELL) + b"t\x81.",
    "newobj-ex": b"\x80\x04csubprocess\nPopen\n(" + text(SHELL) + b"t}\x92.",
    "ext1": b"\x80\x02\x82\x01.",
    "ext2": b"\x80\x02\x83\x01\x01.",
    "ext4": b"\x80\x02\x84\x01\x01\x01\x01.",
    "persistent-text": b"Pcanary\n.",
    "persistent": text(b"canary") + b"Q.",
    "persistent-other": b"(" + text(b"module") + b"cos\nsystem\ntQ.",
    "buffer": b"\x80\x05\x97.",
    "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\n" + text(b"x") + b"tR.",
    "import": b"c__builtin__\n__import__\n(" + text(b"os") + b"tR.",
    "dotted": b"\x80\x04" + text(b"collections") + text(b"OrderedDict.__init__.__globals__") + b"\x93.",
    "torch-hub": b"ctorch.hub\nload\n.",
    "torch-load": b"ctorch\nload\n.",
    "numpy-load": b"cnumpy\nload\n.",
    "operator": b"coperator\nattrgetter\n.",
    "functools": b"cfunctools\npartial\n.",
    "copyreg": b"ccopyreg\n_reconstructor\n.",
    "runpy": b"crunpy\nrun_path\n.",
    "call-of-a-value": b"(K\x01K\x02tR.".replace(b"(K\x01", b"K\x01(", 1),
    "call-of-a-made-thing": b"ccollections\nOrderedDict\n)R)R.",
    "newline-in-a-name": b"\x80\x04\x8c\x04a\nb\r\x8c\x02\x1b[\x93.",
}

HARMLESS: dict[str, bytes] = {
    "build": b"\x80\x02ccollections\nOrderedDict\n)R}" + text(b"__class__") + text(b"x") + b"sb.",
    "build-setstate": b"\x80\x02cargparse\nNamespace\n)\x81}" + text(b"__setstate__") + text(b"os") + b"sb.",
    "load-from-bytes": b"ctorch.storage\n_load_from_bytes\n(C\x03abctR.",
    "escapes": b"S'\\p'\n.",
    "reduce-without-a-tuple": b"ccollections\nOrderedDict\nNR.",
}


def bomb(levels: int = 64, last: bytes = b".") -> bytes:
    """(x, x) of (x, x) of ...: 2^levels leaves in a few bytes."""
    return b"\x80\x02)" + b"".join(b"q\x00h\x00\x86" for _ in range(levels)) + last


def nested(levels: int) -> bytes:
    """A list in a list in a list ..."""
    return b"\x80\x02" + b"]" * levels + b"a" * (levels - 1) + b"."


def in_history(value: bytes) -> bytes:
    """A state whose history holds whatever the opcodes make."""
    return b"\x80\x02}" + text(b"history") + b"](" + value + b"K\x01K\x01tas" + text(b"mechanism") + b"Ns."
