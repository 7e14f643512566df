"""What a peer's file says of itself, read without running it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from refdp.errors import RefDPError


def literals(folder: Path, key: str) -> list[tuple[Path, str, Any]]:
    """(file, its PACKAGE, the value of ``key``) of every file of the folder that assigns it; sorted by file name.

    A file that does not is no such peer, but something else that runs where peers do.

    Raises:
        RefDPError: a file that assigns ``key`` and no PACKAGE, or no literals.
    """
    found = []
    for path in sorted(folder.glob("*.py")):
        values: dict[str, Any] = {}
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name in ("PACKAGE", key):
                    values[name] = _value(path, name, node.value)
        if key in values and "PACKAGE" not in values:
            raise RefDPError(
                f"{path.name}: assigns {key}, must assign PACKAGE too; see {folder.name}/__init__.py"
            )
        if key in values:
            found.append((path, str(values["PACKAGE"]), values[key]))
    return found


def _value(path: Path, name: str, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise RefDPError(
            f"{path.name}: {name} must be a literal, it is read without running the file"
        ) from None
