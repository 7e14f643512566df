"""Python's way of writing a value (its repr), read as data. Nothing is evaluated, looked up or imported.

Literals, lists, tuples, dicts and sets; ``Name(arguments)`` becomes a Call that names what it would build (a numpy
number its number); anything else that a repr prints (``<class 'float'>``, ``PartitionType.EQUAL_SPLIT``) an Opaque
that keeps the text. Not by ``ast``, whose parser can exhaust the interpreter's stack on hostile text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from refdp.audit.importers.words import short
from refdp.errors import RefDPError

MOST_TOKENS = 10**6
DEEPEST = 80

_TOKEN = re.compile(
    r"""\s*+(?:
      (?P<string>[bBrRuU]{0,2}(?:'[^'\\\n]*(?:\\.[^'\\\n]*)*'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"))
    | (?P<number>(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?(?![\w.]))
    | (?P<ellipsis>\.\.\.)
    | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    | (?P<opaque><[^<>]*(?:<[^<>]*>[^<>]*)*>)
    | (?P<mark>[()\[\]{},:=+\-/])
    )""",
    re.VERBOSE,
)
_CONSTANTS: dict[str, Any] = {
    "None": None,
    "True": True,
    "False": False,
    "nan": float("nan"),
    "inf": float("inf"),
    "null": None,
    "true": True,
    "false": False,
}
_NUMBERS = {f"{kind}{bits}" for kind in ("float", "int", "uint") for bits in ("", 8, 16, 32, 64)}


@dataclass(frozen=True)
class Call:
    """``name(*args, **fields)`` as text named it; never called."""

    name: str
    args: tuple[Any, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def last_name(self) -> str:
        """The name without its modules."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Opaque:
    """Something that stands for itself only: a name, or ``<...>``."""

    text: str

    def __repr__(self) -> str:
        return self.text


def parse_python(text: str) -> Any:
    """The value that the text writes.

    Raises:
        RefDPError: where it is no such text, is nested beyond 80 levels, or has over a million parts.
    """
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.tokens = 0
        self.kind = ""
        self.token = ""
        self.start = 0
        self.depth = 0
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            rest = self.text[self.position :].strip()
            if rest:
                self.start = self.position
                raise RefDPError(f"{short(rest, 24)} at character {self.position:,} was not understood")
            self.kind, self.token, self.start = "end", "", len(self.text)
            return
        self.tokens += 1
        if self.tokens > MOST_TOKENS:
            raise RefDPError(f"has over {MOST_TOKENS:,} parts: too long to be a record's text")
        self.kind = str(match.lastgroup)
        self.token = match[self.kind]
        self.start = match.start(self.kind)
        self.position = match.end()

    def fail(self, wanted: str) -> RefDPError:
        found = "the text ends" if self.kind == "end" else f"{short(self.token, 24)} stands"
        return RefDPError(f"{found} at character {self.start:,}, where {wanted} was expected")

    def take(self, mark: str) -> bool:
        if self.kind == "mark" and self.token == mark:
            self.advance()
            return True
        return False

    def whole(self) -> Any:
        value = self.value()
        if self.kind != "end":
            raise self.fail("the end")
        return value

    def value(self) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            raise RefDPError(f"nested deeper than {DEEPEST} levels: too deep to be a record")
        value = self.atom()
        if self.kind == "mark" and self.token == "/" and type(value) in (int, float):
            self.advance()
            below = self.atom()
            if type(below) not in (int, float) or not below:
                raise self.fail("a number other than 0 to divide by")
            value = value / below
        self.depth -= 1
        return value

    def atom(self) -> Any:
        kind, token = self.kind, self.token
        if kind == "number":
            self.advance()
            return _number(token)
        if kind == "string":
            self.advance()
            return token[token.index(token[-1]) + 1 : -1]
        if kind == "name":
            self.advance()
            if self.take("("):
                return self.call(token)
            return _CONSTANTS[token] if token in _CONSTANTS else Opaque(token)
        if kind in ("opaque", "ellipsis"):
            self.advance()
            return Opaque(token)
        if kind == "mark" and token in "+-":
            self.advance()
            if self.kind not in ("number", "name"):
                raise self.fail("a number")
            number = self.atom()
            if type(number) not in (int, float):
                raise self.fail("a number")
            return -number if token == "-" else number
        if kind == "mark" and token in "([{":
            self.advance()
            return {"(": self.tuple, "[": self.list, "{": self.dict}[token]()
        raise self.fail("a value")

    def call(self, name: str) -> Any:
        args: list[Any] = []
        fields: dict[str, Any] = {}
        while not self.take(")"):
            value = self.value()
            if isinstance(value, Opaque) and self.take("="):
                if value.text in fields:
                    raise RefDPError(f"{short(name)}: {short(value.text)} is given twice")
                fields[value.text] = self.value()
            elif fields:
                raise self.fail("name=value")
            else:
                args.append(value)
            if not self.take(","):
                if self.take(")"):
                    break
                raise self.fail("',' or ')'")
        found = Call(name, tuple(args), fields)
        is_number = not fields and len(args) == 1 and type(args[0]) in (int, float)
        return args[0] if is_number and found.last_name in _NUMBERS else found

    def items(self, close: str) -> tuple[list[Any], bool]:
        found: list[Any] = []
        comma = False
        while not self.take(close):
            found.append(self.value())
            comma = self.take(",")
            if not comma:
                if self.take(close):
                    break
                raise self.fail(f"',' or {close!r}")
        return found, comma

    def tuple(self) -> Any:
        found, comma = self.items(")")
        return found[0] if len(found) == 1 and not comma else tuple(found)

    def list(self) -> Any:
        return self.items("]")[0]

    def dict(self) -> Any:
        found: dict[Any, Any] = {}
        plain: list[Any] = []
        while not self.take("}"):
            key = self.value()
            if self.take(":"):
                value = self.value()
                if not isinstance(key, str | int) or key in found:
                    raise RefDPError(f"{short(key)} as a dict's key: must be text or a whole number, once")
                found[key] = value
            else:
                plain.append(key)
            if not self.take(","):
                if self.take("}"):
                    break
                raise self.fail("',' or '}'")
        return plain if plain else found


def _number(token: str) -> int | float:
    if token.isdigit():
        if len(token) > 400:
            raise RefDPError(f"a whole number of {len(token):,} digits: too long to be a record's")
        return int(token)
    return float(token)
