"""What can be known of cupy without a GPU: its names, and the kernels that cupy.fuse makes of our formulas.

Formulas are traced as on a device, with arrays whose memory does not exist. The kernel's own text is then compiled for
GPUs, and for this machine, where it must give what numpy gives.
"""

from __future__ import annotations

import ast
import ctypes
import importlib
import inspect
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strict_backend

import refdp

ROOT = Path(refdp.__file__).parent
RANKS = {
    "refdp.models.layers.relu._relu_backward": (4, 4),
    "refdp.models.layers.tanh._tanh_backward": (2, 2),
    "refdp.models.layers.group_norm._normalised": (3, 3, 3),
    "refdp.models.layers.group_norm._group_norm_backward": (3, 3, 3, 3, 3),
    "refdp.models.layers.group_norm._products": (3, 3),
    "refdp.norms._sums_of_squares": (2,),
}
"""Every fused formula, and the number of axes of its arrays."""


def formula(name: str) -> Any:
    module, function = name.rsplit(".", 1)
    return getattr(importlib.import_module(module), function).__wrapped__


def test_every_fused_formula_is_listed() -> None:
    found = set()
    for path in ROOT.rglob("*.py"):
        module = ".".join(("refdp", *path.relative_to(ROOT).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and "fused" in map(ast.unparse, node.decorator_list):
                found.add(f"{module}.{node.name}")
    assert found == set(RANKS)


@pytest.fixture(scope="module")
def cupy() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it finds no device
        return pytest.importorskip("cupy", reason="cupy is not installed")


def uses_of_xp() -> set[tuple[str, frozenset[str]]]:
    """(dotted name, keywords) of whatever is looked up in an array module called xp."""
    found = set()
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            name = ast.unparse(node).removeprefix("self.").removeprefix("backend.")
            if isinstance(node, ast.Attribute) and re.fullmatch(r"xp(\.\w+)+", name):
                keywords = calls[id(node)].keywords if id(node) in calls else []
                found.add((name[3:], frozenset(key.arg for key in keywords if key.arg)))
    return found


def test_cupy_has_what_device_code_uses(cupy: Any) -> None:
    uses = uses_of_xp()
    assert {"matmul", "lib.stride_tricks.as_strided", "frexp", "ldexp"} <= {name for name, _ in uses}
    for name, keywords in uses:
        value = cupy
        for part in name.split("."):
            assert hasattr(value, part), f"cupy.{name}"
            value = getattr(value, part)
        try:
            parameters = inspect.signature(value).parameters
        except (TypeError, ValueError):  # made in Cython
            continue
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            assert keywords <= set(parameters), f"cupy.{name}"


def test_cupy_has_what_the_strict_backend_offers(cupy: Any) -> None:
    for name in (*strict_backend.CONSTANTS, *strict_backend.FUNCTIONS):
        assert hasattr(cupy, name), name
    for name in (*strict_backend.METHODS, *strict_backend.ATTRIBUTES):
        assert hasattr(cupy.ndarray, name), name


def traced(cupy: Any, name: str, dtype: Any) -> tuple[Any, dict[str, Any]]:
    """The one kernel that cupy.fuse makes of a formula, and what it is called with."""
    fusion = importlib.import_module("cupy._core.fusion")
    memory = cupy.cuda.memory
    nowhere = memory.MemoryPointer(memory.UnownedMemory(256, 2**30, None, 0), 0)
    arrays = tuple(cupy.ndarray((2,) * rank, dtype=dtype, memptr=nowhere) for rank in RANKS[name])
    local, history = fusion._thread_local, fusion._FusionHistory()
    local.history, local.is_old_fusing = history, True
    try:
        kernel, options = history.get_fusion(lambda *a: formula(name)(cupy, *a), arrays, "made")
    finally:
        local.history, local.is_old_fusing = None, False
    return kernel, options


def source(kernel: Any, start: str) -> str:
    """A function of the kernel's text: run(n, m, inputs [n, m] each, output [n, m], or [n] where it sums)."""
    inputs, (output,) = kernel.in_params, kernel.out_params
    pointers = [f"const {p.ctype}* p_{p.name}" for p in inputs] + [f"{output.ctype}* p_{output.name}"]
    take = "".join(f"const {p.ctype} {p.name} = p_{p.name}[i * m + j];\n" for p in inputs)
    if hasattr(kernel, "operation"):
        body = f"for (long j = 0; j < m; j++) {{ {take} {output.ctype}& {output.name} = p_{output.name}[i * m + j];"
        body += f"{kernel.operation} }}"
    else:
        body = f"{kernel.reduce_type} sum = {kernel.identity};\nfor (long j = 0; j < m; j++) {{ {take}"
        body += f"{kernel.reduce_type} a = sum, b = {kernel.map_expr}; sum = {kernel.reduce_expr}; }}\n"
        body += f"{kernel.reduce_type} a = sum; {output.ctype}& {output.name} = p_{output.name}[i];"
        body += f"{kernel.post_map_expr};"
    head = f"{kernel.preamble}\n{start} void run(long n, long m, {', '.join(pointers)})"
    return f"{head} {{ for (long i = 0; i < n; i++) {{ {body} }} }}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", RANKS)
def test_kernels_compile_for_gpus(cupy: Any, name: str, dtype: Any) -> None:
    kernel, _ = traced(cupy, name, dtype)
    try:
        nvrtc = cupy.cuda.nvrtc
        nvrtc.getVersion()
    except Exception as error:
        pytest.skip(f"no NVRTC: {error}")
    options = importlib.import_module("cupy._core.core").assemble_cupy_compiler_options(())
    for arch in (80, 90):
        program = nvrtc.createProgram(source(kernel, 'extern "C" __global__'), "made.cu", (), ())
        nvrtc.compileProgram(program, (*options, "-ftz=true", f"-arch=compute_{arch}"))
        assert nvrtc.getPTX(program).count(b".entry run(") == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", RANKS)
def test_kernels_give_what_numpy_gives(cupy: Any, name: str, dtype: Any, tmp_path: Path) -> None:
    kernel, options = traced(cupy, name, dtype)
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++")
    text = (
        source(kernel, 'extern "C"')
        .replace('#include "cupy/float16.cuh"', "")
        .replace("__device__", "static")
    )
    (tmp_path / "made.cpp").write_text(text)
    library = str(tmp_path / "made.so")
    subprocess.run(
        [compiler, "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-o", library, tmp_path / "made.cpp"],
        check=True,
    )
    rng = np.random.default_rng(0)
    shape = (3, 4, 5, 2)[: max(RANKS[name])]
    arrays = [rng.standard_normal(shape).astype(dtype) for _ in RANKS[name]]
    arrays[0].flat[:4] = 0.0, -0.0, np.inf, np.nan
    with np.errstate(invalid="ignore"):
        wanted = formula(name)(np, *arrays)
    (output,) = kernel.out_params
    assert output.dtype == wanted.dtype
    axis = options.get("axis")
    flat = [np.ascontiguousarray(a if axis is None else np.moveaxis(a, axis, -1)) for a in arrays]
    length = flat[0].shape[-1]
    found = np.empty(wanted.shape, dtype=wanted.dtype)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (*flat, found)]
    rows = ctypes.c_long(flat[0].size // length)
    ctypes.CDLL(library).run(rows, ctypes.c_long(length), *pointers)
    if axis is None:
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(found, wanted, rtol=10 * float(np.finfo(dtype).eps), atol=1e-6)
