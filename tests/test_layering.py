"""Data flows one way: stages do not import each other, and the accountant imports nothing of refdp."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import refdp

ROOT = Path(refdp.__file__).parent
LEAVES = {
    "errors",
    "validate",
    "registry",
    "backend",
    "rng",
    "files",
    "figures",
    "norms",
    "processes",
    "schema",
}
STAGES = {"data", "samplers", "models", "gradients", "clippers", "noise", "optimizers"}
ALLOWED = {
    "accounting": set(),
    "data": LEAVES,
    "samplers": LEAVES | {"accounting"},
    "models": LEAVES,
    "gradients": LEAVES,
    "clippers": LEAVES | {"accounting"},
    "noise": LEAVES,
    "optimizers": LEAVES,
    "plan": LEAVES | STAGES | {"accounting"},
    "checkpoint": LEAVES,
    "chunks": LEAVES | STAGES | {"plan"},
    "batches": LEAVES | STAGES | {"plan", "chunks"},
    "engine": LEAVES | STAGES | {"plan", "checkpoint", "batches"},
    "config": LEAVES | STAGES | {"plan", "accounting"},
    "dpmechanism": LEAVES | {"accounting", "clippers", "noise"},
    "audit": LEAVES | {"accounting"},
    "audit/runs": LEAVES | STAGES | {"audit", "accounting", "plan", "batches", "engine", "config"},
    "traces": LEAVES,
    "crosscheck": LEAVES | {"accounting"},
    "crosscheck/training": LEAVES | {"crosscheck", "traces", "models", "clippers", "replay"},
    "replay": LEAVES | {"data", "models", "accounting", "config", "sweep"},
}
DEVICE_CODE = ("models", "gradients", "clippers", "noise", "optimizers", "chunks", "engine")


def imports(path: Path) -> set[str]:
    """First part under refdp of every import in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("refdp.")}


def files(part: str) -> list[Path]:
    """A part's files, without those of a part of it that has rules of its own."""
    path = ROOT / part
    own = [ROOT / other for other in ALLOWED if other.startswith(f"{part}/")]
    found = sorted(path.rglob("*.py")) if path.is_dir() else [ROOT / f"{part}.py"]
    return [each for each in found if not any(each.is_relative_to(other) for other in own)]


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_a_part_imports_only_what_stands_before_it(part: str) -> None:
    for path in files(part):
        known = {name for name in imports(path) if (ROOT / name).is_dir() or (ROOT / f"{name}.py").exists()}
        extra = known - ALLOWED[part] - {part}
        assert not extra, f"{path.relative_to(ROOT)} imports refdp.{sorted(extra)}"


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_leaves_import_leaves_only(leaf: str) -> None:
    assert imports(ROOT / f"{leaf}.py") <= LEAVES


@pytest.mark.parametrize("part", DEVICE_CODE)
def test_device_code_never_names_an_array_library(part: str) -> None:
    """Whatever is handed an array module computes with that one: no ``np.`` and no cupy inside such a function."""
    functions = 0
    for path in files(part):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        assert "cupy" not in names, path
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            if "xp" in {argument.arg for argument in function.args.args}:
                functions += 1
                used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
                assert not used & {"np", "numpy"}, f"{path}: {function.name} names numpy beside xp"
    assert functions or part in ("noise", "engine", "chunks")


def test_no_file_is_longer_than_300_lines() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in ROOT.rglob("*.py")
        if (n := len(p.read_text().splitlines())) > 300
    }
    assert not long


@pytest.mark.parametrize(
    "module", ["refdp", "refdp.cli", "refdp.backend", "refdp.engine", "refdp.sweep.runner"]
)
def test_cupy_and_matplotlib_are_not_imported_until_asked_for(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('cupy', 'matplotlib', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
