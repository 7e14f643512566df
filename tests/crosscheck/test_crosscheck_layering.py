"""What the cross-check may import, and that a peer's file needs nothing of refdp."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from test_layering import LEAVES, ROOT, files, imports

from refdp.crosscheck.discovery import FOLDER

PEERS = sorted(path for path in FOLDER.glob("*.py") if path.stem != "__init__")
OTHERS = {"opacus", "torch", "dp_accounting", "prv_accountant", "autodp", "jax", "jax_privacy"}


def test_it_imports_the_accountant_and_leaves_only() -> None:
    for path in files("crosscheck"):
        known = {name for name in imports(path) if (ROOT / name).is_dir() or (ROOT / f"{name}.py").exists()}
        assert known <= LEAVES | {"accounting", "crosscheck"}, path


@pytest.mark.parametrize("path", [*PEERS, FOLDER.parent / "child.py"], ids=lambda path: path.stem)
def test_what_runs_elsewhere_imports_the_standard_library_only(path: object) -> None:
    tree = ast.parse(path.read_text())  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert all(name.split(".")[0] in sys.stdlib_module_names for name in names), names


def test_no_accountant_is_imported_here() -> None:
    code = (
        "import sys, refdp.cli.crosscheck_accountant, refdp.crosscheck.reasons; "
        f"print([m for m in {sorted(OTHERS)!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
