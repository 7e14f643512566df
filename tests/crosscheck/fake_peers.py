"""Stand-ins for accountants: peer files that misbehave on purpose, and mutations of the code under test."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refdp.accounting import GaussianEvent, Ledger, Sampling
from refdp.crosscheck.discovery import Accountant, accountants

TEMPLATE = """
PACKAGE = "{package}"
ACCOUNTANTS = {{
    "{package}": {{"side": "{side}", "method": "{method}", "schemes": ["poisson", "full-batch"], "relations": []}}
}}


def load():
{load}


def answer(accountant, case):
{body}
"""


def fake(
    folder: Path,
    body: str,
    *,
    package: str = "fake",
    side: str = "upper",
    method: str = "",
    load: str = 'return "1.2.3"',
) -> Accountant:
    """A peer file with these function bodies, discovered."""
    shown = {
        name: textwrap.indent(textwrap.dedent(text), "    ")
        for name, text in (("load", load), ("body", body or "pass"))
    }
    text = TEMPLATE.format(package=package, side=side, method=method, **shown)
    (folder / f"{package}.py").write_text(text, encoding="utf-8")
    return next(each for each in accountants(folder) if each.package == package)


def poisson(noise: float, rate: float, steps: int, neighboring: str = "add-remove") -> Ledger:
    """A run of equal Poisson steps."""
    return Ledger(neighboring, (GaussianEvent(noise, Sampling("poisson", rate), steps),))


def full_batch(noise: float, steps: int, neighboring: str = "add-remove") -> Ledger:
    """A run of full batches."""
    return Ledger(neighboring, (GaussianEvent(noise, Sampling("full-batch"), steps),))


def mutated(function: Callable[..., Any], old: str, new: str) -> Callable[..., Any]:
    """The function with a part of its source replaced: a fault seeded on purpose."""
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{old!r} is not just once in {function.__name__}"
    scope = dict(inspect.getmodule(function).__dict__)  # type: ignore[union-attr]
    exec(compile("from __future__ import annotations\n" + source.replace(old, new), "<fault>", "exec"), scope)
    found: Callable[..., Any] = scope[function.__name__]
    return found
