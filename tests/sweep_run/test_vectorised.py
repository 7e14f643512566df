"""Batches of models equal the engine, run by run; what cannot be batched goes to the engine."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refdp.backend import get_backend
from refdp.cli import run
from refdp.clippers import clippers
from refdp.config import RunConfig, build
from refdp.engine import Trainer
from refdp.rng import Streams
from refdp.sweep import runner, vectorised
from refdp.sweep.grid import make_grid
from refdp.sweep.levels import dataset_of, solve_levels
from refdp.sweep.mlps import Mlps
from refdp.sweep.records import read_runs
from refdp.sweep.runner import run_grid, run_one
from refdp.sweep.vectorised import batches_of, can_batch, run_batch, train

ONE_NORM = ["flat", "auto-s", "auto-v", "nsgd", "psac", "psasc", "global", "radial-mix", "dynamic"]
SMALL: dict[str, Any] = {
    "noise_multipliers": [0.3, 2.0],
    "clip_norms": [0.2, 3.0],
    "seeds": [1, 2],
    "epochs": 3,
}


def runs_of(**options: Any) -> list[RunConfig]:
    return solve_levels(make_grid({**SMALL, **options}).runs())[0]


def engine(config: RunConfig, dtype: Any = np.float32) -> Trainer:
    """The reference: explicit per-sample gradients, one run alone."""
    plan, data = build(config, dataset_of(config))
    streams = Streams.from_seed(config.seed)
    trainer = Trainer(plan, data, get_backend("numpy"), streams, workers=1, dtype=dtype)
    while trainer.step < plan.steps:
        trainer.advance()
    return trainer


def assert_equal(runs: list[RunConfig], atol: float = 1e-5) -> None:
    """Weights to rounding, accuracies the same."""
    batches = batches_of(runs)
    assert all(can_batch(batch[0]) for batch in batches)
    assert sum(map(len, batches)) == len(runs)
    for batch in batches:
        _, theta = train(batch)
        accuracies = [accuracy for accuracy, _ in run_batch(batch)]
        for r, config in enumerate(batch):
            alone = engine(config)
            np.testing.assert_allclose(theta[r], alone.weights, atol=atol, rtol=1e-5, err_msg=str(config))
            assert accuracies[r] == alone.accuracy(), config


@pytest.mark.parametrize("sampling", ["poisson", "fixed-order", "shuffle", "without-replacement"])
def test_every_sampler(sampling: str) -> None:
    assert_equal(runs_of(sampling=sampling))


def test_in_float64_they_agree_to_its_rounding() -> None:
    for batch in batches_of(runs_of(clippings=["flat", "psac"], optimizer="adam", learning_rate=0.02)):
        _, theta = train(batch, np.float64)
        for r, config in enumerate(batch):
            wanted = engine(config, np.float64).weights
            np.testing.assert_allclose(theta[r], wanted, atol=1e-10, rtol=1e-10, err_msg=str(config))


def test_every_rule_with_one_norm_a_record() -> None:
    """All of them in one batch of models."""
    runs = runs_of(clippings=ONE_NORM, clip_norms=[0.7], seeds=[3])
    assert_equal(runs)
    assert [len(batch) for batch in batches_of(runs)] == [1 + 2 * len(ONE_NORM)]


@pytest.mark.parametrize(
    "optimizer",
    ["sgd:momentum=0.9", "sgd:momentum=0.9,nesterov=true,average=0.9", "adam",
     "rmsprop:average=0.5", "ema-momentum:gamma=0.3"],
)  # fmt: skip
def test_every_optimizer(optimizer: str) -> None:
    assert_equal(runs_of(optimizer=optimizer, learning_rate=0.02, seeds=[1], clip_norms=[1.0]), atol=3e-5)


@pytest.mark.parametrize("seed", range(8))
def test_random_small_grids(seed: int) -> None:
    rng = np.random.default_rng(seed)
    options = {
        "dataset": f"gaussian-clusters:n_samples={4 * rng.integers(10, 40)},n_classes=4,"
        f"n_features={rng.integers(1, 8)}",
        "model": f"mlp:hidden={rng.integers(1, 30)},activation={rng.choice(['relu', 'tanh'])}",
        "batch_size": int(rng.integers(1, 30)),
        "sampling": str(rng.choice(["poisson", "shuffle", "fixed-order"])),
        "noise_multipliers": rng.uniform(0.1, 5, 2).tolist(),
        "clip_norms": rng.uniform(0.05, 5, 2).tolist(),
        "clippings": rng.choice(ONE_NORM[:6], 2, replace=False).tolist(),
        "seeds": rng.integers(0, 1000, 2).tolist(),
        "learning_rate": float(rng.uniform(0.01, 0.3)),
        "lr_schedule": str(rng.choice(["constant", "cosine"])),
        "schedule": str(rng.choice(["constant", "cosine:amplitude=0.5"])),
        "epochs": 2,
    }
    assert_equal(runs_of(**options))


def test_empty_batches_are_steps_of_noise() -> None:
    runs = runs_of(batch_size=1, epochs=1, learning_rate=0.01)
    plan, _ = build(runs[0], dataset_of(runs[0]))
    sizes = [len(plan.sampler.batch(t, Streams.from_seed(1)).indices) for t in range(plan.steps)]
    assert 0 in sizes
    assert_equal(runs)


def test_ghost_norms_and_sums_are_those_of_explicit_gradients() -> None:
    rng = np.random.default_rng(0)
    network = build(runs_of()[0])[0].network
    mlps = Mlps(network)
    theta = rng.normal(0, 0.5, (5, network.size)).astype(np.float32)
    x = rng.normal(size=(5, 9, 10)).astype(np.float32)
    y = rng.integers(0, 5, (5, 9))
    seen = []

    def scales(norms: np.ndarray) -> np.ndarray:
        seen.append(norms)
        return np.minimum(1, 0.5 / norms)

    sums = [f(theta, x, y, scales, np.ones(5, bool)) for f in (mlps.sums, mlps.explicit_sums)]
    np.testing.assert_allclose(seen[0], seen[1], rtol=1e-5)
    np.testing.assert_allclose(sums[0], sums[1], atol=1e-5)


def test_a_record_whose_gradient_is_not_finite_contributes_nothing_in_private_runs() -> None:
    network = build(runs_of()[0])[0].network
    mlps, rng = Mlps(network), np.random.default_rng(0)
    theta = rng.normal(size=(2, network.size)).astype(np.float32)
    x = rng.normal(size=(1, 4, 10)).astype(np.float32)
    y = np.array([[0, 1, 2, 3]])
    x[0, 1, 0] = 3e38  # overflows in the first layer
    private = np.array([True, False])
    with np.errstate(all="ignore"):
        found = mlps.sums(theta, x, y, np.ones_like, private)
        rest = mlps.sums(theta, x[:, [0, 2, 3]], y[:, [0, 2, 3]], np.ones_like, private)
    np.testing.assert_allclose(found[0], rest[0], atol=1e-5)
    assert not np.isfinite(found[1]).all()


def test_contributions_keep_their_bound() -> None:
    """Of one record alone, in float64: at most C, with the rule's own scales in float32."""
    runs = runs_of(clip_norms=[0.01], clippings=["flat", "auto-v"])
    plans = [build(config, dataset_of(config))[0] for config in runs if config.clipping]
    rules, network = vectorised._Rules(plans, np.float32), plans[0].network
    rng = np.random.default_rng(1)
    for _ in range(20):
        theta = rng.normal(0, 2, (len(plans), network.size)).astype(np.float32)
        x, y = rng.normal(size=(1, 1, 10)).astype(np.float32), rng.integers(0, 5, (1, 1))
        sums = Mlps(network).sums(theta, x, y, functools.partial(rules.scales, 0), rules.private)
        assert (np.sqrt((sums**2).sum(axis=1)) <= 0.01).all()


def test_what_cannot_be_batched_is_trained_by_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    config = runs_of()[-1]
    assert can_batch(config)
    others: dict[str, Any] = {
        "model": "mnistnet",
        "backend": "cupy",
        "noise_source": "secure",
        "clipping": "per-layer",
        "augmentation": "noise:views=2",
        "lr_schedule": "plateau",
        "iterates": "average:memory=2",
        "optimizer": "adam:bias_correction=dp",
    }
    for name, value in others.items():
        assert not can_batch(replace(config, **{name: value})), name
    adaptive = replace(config, clipping="quantile")
    assert not can_batch(adaptive)
    engines: list[RunConfig] = []

    def counted(one: RunConfig) -> tuple[float, float]:
        engines.append(one)
        return run_one(one)

    monkeypatch.setattr(runner, "run_one", counted)
    ready, bounds = solve_levels([config, adaptive])
    records = list(run_grid(ready, bounds, 1))
    assert engines == [ready[1]]
    assert [record["clipping"] for record in records] == ["flat", "quantile"]


def test_every_registered_rule_is_batched_or_left_to_the_engine() -> None:
    config = runs_of()[-1]
    batched = {name for name in clippers.names() if can_batch(replace(config, clipping=name))}
    assert batched == set(ONE_NORM)


def test_results_depend_neither_on_the_other_runs_nor_on_the_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = runs_of(seeds=[1], batch_size=7)
    _, whole = train(runs)
    for r in (0, 2, 4):
        assert (train([runs[r]])[1][0] == whole[r]).all()
    monkeypatch.setattr(vectorised, "MOST_WORK", 2.5 * vectorised.work_of(runs[0]))
    assert [len(batch) for batch in batches_of(runs)] == [2, 2, 1]


def test_a_sweep_cut_into_batches_over_processes_gives_the_same_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = ["--noise-multipliers", "1,8", "--clip-norms", "1", "--seeds", "1,2", "--epochs", "2", "--quiet"]
    monkeypatch.setattr("refdp.sweep.pictures.draw_all", lambda *_: [])
    assert run(["sweep", *grid, "--output", str(tmp_path / "a")]) == 0
    monkeypatch.setattr(runner, "SMALL_WORK", 0)
    assert run(["sweep", *grid, "--output", str(tmp_path / "b"), "--jobs", "2"]) == 0
    a, b = (
        sorted(({**r, "seconds": 0} for r in read_runs(tmp_path / d / "runs.jsonl")), key=repr) for d in "ab"
    )
    assert a == b


def _plan_with(change: Callable[[Any], None]) -> Callable[..., Any]:
    def faulty(*arguments: Any) -> Any:
        plan, data = build(*arguments)
        change(plan)
        return plan, data

    return faulty


def _expected_divisor(plan: Any) -> None:
    batch = plan.sampler.batch
    plan.sampler.batch = lambda step, streams: replace(
        batch(step, streams), divisor=float(plan.sampler.batch_size)
    )


class _OneSeed(Streams):
    @classmethod
    def from_seed(cls, seed: int | None) -> Streams:
        return Streams.from_seed(1)


def _no_bias_in_norms(values: np.ndarray) -> np.ndarray:
    return SQUARES(values) - 1


def _swapped_scales(self: Any, step: int) -> np.ndarray:
    return NOISE_SCALES(self, step)[::-1]


def _no_margin(dtype: Any) -> float:
    return 1e-3


def _neighbours_scales(self: Any, step: int, norms: np.ndarray) -> np.ndarray:
    return SCALES(self, step, np.roll(norms, 1, axis=1))


SQUARES, NOISE_SCALES, SCALES = (
    __import__("refdp.sweep.mlps", fromlist=["_squares"])._squares,
    vectorised._Rules.noise_scales,
    vectorised._Rules.scales,
)
FAULTS: dict[str, tuple[Any, str, Any]] = {
    "the ragged batch divided by the full size": (vectorised, "build", _plan_with(_expected_divisor)),
    "all seeds share one seed's noise": (vectorised, "Streams", _OneSeed),
    "noise of another run's clip norm": (vectorised._Rules, "noise_scales", _swapped_scales),
    "a record's neighbour's norm": (vectorised._Rules, "scales", _neighbours_scales),
    "another rounding margin": (vectorised, "rounding_margin", _no_margin),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_seeded_fault_is_caught_by_equality_with_the_engine(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    runs = runs_of(sampling="fixed-order", noise_multipliers=[1.0], clip_norms=[0.2, 1.0], epochs=2)
    monkeypatch.setattr(*FAULTS[name])
    with pytest.raises(AssertionError):
        assert_equal(runs)


def test_biases_left_out_of_the_norms_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = runs_of(sampling="fixed-order", noise_multipliers=[1.0], epochs=1)
    monkeypatch.setattr("refdp.sweep.mlps._squares", _no_bias_in_norms)
    with pytest.raises(AssertionError), np.errstate(all="ignore"):
        assert_equal(runs)
