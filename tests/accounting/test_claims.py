"""docs/claims.md is complete: every guarantee of a docstring has a row, every row a function and tests that exist."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

import refdp.accounting

PACKAGE = Path(refdp.accounting.__file__).parent
ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(
    r"^\| (?P<claim>[\w.]+\.G\d+) \| (?P<what>[^|]+) \| (?P<theorem>[^|]+) \| "
    r"`(?P<function>[\w.]+)` \| (?P<tests>.+) \|$"
)


def rows() -> list[dict[str, str]]:
    lines = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ")][1:]
    found = [ROW.match(line) for line in table]
    assert all(found), [line for line, match in zip(table, found, strict=True) if not match]
    return [match.groupdict() for match in found if match]


def guarantees(package: Path = PACKAGE) -> list[str]:
    """``module.G1`` of every docstring, nested modules with dots."""
    found = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        texts = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]
        module = ".".join(path.relative_to(package).with_suffix("").parts)
        found += [
            f"{module}.{label}" for text in texts for label in re.findall(r"^(G\d+)\. ", text, re.MULTILINE)
        ]
    return found


def test_every_guarantee_has_one_row_and_every_row_a_guarantee() -> None:
    claims, promised = [row["claim"] for row in rows()], guarantees()
    assert len(claims) == len(set(claims))
    assert sorted(set(promised)) == sorted(claims)


def test_guarantees_are_numbered_from_one() -> None:
    numbers: dict[str, list[int]] = {}
    for claim in guarantees():
        module, _, label = claim.rpartition(".G")
        numbers.setdefault(module, []).append(int(label))
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values()), numbers


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["claim"])
def test_a_row_names_a_function_and_tests_that_exist(row: dict[str, str]) -> None:
    _resolve(row["function"])
    assert len(row["theorem"].strip()) > 5
    names = re.findall(r"`([^`]+)`", row["tests"])
    assert names
    for name in names:
        file, _, test = name.partition("::")
        functions = {
            n.name
            for n in ast.parse((ROOT / "tests" / file).read_text()).body
            if isinstance(n, ast.FunctionDef)
        }
        assert test in functions, name
        assert test.startswith(("test_", "check_"))
        if test.startswith("check_"):
            _is_called(test)


def _resolve(name: str) -> object:
    """The object of a dotted name under refdp.accounting: modules as far as they go, attributes after."""
    parts = name.split(".")
    for split in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(["refdp.accounting", *parts[:split]]))
        except ModuleNotFoundError:
            continue
        for part in parts[split:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"{name}: no such module")


def _is_called(check: str) -> None:
    """A named check is used by some test module."""
    users = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(rf"\b{check}\b|CHECKS|vars\(", path.read_text())
    ]
    assert users, check


def test_a_missing_row_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "new.py").write_text('"""What.\n\nG1. Something.\nG2. More.\n"""\n')
    assert guarantees(tmp_path) == ["kernels.new.G1", "kernels.new.G2"]
