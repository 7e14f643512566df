"""``--peer NAME=PYTHON``: interpreters in which other packages are installed."""

from __future__ import annotations

import shutil

from refdp.errors import RefDPError


def interpreters(given: tuple[str, ...], packages: set[str]) -> dict[str, str]:
    """By package; raises RefDPError for what is no NAME=PYTHON, unknown, given twice, or no program."""
    found: dict[str, str] = {}
    for item in given:
        name, equals, python = (part.strip() for part in item.partition("="))
        if not (name and equals and python):
            raise RefDPError(
                f"--peer {item!r}: must be NAME=PYTHON, for example opacus=/opt/opacus/bin/python"
            )
        if name not in packages:
            raise RefDPError(
                f"--peer {item!r}: unknown package {name!r}: one of {', '.join(sorted(packages))}"
            )
        if name in found:
            raise RefDPError(f"--peer {item!r}: {name} is given twice; give one interpreter")
        if shutil.which(python) is None:
            raise RefDPError(
                f"--peer {item!r}: {python!r} is no program that can be run; give an interpreter"
            )
        found[name] = python
    return found
