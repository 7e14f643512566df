"""The pytest plugin: a fixture that holds a training step to refdp and keeps what failed.

    def test_my_step(refdp_step):
        refdp_step({"x": x, "y": y, "param/fc1.weight": w, "grad_sample/fc1.weight": g, ..., "clip_norm": 1.0}, "mlp")

Loaded by pytest wherever refdp is installed; it imports nothing of refdp until the fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def refdp_step(tmp_path: Path) -> Callable[..., None]:
    """``refdp.crosscheck.assert_step_matches``, which also keeps the trace of a step that fails, and says where."""
    from refdp.crosscheck import assert_step_matches
    from refdp.crosscheck.training.assertion import from_host
    from refdp.traces import Trace, read, write

    def check(trace: Any, model: Any = None, **options: Any) -> None:
        __tracebackhide__ = True
        if isinstance(trace, str | Path):
            trace = read(trace)
        recorded = trace if isinstance(trace, Trace) else from_host(trace)
        try:
            assert_step_matches(recorded, model, **options)
        except AssertionError as error:
            path = tmp_path / "step.npz"
            write(recorded, path)
            raise AssertionError(
                f"{error}\n  recorded in {path}: refdp crosscheck step --trace {path}"
            ) from None

    return check
