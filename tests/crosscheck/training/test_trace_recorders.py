"""The recorders of docs/traces.md, as they stand on the page, run by the frameworks that they are for."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from live_cases import network, python_of

from refdp.crosscheck.training.check import check_trace
from refdp.crosscheck.training.inputs import inputs_for
from refdp.crosscheck.training.live import FOLDER
from refdp.crosscheck.training.result import AGREES, DIFFERS
from refdp.traces import Trace, read

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "traces.md").read_text(encoding="utf-8")
COMMON = """
import sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[2])
import numpy as np
given = np.load(sys.argv[1])
weights = {key[6:]: given[key] for key in given.files if key.startswith("param/")}
clip_norm, noise_multiplier, seed = float(given["clip_norm"]), 1.1, 3
learning_rate, expected_batch_size = 0.1, 6.5
"""
TORCH = """
import torch, torch_models
model = torch_models.MnistNet(1, 10)
model.load_state_dict({name: torch.from_numpy(values) for name, values in weights.items()})
images = [torch.from_numpy(np.moveaxis(given[f"x{k}"], -1, 1).copy()) for k in (0, 1)]
loader = list(zip(images, [torch.from_numpy(given[f"y{k}"]) for k in (0, 1)]))
"""
PRELUDES = {
    "torch": TORCH + "per_sample_gradients = torch_models.per_sample_gradients\n",
    "opacus": TORCH
    + """
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer
model = GradSampleModule(model)
optimizer = DPOptimizer(
    torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9), noise_multiplier=noise_multiplier,
    max_grad_norm=clip_norm, expected_batch_size=expected_batch_size,
)
criterion = torch.nn.CrossEntropyLoss()
""",
    "jax-privacy": """
import jax_steps
import jax.numpy as jnp
from functools import partial
params, loss = {name: jnp.asarray(values) for name, values in weights.items()}, partial(jax_steps.loss, "mlp")
loader = [(jnp.asarray(given[f"x{k}"]), jnp.asarray(given[f"y{k}"])) for k in (0, 1)]
""",
    "tensorflow-privacy": """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
dense = tf.keras.layers.Dense
model = tf.keras.Sequential([dense(64, activation="relu", input_shape=(10,)), dense(5)])
names = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
for variable, name in zip(model.trainable_variables, names):
    variable.assign(weights[name].T)
loader = [(tf.constant(given[f"x{k}"]), tf.constant(given[f"y{k}"])) for k in (0, 1)]
""",
}
MODEL = {"torch": "mnistnet", "opacus": "mnistnet", "jax-privacy": "mlp", "tensorflow-privacy": "mlp"}
NORMS = {"torch", "jax-privacy"}
"""Recorders that record norms."""


def blocks(package: str) -> str:
    """Both blocks of the page for it, in order."""
    parts = [
        re.search(rf"```python\n# {part}: {package}\n(.*?)```", PAGE, re.DOTALL)
        for part in ("recorder", "use")
    ]
    return "\n".join(part[1] for part in parts if part)


def recorded(package: str, folder: Path, old: str = "", new: str = "") -> Trace:
    """What the page's code writes, with a part of it replaced where a fault is wanted."""
    python, model = python_of(package), MODEL[package]
    given = inputs_for(model, 8, seed=3, steps=2).steps
    arrays = {f"x{k}": step.x for k, step in enumerate(given)} | {
        f"y{k}": step.y for k, step in enumerate(given)
    }
    arrays |= {f"param/{name}": values for name, values in given[0].params.items()}
    np.savez(folder / "given.npz", clip_norm=given[0].clip_norm, **arrays)  # type: ignore[arg-type]
    text = blocks(package)
    assert not old or text.count(old) == 1
    code = COMMON + PRELUDES[package] + (text.replace(old, new) if old else text)
    done = subprocess.run(
        [python, "-c", code, str(folder / "given.npz"), str(FOLDER / "shared")],
        cwd=folder,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return read(folder / "trace.npz")


@pytest.mark.parametrize("package", PRELUDES)
def test_both_blocks_are_on_the_page_and_compile(package: str) -> None:
    text = blocks(package)
    assert "np.savez(" in text
    assert "trace.npz" in text
    compile(text, "docs/traces.md", "exec")


@pytest.mark.parametrize("package", PRELUDES)
def test_what_a_recorder_writes_is_judged_and_agrees(package: str, tmp_path: Path) -> None:
    trace = recorded(package, tmp_path)
    assert trace.meta["framework"] == package
    verdict = check_trace(trace, network(MODEL[package]))
    assert len(verdict.steps) == 2
    for step in verdict.steps:
        agreeing = {stage.name for stage in step.stages if stage.status == AGREES}
        wanted = {"gradients", "clipped sum", "noise", "update"} | ({"norms"} if package in NORMS else set())
        assert agreeing == wanted, verdict.parted


FAULTS = [
    ("torch", "noise_multiplier * clip_norm * torch", "noise_multiplier * torch", "noise"),
    ("torch", "p -= learning_rate", "p -= 2 * learning_rate", "update"),
    ("torch", ".clamp(max=1)", "", "clipped sum"),
    ("opacus", "optimizer.zero_grad()", "optimizer.zero_grad(); x = x * 1.01", "gradients"),
    ("jax-privacy", "l2_clip_norm=clip_norm", "l2_clip_norm=2 * clip_norm", "clipped sum"),
]


@pytest.mark.parametrize(("package", "old", "new", "stage"), FAULTS)
def test_a_fault_in_the_code_recorded_is_found(
    package: str, old: str, new: str, stage: str, tmp_path: Path
) -> None:
    verdict = check_trace(recorded(package, tmp_path, old, new), network(MODEL[package]))
    differing = {found.name for step in verdict.steps for found in step.stages if found.status == DIFFERS}
    assert differing == {stage}
