"""Which accountants are known: the files of ``peers``, whose literals are read without running them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from refdp.errors import RefDPError

FOLDER = Path(__file__).parent / "peers"
SIDES = ("upper", "estimate", "interval", "lower")


@dataclass(frozen=True)
class Accountant:
    """One accountant of a package.

    Attributes:
        name: as ``--only`` and the report call it.
        package: as it is installed, and as ``--peer`` calls it.
        file: the file that asks it.
        side: what it claims: "upper" and "lower" bounds, an "interval" of both, or an "estimate".
        method: "rdp", "pld" or "clt".
        schemes: sampling schemes of a ledger that it has events for.
        relations: neighbouring relations that it takes, or whose figure is the same as one it takes.
        conversion: from Renyi DP to epsilon, where its documentation names one.
    """

    name: str
    package: str
    file: Path
    side: str
    method: str
    schemes: tuple[str, ...]
    relations: tuple[str, ...]
    conversion: str | None = None


def accountants(folder: Path | None = None) -> tuple[Accountant, ...]:
    """Every accountant of every file, packages sorted by file name."""
    paths = sorted((folder or FOLDER).glob("*.py"))
    return tuple(found for path in paths if path.stem != "__init__" for found in _read(path))


def _read(path: Path) -> list[Accountant]:
    literals = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("PACKAGE", "ACCOUNTANTS"):
                literals[name] = ast.literal_eval(node.value)
    if set(literals) != {"PACKAGE", "ACCOUNTANTS"}:
        raise RefDPError(
            f"{path.name}: a peer's file must assign PACKAGE and ACCOUNTANTS; see peers/__init__.py"
        )
    found = []
    for name, of in literals["ACCOUNTANTS"].items():
        if of["side"] not in SIDES:
            raise RefDPError(f"{path.name}: side = {of['side']!r}: must be one of {', '.join(SIDES)}")
        schemes, relations = tuple(of["schemes"]), tuple(of["relations"])
        conversion = of.get("conversion")
        found.append(
            Accountant(
                name, literals["PACKAGE"], path, of["side"], of["method"], schemes, relations, conversion
            )
        )
    return found


def chosen(names: list[str] | None, known: tuple[Accountant, ...]) -> tuple[Accountant, ...]:
    """The accountants of these names, or of packages of these names; all of them where none is given."""
    if names is None:
        return known
    for name in names:
        if not any(name in (each.name, each.package) for each in known):
            all_names = ", ".join(each.name for each in known)
            raise RefDPError(f"unknown accountant {name!r}: choose among {all_names}, or a package")
    return tuple(each for each in known if each.name in names or each.package in names)
