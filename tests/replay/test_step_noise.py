"""Noise of a step drawn again: recorded from torch and jax_privacy, and from both themselves where REFDP_PEERS says.

Recorded with torch 2.15.0: ``g = torch.Generator().manual_seed(2024)``; each step ``torch.normal(0, 0.5, size=s,
generator=g)`` for s in (3, 6), (3,), (17,), (4,); first and last values of each. With jax 0.10.2, jax_privacy's
``gaussian_privatizer(stddev=0.5, prng_key=jax.random.key(9))`` over {"b.weight": (2, 3), "a.bias": (2,)} of zeros.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from refdp.errors import RefDPError
from refdp.replay import step_noise, threefry
from refdp.replay.step_noise import TorchSteps, jax_step
from refdp.replay.torch_generator import TorchGenerator

TORCH_SHAPES = [(3, 6), (3,), (17,), (4,)]
TORCH_2024 = {
    0: [
        (-0.6131177544593811, -0.5587713122367859), (-0.5955678224563599, 0.2849520444869995),
        (-0.2576952576637268, 0.16496896743774414), (-0.3922518491744995, 0.2808187007904053),
    ],
    3: [
        (0.1615646928548813, -0.6846007108688354), (0.30779555439949036, -0.287964791059494),
        (0.02475215308368206, -0.6255215406417847), (-0.2533271610736847, -0.428284227848053),
    ],
}  # fmt: skip
JAX_9 = {
    0: (
        [0.059761110693216324, 0.10727091133594513],
        [0.19064517319202423, 0.2839429974555969, 0.16066883504390717, -0.22861413657665253,
         -0.5799760818481445, 0.19080455601215363],
    ),
    2: (
        [0.4173392951488495, -0.022820042446255684],
        [-0.021753262728452682, 0.3275725543498993, -1.1835390329360962, 0.08355998247861862,
         0.45104920864105225, 0.44708600640296936],
    ),
}  # fmt: skip


def check_torch() -> None:
    for step, wanted in TORCH_2024.items():
        drawn = TorchSteps(2024, TORCH_SHAPES).at(step)
        assert [values.shape for values in drawn] == TORCH_SHAPES
        ends = [(0.5 * values.ravel()[[0, -1]]).tolist() for values in drawn]
        np.testing.assert_allclose(ends, wanted, atol=1e-6, rtol=0)


def check_jax() -> None:
    for step, wanted in JAX_9.items():
        for values, own in zip(jax_step(9, [(2,), (2, 3)], step), wanted, strict=True):
            np.testing.assert_allclose(0.5 * values.ravel(), own, atol=1e-6, rtol=0)


@pytest.mark.parametrize("check", [check_torch, check_jax], ids=lambda check: check.__name__)
def test_recorded_values(check: Callable[[], None]) -> None:
    check()


def without_the_tail(self: TorchGenerator, count: int) -> None:
    self.raw(count)


def second_is_the_chain(parent: threefry.Key, count: int) -> list[threefry.Key]:
    return TRUE_SPLIT(parent, count)[::-1]


TRUE_SPLIT = threefry.split
FAULTS = [
    (TorchGenerator, "pass_over", without_the_tail, check_torch),
    (TorchGenerator, "pass_over", lambda self, count: None, check_torch),
    (threefry, "split", second_is_the_chain, check_jax),
]


@pytest.mark.parametrize(("place", "name", "fault", "check"), FAULTS)
def test_a_seeded_fault_is_caught_by_its_check(
    monkeypatch: pytest.MonkeyPatch, place: object, name: str, fault: object, check: Callable[[], None]
) -> None:
    monkeypatch.setattr(place, name, fault)
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 2, 2, 0, 7), (100,)])
def test_steps_in_any_order_are_those_of_one_run(order: tuple[int, ...]) -> None:
    """Sizes below 16 keep a value back, also from one step to the next."""
    shapes = [(5,), (20,), (3, 16), (), (15,)]
    plain, run = TorchGenerator(3), TorchSteps(3, shapes)
    steps = [[plain.normal(size) for size in (5, 20, 48, 1, 15)] for _ in range(max(order) + 1)]
    for step in order:
        for found, wanted in zip(run.at(step), steps[step], strict=True):
            assert found.ravel().tolist() == wanted.tolist()


def test_what_is_too_far_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_noise, "LONGEST", 1000)
    monkeypatch.setattr(step_noise, "WORTH", 1)
    TorchSteps(3, [(100,)]).at(10)
    with pytest.raises(RefDPError, match="step = 11: 100 draws a step are too many"):
        TorchSteps(3, [(100,)]).at(11)
    with pytest.raises(RefDPError, match="step = 1000001: must be <= 1000000"):
        jax_step(3, [(100,)], 1_000_001)
    for refused in (lambda: TorchSteps(3, [(1,)]).at(-1), lambda: jax_step(3, [(1,)], -1)):
        with pytest.raises(RefDPError, match="step = -1"):
            refused()


OPACUS = """
import sys, numpy as np, torch
from opacus.grad_sample import GradSampleModule
from opacus.optimizers import DPOptimizer
model = GradSampleModule(torch.nn.Sequential(torch.nn.Linear(6, 3), torch.nn.Tanh(), torch.nn.Linear(3, 4)))
optimizer = DPOptimizer(
    torch.optim.SGD(model.parameters(), lr=0.1), noise_multiplier=1.1, max_grad_norm=0.5, expected_batch_size=4,
    generator=torch.Generator().manual_seed(77),
)
out = {}
for step in range(50):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(torch.randn(4, 6)), torch.tensor([0, 1, 2, 3])).backward()
    optimizer.clip_and_accumulate()
    optimizer.add_noise()
    for place, p in enumerate(model.parameters()):
        out[f"{step}/{place}"] = (p.grad.double() - p.summed_grad.double()).numpy()
np.savez(sys.argv[1], **out)
"""
JAX_PRIVACY = """
import sys, numpy as np, jax, jax.numpy as jnp
from jax_privacy import noise_addition
tree = {"a": jnp.zeros((3, 6)), "b": jnp.zeros(3), "c": jnp.zeros((4, 3)), "d": jnp.zeros(4)}
privatizer = noise_addition.gaussian_privatizer(stddev=0.55, prng_key=jax.random.key(77))
state, out = privatizer.init(tree), {}
for step in range(50):
    noised, state = privatizer.update(tree, state)
    for place, name in enumerate(sorted(noised)):
        out[f"{step}/{place}"] = np.asarray(noised[name])
np.savez(sys.argv[1], **out)
"""


@pytest.mark.parametrize(("package", "program"), [("opacus", OPACUS), ("jax-privacy", JAX_PRIVACY)])
def test_the_frameworks_themselves(package: str, program: str, tmp_path: Path) -> None:
    peers = dict(item.partition("=")[::2] for item in os.environ.get("REFDP_PEERS", "").split(",") if item)
    if package not in peers:
        pytest.skip(f"needs {package}: name its interpreter, REFDP_PEERS={package}=/path/to/python")
    subprocess.run([peers[package], "-W", "ignore", "-c", program, str(tmp_path / "noise.npz")], check=True)
    recorded, shapes = np.load(tmp_path / "noise.npz"), [(3, 6), (3,), (4, 3), (4,)]
    run = TorchSteps(77, shapes)
    for step in range(50):
        drawn = run.at(step) if package == "opacus" else jax_step(77, shapes, step)
        for place, values in enumerate(drawn):
            np.testing.assert_allclose(0.55 * values, recorded[f"{step}/{place}"], atol=1e-6, rtol=0)


def test_steps_of_few_entries_take_their_time_too() -> None:
    with pytest.raises(RefDPError, match="too many to pass over"):
        TorchSteps(3, [(5,), (3,)]).at(10**7)  # minutes, before it was counted
