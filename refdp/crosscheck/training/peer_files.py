"""What a peer's file says of itself, read without running it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from refdp.errors import RefDPError


def literals(folder: Path, *names: str) -> list[tuple[Path, dict[str, Any]]]:
    """(file, {name: value}) of every file of the folder that assigns all these names; sorted by file name.

    A file that assigns none of them is no peer, but something that runs where peers do.

    Raises:
        RefDPError: a file that assigns some of them and not the others, or no literals.
    """
    found = []
    for path in sorted(folder.glob("*.py")):
        values: dict[str, Any] = {}
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name in names:
                    values[name] = _value(path, name, node.value)
        if values and set(values) != set(names):
            raise RefDPError(
                f"{path.name}: must assign all of {', '.join(names)}; see {folder.name}/__init__.py"
            )
        if values:
            found.append((path, values))
    return found


def _value(path: Path, name: str, node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise RefDPError(
            f"{path.name}: {name} must be a literal, it is read without running the file"
        ) from None
