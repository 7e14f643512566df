"""The frameworks themselves, in the interpreters that REFDP_PEERS names (opacus=PYTHON,jax-privacy=PYTHON,...)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from live_cases import network, one, python_of, weights_of_own_run

from refdp.crosscheck.training.check import check_trace
from refdp.crosscheck.training.inputs import inputs_for
from refdp.crosscheck.training.live import FOLDER, peers
from refdp.crosscheck.training.result import AGREES, DIFFERS, differences

PEERS = {peer.name: peer for peer in peers()}
RUN = {"momentum": 0.9, "expected_batch_size": 6.5, "learning_rate": 0.05}
SLOW = [pytest.param(model, marks=pytest.mark.slow) for model in ("cifar10net", "resnet20", "wrn-16-4")]
OWN_MODULE = """
import torch

def build():
    return torch.nn.Sequential()

class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(10, 64), torch.nn.Linear(64, 5)

    def forward(self, x):
        return self.fc2(torch.nn.functional.relu(self.fc1(x)))
"""


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("model", ["mlp", "mnistnet", *SLOW])
def test_a_step_is_refdps(model: str, name: str) -> None:
    """Gradients to 1e-5 of refdp's explicit ones in float64, noise drawn again from its seed, the update to 1e-6."""
    peer = PEERS[name]
    outcome, trace = one(peer, inputs_for(model, 4 if model == "wrn-16-4" else 8, seed=1, **RUN))
    assert outcome.status == "ok", outcome.cause
    assert trace is not None
    verdict = check_trace(trace, network(model))
    (step,) = verdict.steps
    stages = {stage.name: stage for stage in step.stages}
    judged = {name for name, stage in stages.items() if stage.status == AGREES}
    expected = {"norms", "clipped sum", "noise", "update"} | (
        {"gradients"} if peer.makes_gradients else set()
    )
    assert judged == expected, verdict.parted
    assert stages["noise"].figures["replayed"]
    assert stages["update"].relative <= 1e-6


@pytest.mark.parametrize("name", PEERS)
def test_in_float64_a_step_is_refdps_to_1e_13_and_opacus_adds_to_the_norm(name: str) -> None:
    """What is left of Opacus' sum is its C / (n + 1e-6); noise in float64 is not drawn again, but tested."""
    _, trace = one(PEERS[name], inputs_for("mnistnet", 8, seed=1, dtype=np.float64, **RUN))
    assert trace is not None
    (step,) = check_trace(trace, network("mnistnet"), tolerance=1e-13).steps
    stages = {stage.name: stage for stage in step.stages if stage.name != "batch"}
    assert stages["noise"].figures["replayed"] is False
    differing = {
        name: [cause.id for cause in stage.causes]
        for name, stage in stages.items()
        if stage.status == DIFFERS
    }
    adds = PEERS[name].package == "opacus"
    assert differing == ({"clipped sum": ["clip-epsilon"]} if adds else {})
    assert 1e-9 < stages["clipped sum"].relative < 1e-5 if adds else stages["clipped sum"].relative < 1e-13


@pytest.mark.parametrize("name", ["opacus-hooks", "opacus-functorch", "opacus-ghost", "torch-vmap"])
def test_ten_steps_end_where_refdps_own_run_ends(name: str) -> None:
    """Same weights, batches and seed; refdp computes, clips, draws the noise and steps by itself, in float64."""
    given = inputs_for("mnistnet", 8, seed=1, steps=10, **RUN)
    _, trace = one(PEERS[name], given)
    assert trace is not None
    for step, expected in zip(trace.steps, weights_of_own_run("mnistnet", given), strict=True):
        for difference in differences(dict(step.params_after), expected):
            assert difference.relative <= 1e-5, difference
    assert check_trace(trace, network("mnistnet")).agrees


@pytest.mark.parametrize("name", ["opacus-hooks", "torch-vmap"])
def test_a_users_own_module(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN_MODULE, encoding="utf-8")
    given = inputs_for("mlp", 8, seed=2)
    _, trace = one(PEERS[name], given, module=f"{tmp_path / 'mine.py'}:Mine")
    assert trace is not None
    assert check_trace(trace, network("mlp")).agrees
    outcome, nothing = one(PEERS[name], given, module=f"{tmp_path / 'mine.py'}:build")
    assert (outcome.status, nothing) == ("crashed", None)
    assert "fc1.bias" in str(outcome.cause)


def test_what_a_package_cannot_do_is_said() -> None:
    outcome, trace = one(PEERS["jax-vmap"], inputs_for("mnistnet:activation=tanh", 4))
    assert (outcome.status, trace) == ("unsupported", None)
    assert "only refdp's models" in str(outcome.cause)


FAULTS = {
    "label smoothing": ("torch_models.py", "label[None])", "label[None], label_smoothing=0.1)", "gradients"),
    "norms squared": ("torch_func.py", ".sum(0).sqrt()", ".sum(0)", "norms"),
    "clipped at twice": ("torch_func.py", "clamp(max=1.0)", "clamp(max=2.0)", "clipped sum"),
    "noise without C": (
        "torch_func.py",
        'deviation = settings["noise_multiplier"] * settings["clip_norm"]',
        'deviation = settings["noise_multiplier"]',
        "noise",
    ),
    "another seed": (
        "torch_func.py",
        'manual_seed(settings["seed"])',
        'manual_seed(settings["seed"] + 1)',
        "noise",
    ),
    "divided by the batch": (
        "torch_func.py",
        'total / settings["expected_batch_size"]',
        "total / len(x)",
        "update",
    ),
    "momentum lost": ("torch_func.py", 'settings.get("momentum", 0.0)', "0.0", "update"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_peer_is_found_where_it_is(fault: str, tmp_path: Path) -> None:
    file, old, new, stage = FAULTS[fault]
    folder = tmp_path / "peers"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (path,) = folder.rglob(file)
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    (peer,) = (peer for peer in peers(folder) if peer.name == "torch-vmap")
    _, trace = one(peer, inputs_for("mlp", 8, seed=1, steps=2, **RUN))
    assert trace is not None
    verdict = check_trace(trace, network("mlp"))
    differing = {found.name for step in verdict.steps for found in step.stages if found.status == DIFFERS}
    assert stage in differing
    assert differing <= {stage, "clipped sum"} if stage == "norms" else differing == {stage}


def test_two_runs_give_the_same_file_to_the_bit() -> None:
    python_of("torch")
    first, second = (one(PEERS["torch-vmap"], inputs_for("mlp", 4, seed=3))[1] for _ in range(2))
    assert first is not None
    assert second is not None
    for name, values in first.steps[0].params_after.items():
        assert values.tobytes() == second.steps[0].params_after[name].tobytes()
