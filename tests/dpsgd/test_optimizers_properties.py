"""What every registered optimizer must keep, found through the registry: a new one is tested by being written."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from helpers import small_trainer
from hypothesis import given
from hypothesis import strategies as st
from optimizer_checks import ORACLES, check_equations, check_shared_weights, check_unbiased_on_noise
from strict_backend import strict_backend

import refdp.engine as engine
from refdp.backend import numpy_backend
from refdp.errors import RefDPError
from refdp.optimizers import optimizers
from refdp.training import run_to_end

EXTRA = [
    "sgd:momentum=0.9",
    "sgd:momentum=0.9,nesterov=true",
    "adam:bias_correction=dp",
    "rmsprop:bias_correction=dp",
]


def plainest(name: str) -> str:
    """NAME with 0.5 for each parameter that has no default."""
    fields = dataclasses.fields(optimizers.get(name))
    needed = [f"{field.name}=0.5" for field in fields if field.default is dataclasses.MISSING]
    return ":".join([name, ",".join(needed)]) if needed else name


def averaged(spec: str) -> str:
    return spec + ("," if ":" in spec else ":") + "average=0.9"


PLAIN = [*map(plainest, optimizers.names()), *EXTRA]
SPECS = PLAIN + [averaged(spec) for spec in PLAIN]
every = pytest.mark.parametrize("spec", SPECS)


def test_every_optimizer_has_an_oracle() -> None:
    assert {spec.partition(":")[0] for spec in ORACLES} == set(optimizers.names())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("spec", ORACLES)
def test_equations(spec: str, dtype: type) -> None:
    check_equations(spec, dtype)


@every
def test_sees_released_gradients_only(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other records, other batches, other un-noised sums; the same releases: the same weights, to the bit."""
    rng = np.random.default_rng(0)
    one, other = (small_trainer(optimizer=spec, steps=6, sampling="without-replacement") for _ in range(2))
    train = other.data.train
    other._train_x, other._train_y = rng.permutation(train.x), rng.permutation(train.y)
    releases = rng.standard_normal((6, one.theta.size))
    seen = []

    def release(backend: Any, total: Any, *args: Any) -> np.ndarray:
        seen.append(total.copy())
        return releases[(len(seen) - 1) // 2].copy()

    monkeypatch.setattr(engine, "add_gaussian_noise", release)
    for _ in range(6):
        one.advance()
        other.advance()
        np.testing.assert_array_equal(one.theta, other.theta)
        np.testing.assert_array_equal(one.weights, other.weights)
    assert not np.allclose(seen[0], seen[1])


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resumes_to_the_bit(spec: str, dtype: type) -> None:
    whole, first, second = (small_trainer(optimizer=spec, steps=9, dtype=dtype) for _ in range(3))
    for _ in range(9):
        whole.advance()
    for _ in range(4):
        first.advance()
    second.load_state({name: value.copy() for name, value in first.state().items()})
    np.testing.assert_array_equal(first.weights, second.weights)
    for _ in range(5):
        second.advance()
    expected, got = whole.state(), second.state()
    assert set(expected) == set(got)
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value)
        assert got[name].dtype == value.dtype


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_strict_backend_agrees(spec: str, dtype: type) -> None:
    """No host reads, no change of type, nothing kept of the caller's buffers; the same numbers as numpy."""
    optimizer = optimizers.create(spec)
    host, device = numpy_backend(), strict_backend(forbid_reads=True)
    rng = np.random.default_rng(3)
    start = rng.standard_normal(11).astype(dtype)
    gradients = rng.standard_normal((5, 11)).astype(dtype)
    results = []
    for backend in (host, device):
        theta = backend.asarray(start.copy())
        state = optimizer.initial_state(backend.xp, theta)
        types = {name: (value.dtype, value.shape) for name, value in state.items()}
        for gradient in gradients:
            buffer = backend.asarray(gradient.copy())
            before = theta
            theta = optimizer.update(backend.xp, theta, buffer, state, 0.1, 0.5)
            assert theta is not before
            buffer[:] = 7.0  # the engine may use it again
        assert theta.dtype == dtype
        assert types == {name: (value.dtype, value.shape) for name, value in state.items()}
        assert all(value.dtype == dtype for value in state.values())
        results.append(optimizer.weights(theta, state))
    np.testing.assert_array_equal(results[1]._data, results[0])
    assert np.isfinite(results[0]).all()


@every
@given(data=st.data())
def test_coordinates_do_not_mix(spec: str, data: st.DataObject) -> None:
    """A coordinate's weights depend on its own gradients: permuting coordinates permutes the result."""
    values = st.floats(-1e3, 1e3, width=32)
    gradients = np.array(
        data.draw(st.lists(st.lists(values, min_size=4, max_size=4), min_size=1, max_size=4))
    )
    order = np.array(data.draw(st.permutations(range(4))))

    def run(rows: np.ndarray) -> np.ndarray:
        optimizer, theta = optimizers.create(spec), np.zeros(4)
        state = optimizer.initial_state(np, theta)
        for row in rows:
            theta = optimizer.update(np, theta, row, state, 0.1, 0.5)
        return optimizer.weights(theta, state)

    np.testing.assert_array_equal(run(gradients[:, order]), run(gradients)[order])


@every
def test_learning_rate_zero_in_all_but_name_moves_nothing(spec: str) -> None:
    optimizer, theta = optimizers.create(spec), np.ones(3)
    state = optimizer.initial_state(np, theta)
    for _ in range(3):
        theta = optimizer.update(np, theta, np.ones(3), state, 0.0, 0.1)
    np.testing.assert_array_equal(optimizer.weights(theta, state), np.ones(3))


@pytest.mark.parametrize("sampling", ["shuffle", "poisson", "without-replacement"])
@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_corrected_second_moment_is_unbiased_on_noise(name: str, sampling: str) -> None:
    check_unbiased_on_noise(name, sampling)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_corrected_second_moment_finds_the_signal(name: str) -> None:
    """E[v] = g^2 under noise three times as strong; uncorrected it is g^2 + noise_std^2."""
    signal, noise_std, size = 0.5, 1.5, 40_000
    rng = np.random.default_rng(8)
    found = {}
    for correction in ("none", "dp"):
        optimizer, theta = optimizers.create(f"{name}:bias_correction={correction}"), np.zeros(size)
        state = optimizer.initial_state(np, theta)
        for _ in range(40):
            noisy = signal + noise_std * rng.standard_normal(size)
            theta = optimizer.update(np, theta, noisy, state, 0.0, noise_std)
        weight = state["square_weight"] if name == "adam" else 1 - 0.99**40
        found[correction] = float(np.mean(state["square"] / weight))
    assert found["dp"] == pytest.approx(signal**2, abs=0.03)
    assert found["none"] == pytest.approx(signal**2 + noise_std**2, abs=0.03)


def test_correction_changes_nothing_without_noise() -> None:
    trainers = [
        small_trainer(optimizer=spec, private=False, steps=5)
        for spec in ("adam", "adam:bias_correction=dp,floor=1e-30")
    ]
    for _ in range(5):
        for trainer in trainers:
            trainer.advance()
    np.testing.assert_allclose(trainers[0].theta, trainers[1].theta, rtol=1e-9)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_floor_keeps_steps_finite(name: str) -> None:
    """Where the noise's variance exceeds what was seen, the floor stands in: a step of rate * g / sqrt(floor)."""
    optimizer, theta = optimizers.create(f"{name}:bias_correction=dp,floor=0.04"), np.zeros(2)
    state = optimizer.initial_state(np, theta)
    theta = optimizer.update(np, theta, np.array([0.1, 0.0]), state, 1.0, 5.0)
    np.testing.assert_allclose(theta, [-0.1 / (0.2 + 1e-8), 0.0])


def test_average_is_evaluated() -> None:
    check_shared_weights()


def test_average_is_written() -> None:
    class Directory:
        def read_metrics(self, step: int) -> list[dict[str, Any]]:
            return []

        def write_weights(self, arrays: dict[str, np.ndarray]) -> None:
            self.weights = arrays

        write_ledger = write_metrics = write_checkpoint = lambda self, value: None

    trainer, directory = small_trainer(optimizer="sgd:average=0.9", steps=6), Directory()
    run_to_end(trainer, 1, directory)  # type: ignore[arg-type]
    written = np.sort(np.concatenate([array.ravel() for array in directory.weights.values()]))
    np.testing.assert_allclose(written, np.sort(trainer.weights))
    assert not np.allclose(written, np.sort(trainer.theta))


def test_average_of_another_plan_is_refused() -> None:
    saved = small_trainer(optimizer="sgd:average=0.9").state()
    with pytest.raises(RefDPError, match="checkpoint"):
        small_trainer(optimizer="sgd").load_state(saved)


@pytest.mark.parametrize("name", optimizers.names())
@pytest.mark.parametrize("raw", ["1", "-0.1", "nan", "inf", "x"])
def test_average_outside_its_range_is_refused(name: str, raw: str) -> None:
    spec = averaged(plainest(name)).replace("average=0.9", f"average={raw}")
    with pytest.raises(RefDPError, match="average"):
        optimizers.create(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sgd:nesterov=true", "nesterov = True: needs momentum > 0; give momentum or leave nesterov out"),
        ("sgd:nesterov=1", "nesterov = '1': must be true or false"),
        ("ema-momentum", "'gamma' is required"),
        ("ema-momentum:gamma=0", "gamma = 0.0: must be finite and > 0"),
        ("ema-momentum:gamma=1.1", "gamma = 1.1: must be <= 1"),
        ("ema-momentum:gamma=nan", "gamma = nan: must be finite and > 0"),
        ("adam:beta1=1", "beta1 = 1.0: must be < 1"),
        ("adam:beta2=-0.1", "beta2 = -0.1: must be finite and >= 0"),
        ("adam:eps=0", "eps = 0.0: must be finite and > 0"),
        ("adam:bias_correction=yes", "bias_correction = 'yes': must be one of none, dp"),
        ("adam:floor=1e-8", "floor = 1e-08: needs bias_correction=dp; add it or leave floor out"),
        ("rmsprop:bias_correction=dp,floor=0", "floor = 0.0: must be finite and > 0"),
        ("rmsprop:alpha=1", "alpha = 1.0: must be < 1"),
        (
            "rmsprop:momentum=0.9",
            "unknown parameter 'momentum' (known: alpha, average, bias_correction, eps, floor)",
        ),
    ],
)
def test_refusals(spec: str, message: str) -> None:
    with pytest.raises(RefDPError) as refused:
        optimizers.create(spec)
    assert str(refused.value).endswith(message)
    assert "\n" not in str(refused.value)
