"""Names to things: every clipping, model, data set, sampler and optimizer is found here by its name.

A registered thing is a frozen dataclass in a module of its own; its fields are its parameters, its
``__post_init__`` their rules. Writing the module is all it takes to add one: the registry imports every
module of its package on first use.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from refdp.errors import RefDPError

T = TypeVar("T")


def parse_spec(text: str) -> tuple[str, dict[str, str]]:
    """Split ``NAME:param=value,param=value`` into the name and its raw parameters."""
    name, colon, rest = text.strip().partition(":")
    params: dict[str, str] = {}
    for item in rest.split(",") if colon else []:
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (key and equals and value):
            raise RefDPError(f"{text!r}: parameters are written NAME:param=value,param=value; got {item!r}")
        if key in params:
            raise RefDPError(f"{text!r}: parameter {key!r} is given twice")
        params[key] = value
    if not name:
        raise RefDPError(f"{text!r}: a name is missing; write NAME or NAME:param=value,...")
    return name, params


def _convert(kind: str, name: str, field: dataclasses.Field[Any], raw: Any) -> Any:
    """Turn the raw text of one parameter into the field's declared type."""
    wanted = field.type if isinstance(field.type, str) else field.type.__name__
    if not isinstance(raw, str) or wanted.startswith("str"):
        return raw
    base = wanted.split("|")[0].strip()
    if base == "bool":
        if raw.lower() in ("true", "false"):
            return raw.lower() == "true"
        raise RefDPError(f"{kind} {name}: {field.name} = {raw!r}: must be true or false")
    number: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
    try:
        return number[base](raw)
    except ValueError:
        rule = "a whole number" if base == "int" else "a number"
        raise RefDPError(f"{kind} {name}: {field.name} = {raw!r}: must be {rule}") from None


class Registry(Generic[T]):
    """The things of one kind, by name. ``package`` is imported, module by module, on first look-up."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, type[T]] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: make the class known under this name."""

        def add(cls: type[T]) -> type[T]:
            if name in self._entries:
                raise RuntimeError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = cls
            return cls

        return add

    def _load(self) -> None:
        if not self._loaded:
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            self._loaded = True

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        self._load()
        return tuple(sorted(self._entries))

    def get(self, name: str) -> type[T]:
        """The class registered under the name; raises RefDPError listing the names there are."""
        self._load()
        if name not in self._entries:
            raise RefDPError(f"unknown {self.kind} {name!r}: choose one of {', '.join(self.names())}")
        return self._entries[name]

    def create(self, spec: str, **given: Any) -> T:
        """Build from ``NAME:param=value,...``; ``given`` parameters must not be repeated in the text."""
        name, raw = parse_spec(spec)
        cls = self.get(name)
        fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
        values = {}
        for key, value in raw.items():
            if key not in fields or key in given:
                free = sorted(set(fields) - set(given))
                known = ", ".join(free) if free else "it takes none"
                raise RefDPError(f"{self.kind} {name}: unknown parameter {key!r} (known: {known})")
            values[key] = _convert(self.kind, name, fields[key], value)
        missing = [
            key
            for key, field in fields.items()
            if key not in values
            and key not in given
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ]
        if missing:
            raise RefDPError(f"{self.kind} {name}: parameter {missing[0]!r} is required")
        return cls(**values, **given)
