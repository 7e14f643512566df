"""``selftest``: it holds on this machine, covers what there is, and names whatever is broken."""

from __future__ import annotations

import builtins
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from strict_backend import strict_backend

import refdp.cli.selftest as command
from refdp import accounting
from refdp.backend import numpy_backend
from refdp.cli import run
from refdp.clippers import clippers
from refdp.engine import Trainer
from refdp.models import layers as all_layers
from refdp.models import loss, models
from refdp.models.layers import Conv2d, Linear
from refdp.noise import gaussian
from refdp.schema import check_schema
from refdp.selftest import accountant, clipping, layers, networks, noise, training
from refdp.selftest import run as selftest
from refdp.selftest.accountant import distance
from refdp.selftest.case import Case
from refdp.selftest.layers import instances
from refdp.selftest.run import all_cases

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def answer(capsys: Capture, code: int, *arguments: str) -> dict[str, Any]:
    assert run(["selftest", *arguments, "--json"]) == code, capsys.readouterr().out
    out, _ = capsys.readouterr()
    document: dict[str, Any] = json.loads(out)
    check_schema("selftest", document, "answer")
    return document


@pytest.mark.parametrize("seed", ["0", str(2**128 - 1)])
def test_it_holds_here(capsys: Capture, seed: str) -> None:
    got = answer(capsys, 0, "--seed", seed)
    assert got["holds"]
    assert got["failed"] == []
    assert {check["group"] for check in got["checks"]} == {
        "layer",
        "model",
        "clipping",
        "noise",
        "training",
        "accountant",
    }
    assert all(check["holds"] and check["error"] is None for check in got["checks"])


def only(patch: Patch, group: str) -> None:
    """Leave the other groups out: their time."""
    parts = {"layer": layers, "model": networks, "clipping": clipping, "noise": noise, "training": training}
    patch.setattr(selftest, "PARTS", (parts.get(group, accountant),))


def test_a_line_a_check(capsys: Capture) -> None:
    assert run(["selftest", "--quiet"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert all(line.startswith("ok   ") for line in lines[:-1])
    assert lines[-1].startswith(f"all {len(lines) - 1} checks hold, ")


def test_everything_registered_is_checked() -> None:
    names = [f"{case.group}: {case.name}" for case in all_cases(numpy_backend(), 0)]
    assert len(set(names)) == len(names)
    for kind, registered in (("model", models.names()), ("clipping", clippers.names())):
        for name in registered:
            assert any(found.startswith(f"{kind}: {name}") for found in names)
    checked = {type(layer).__name__ for layer, _ in instances().values()}
    assert checked == set(all_layers.__all__) - {"ACTIVATIONS", "Layer", "BatchNorm"}


def test_on_a_backend_as_unforgiving_as_a_gpu(capsys: Capture, monkeypatch: Patch) -> None:
    """The very cases that a GPU gets, float64 ones among them."""
    monkeypatch.setattr(
        command, "get_backend", lambda name: dataclasses.replace(strict_backend(), name="cupy")
    )
    got = answer(capsys, 0, "--backend", "cupy")
    assert any("cupy float64" in check["name"] for check in got["checks"])


def test_without_cupy(capsys: Capture, monkeypatch: Patch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "cupy":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert run(["selftest", "--backend", "cupy"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "cupy is not installed; install refdp[cuda12] or refdp[cuda13]" in err
    assert err.count("\n") == 1


def linear_bias_forgotten(patch: Patch) -> None:
    good = Linear.per_sample_gradients

    def bad(self: Any, xp: Any, cache: Any, dy: Any, out: Any) -> None:
        good(self, xp, cache, dy, out)
        out["bias"][...] = 0

    patch.setattr(Linear, "per_sample_gradients", bad)


def linear_bias_unwritten(patch: Patch) -> None:
    good = Linear.per_sample_gradients

    def bad(self: Any, xp: Any, cache: Any, dy: Any, out: Any) -> None:
        good(self, xp, cache, dy, {**out, "bias": xp.empty_like(out["bias"])})

    patch.setattr(Linear, "per_sample_gradients", bad)


def convolution_unwritten(patch: Patch) -> None:
    patch.setattr(Conv2d, "backward", lambda self, xp, params, cache, dy, out, wants: dy if wants else None)


def loss_of_the_mean(patch: Patch) -> None:
    good = loss.cross_entropy

    def bad(xp: Any, logits: Any, labels: Any) -> Any:
        losses, dy = good(xp, logits, labels)
        return losses, dy / len(labels)

    patch.setattr(loss, "cross_entropy", bad)


def flat_without_margin(patch: Patch) -> None:
    cls = clippers.get("flat")
    patch.setattr(cls, "target", lambda self, context: self.clip_norm * (1 + 1e-6))


def scales_that_are_nan(patch: Patch) -> None:
    patch.setattr(clippers.get("nsgd"), "scales", lambda self, xp, norms, context: norms * 0.0 + float("nan"))


def noise_a_little_too_small(patch: Patch) -> None:
    good = gaussian.add_gaussian_noise
    patch.setattr(noise, "add_gaussian_noise", lambda b, s, z, k, *rest: good(b, s, 0.97 * z, k, *rest))


def the_same_noise_every_step(patch: Patch) -> None:
    patch.setattr(noise.Streams, "noise", lambda self, step: np.random.SeedSequence(5))


def noise_that_is_not_normal(patch: Patch) -> None:
    def bad(backend: Any, total: Any, z: float, k: float, seed: Any, dtype: Any) -> Any:
        uniform = np.random.default_rng(seed).uniform(-(3**0.5), 3**0.5, total.size)
        return total + z * k * uniform

    patch.setattr(noise, "add_gaussian_noise", bad)


def something_more_on_every_sum(patch: Patch) -> None:
    good = Trainer.summed

    def bad(self: Any, indices: Any) -> Any:
        total, counts = good(self, indices)
        return total + 0.001, counts

    patch.setattr(Trainer, "summed", bad)


def a_learning_rate_that_grows(patch: Patch) -> None:
    good = Trainer.advance

    def bad(self: Any) -> None:
        self.plan = dataclasses.replace(self.plan, learning_rate=self.plan.learning_rate * 1.01)
        good(self)

    patch.setattr(Trainer, "advance", bad)


def epsilon_too_low(patch: Patch) -> None:
    good = accounting.epsilon

    def bad(ledger: Any, delta: float) -> Any:
        found = good(ledger, delta)
        return dataclasses.replace(found, lower=0.9 * found.lower, upper=0.99 * found.upper)

    patch.setattr(accounting, "epsilon", bad)


def delta_unknown(patch: Patch) -> None:
    good = accounting.delta
    patch.setattr(accounting, "delta", lambda ledger, eps: dataclasses.replace(good(ledger, eps), upper=None))


def renyi_below(patch: Patch) -> None:
    good = accounting.rdp_poisson_gaussian
    patch.setattr(accounting, "rdp_poisson_gaussian", lambda q, z, orders: good(q, z, orders) * (1 - 1e-10))


FAULTS: list[tuple[Callable[[Patch], None], str]] = [
    (linear_bias_forgotten, "layer: linear, against finite differences"),
    (linear_bias_unwritten, "layer: linear, numpy float32"),
    (linear_bias_unwritten, "model: mlp with tanh, numpy float32"),
    (convolution_unwritten, "layer: conv2d, against finite differences"),
    (loss_of_the_mean, "model: mlp, against finite differences"),
    (flat_without_margin, "clipping: flat, numpy float32"),
    (scales_that_are_nan, "clipping: nsgd, records with NaN or inf"),
    (noise_a_little_too_small, "noise: scale is noise multiplier x K"),
    (the_same_noise_every_step, "noise: steps are independent"),
    (noise_that_is_not_normal, "noise: normal (KS)"),
    (something_more_on_every_sum, "training: mlp:activation=tanh, 12 steps, numpy float32"),
    (a_learning_rate_that_grows, "training: mnistnet:activation=tanh, 4 steps, numpy float32"),
    (epsilon_too_low, "accountant: epsilon, MNIST tutorial"),
    (delta_unknown, "accountant: delta of 1 Gaussian steps at 1"),
    (renyi_below, "accountant: Renyi divergence, q 1, noise 0.5, order 256"),
]


@pytest.mark.parametrize(
    ("fault", "named"), FAULTS, ids=[f"{fault.__name__}-{named.partition(':')[0]}" for fault, named in FAULTS]
)
def test_what_is_broken_is_named(
    capsys: Capture, monkeypatch: Patch, fault: Callable[[Patch], None], named: str
) -> None:
    fault(monkeypatch)
    only(monkeypatch, named.partition(":")[0])
    got = answer(capsys, 4)
    assert not got["holds"]
    assert named in got["failed"]


def test_a_check_that_raises_fails_with_its_reason(capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.setattr(training, "_trainer", lambda *rest: 1 // 0)
    only(monkeypatch, "training")
    assert run(["selftest", "--quiet"]) == 4
    out, _ = capsys.readouterr()
    assert "FAIL training: mlp:activation=tanh" in out
    assert "ZeroDivisionError" in out
    assert out.splitlines()[-3].startswith("2 of 2 checks fail, ")


def test_nan_and_none_keep_no_limit() -> None:
    for at_least in (False, True):
        assert not Case("g", "n", "m", 1.0, lambda: float("nan"), at_least).run().holds
    assert distance(None, 1.0, 1.0, 1.0) == distance(1.0, 0.9, 1.0, 1.0) == distance(1.1, 1.2, 1.0, 1.0)
    assert distance(float("nan"), 1.0, 1.0, 1.0) == distance(1.0, float("nan"), 1.0, 1.0) == float("inf")
    assert distance(0.9, 1.05, 1.0, 1.0) == pytest.approx(0.1)
