"""Seeding a fault: one expression of the library's source replaced, for one test."""

from __future__ import annotations

import inspect
import sys
import textwrap
from typing import Any

import pytest


def edit(patch: pytest.MonkeyPatch, owner: Any, name: str, old: str, new: str) -> None:
    """Replace ``old`` by ``new`` in the source of owner.name, a function of a module or a method of a class.

    The text must be there once, so that a fault cannot go stale unseen.
    """
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    assert source.count(old) == 1, f"{name}: {source.count(old)} times {old!r}"
    module = owner if inspect.ismodule(owner) else sys.modules[owner.__module__]
    space: dict[str, Any] = dict(vars(module))
    text = "from __future__ import annotations\n" + source.replace(old, new)
    exec(compile(text, module.__file__ or name, "exec"), space)
    right = getattr(owner, name)
    patch.setattr(owner, name, space[name])
    for path, other in list(sys.modules.items()):  # wherever it was imported by name
        if path.startswith("refdp.accounting") or path.endswith("_checks"):
            for alias, value in list(vars(other).items()):
                if value is right:
                    patch.setattr(other, alias, space[name])
