"""``per_sample``: the same run whether gradients are made or not, for every clipping rule; and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import small_trainer

from refdp.accounting import Schedule
from refdp.backend import numpy_backend
from refdp.clippers import Clipper, clippers
from refdp.data import Dataset
from refdp.data.base import Split
from refdp.engine import Trainer
from refdp.errors import RefDPError
from refdp.gradients import PER_SAMPLE
from refdp.models import Network, models
from refdp.models.layers import GlobalAvgPool2d, Linear, Relu, WsConv2d
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.samplers import samplers

MODES = ("explicit", "ghost", "hybrid")


def images(mode: str, clipping: str = "flat", dtype: type = np.float64, clip_norm: float = 0.5) -> Trainer:
    """A residual network with standardised convolutions on 24 random images, batches of about 8, chunks of 3."""
    x = np.random.default_rng(0).standard_normal((24, 6, 5, 3), dtype=np.float32)
    model: Any = models.create("resnet20:groups=1/2/2/4")
    network = model.of_size((6, 5, 3), 4, widths=(4, 6, 8, 12), blocks=1)
    return run_of(network, x, mode, clippers.create(clipping, clip_norm=clip_norm), dtype, chunk=3)


def run_of(network: Network, x: np.ndarray, mode: str, clipper: Clipper, dtype: type, chunk: int) -> Trainer:
    """Three steps of batches of about a third of these images."""
    rng = np.random.default_rng(0)
    split = Split(x, rng.integers(network.num_classes, size=len(x)))
    sampler = samplers.create("poisson", dataset_size=len(x), batch_size=max(1, len(x) // 3))
    plan = Plan(
        network=network,
        sampler=sampler,
        clipper=clipper,
        schedule=clipper.noise_schedule(Schedule("constant", 3, 0.7)),
        optimizer=optimizers.create("sgd"),
        learning_rate=0.5,
        lr_schedule=lr_schedules.create("constant"),
        delta=1e-5,
        neighboring=sampler.default_neighboring,
    )
    data = Dataset("random", split, split, network.num_classes, None, None)
    options: dict[str, Any] = {"physical_batch_size": chunk, "dtype": dtype, "workers": 1, "per_sample": mode}
    return Trainer(plan, data, numpy_backend(), Streams.from_seed(5), **options)


@pytest.mark.parametrize("clipping", clippers.names())
def test_a_run_is_the_same_in_every_mode(clipping: str) -> None:
    runs = {mode: images(mode, clipping) for mode in MODES}
    for _ in range(3):
        for run in runs.values():
            run.advance()
    for mode in MODES[1:]:
        np.testing.assert_allclose(
            runs[mode].theta, runs["explicit"].theta, rtol=1e-8, atol=1e-10, err_msg=mode
        )
        for name, values in runs["explicit"].released.items():
            np.testing.assert_allclose(runs[mode].released[name], values, rtol=1e-12, err_msg=mode)


@pytest.mark.parametrize("clip_norm", [1e-12, 1e-3, 0.5, 1e6])
@pytest.mark.parametrize("clipping", clippers.names())
def test_what_a_record_adds_is_bounded(clipping: str, clip_norm: float) -> None:
    """At most K exactly where gradients, or two factors of them, are scaled; a ghost's sum over positions rounds."""
    for mode, slack in (("explicit", 0.0), ("hybrid", 0.0), ("ghost", 1e-5)):
        run = images(mode, clipping, np.float32, clip_norm=clip_norm)
        bound = run.plan.clipper.bound(run.context) if run.plan.clipper else 0.0
        for i in range(6):
            total = run.summed_gradient(np.array([i]))
            norm = math.hypot(*map(float, total))
            assert norm <= bound * (1 + slack), f"{mode}: {norm / bound!r} K"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_record_that_is_no_number_is_dropped(poison: float, mode: str) -> None:
    run = images(mode, dtype=np.float32)
    without = run.summed_gradient(np.array([0, 1, 7, 9]))
    run._train_x = run._train_x.copy()
    run._train_x[4, 2, 2] = poison
    found = run.summed_gradient(np.array([0, 1, 4, 7, 9]))
    np.testing.assert_allclose(found, without, rtol=1e-5, atol=1e-6)


def test_modes_drop_the_same_records_where_float32_ends() -> None:
    """Gradients of 1e40 have norms in float64, but are no float32 numbers: ghost norms know them all the same."""
    sums = []
    for mode in MODES:
        run = small_trainer(dtype=np.float32, per_sample=mode)
        run._train_x = run._train_x.copy()
        run._train_x[3] = 1e38
        run.theta = run.theta * np.float32(1e-30)  # gradients of the first layer about dy x 1e38
        run.theta[-5:] = 0
        sums.append(run.summed_gradient(np.arange(8)))
    for other in sums[1:]:
        np.testing.assert_allclose(other, sums[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("standardisation", ["unbiased", "scaled"])
@pytest.mark.parametrize(("level", "shrink"), [(1.0, 1e-2), (255.0, 1.0), (1.0, 1e-4)])
def test_what_standardisation_takes_away_is_nobodys_to_see(
    level: float, shrink: float, standardisation: str
) -> None:
    """Flat images: nearly all of a record's gradient is taken away, and what it rounds to must not reach the sum."""
    layers = [
        ("conv", WsConv2d(3, 16, 3, standardisation=standardisation)),
        ("act", Relu()),
        ("pool", GlobalAvgPool2d()),
        ("fc", Linear(16, 10)),
    ]
    network = Network(layers, (8, 8, 3), 10)
    rng = np.random.default_rng(0)
    x = (level * (1 + rng.random((64, 1, 1, 1))) * np.ones((64, 8, 8, 3))).astype(np.float32)
    x[0] = rng.standard_normal((8, 8, 3))
    for mode in MODES:
        for rule, clip_norm in (("flat", 0.1), ("per-layer", 1e-3)):
            run = run_of(network, x, mode, clippers.create(rule, clip_norm=clip_norm), np.float32, 64)
            run.theta = run.theta.copy()
            run.theta[network.parameters["conv.weight"].where] *= np.float32(shrink)
            with_all, without = run.summed_gradient(np.arange(64)), run.summed_gradient(np.arange(1, 64))
            moved = float(np.linalg.norm(with_all - without)) / clip_norm
            assert moved <= 1 + 1e-3, f"{mode}, {rule}: a record moves the sum by {moved} C"


def test_a_chunk_in_doubt_is_done_by_explicit_gradients() -> None:
    layers = [("conv", WsConv2d(3, 4, 3)), ("pool", GlobalAvgPool2d()), ("fc", Linear(4, 2))]
    x = np.random.default_rng(0).standard_normal((12, 5, 5, 3), dtype=np.float32)
    x[5] = 100.0
    explicit, hybrid = (
        run_of(Network(layers, (5, 5, 3), 2), x, mode, clippers.create("flat", clip_norm=0.1), np.float32, 4)
        for mode in ("explicit", "hybrid")
    )
    some = np.arange(4, 8)
    np.testing.assert_array_equal(hybrid.summed_gradient(some), explicit.summed_gradient(some))
    found, wanted = hybrid.summed_gradient(np.arange(12)), explicit.summed_gradient(np.arange(12))
    np.testing.assert_allclose(
        found, wanted, rtol=1e-4, atol=1e-6
    )  # two of the three chunks are not in doubt
    assert not np.array_equal(found, wanted)


@pytest.mark.parametrize("size", [1e15, 1e25, 1e30, 3e38])
@pytest.mark.parametrize("clip_norm", [1e-29, 1e-18, 1e-14, 1e-6, 1.0, 1e30])
def test_tiny_factors_of_large_inputs_are_not_rounded_up(size: float, clip_norm: float) -> None:
    """w dy may be below the smallest normal number where w dy x is not."""
    rng = np.random.default_rng(0)
    x = np.zeros((40, 64), np.float32)
    x[:, 0] = size * (0.5 + 0.5 * rng.random(40))
    for mode in MODES:
        clipper = clippers.create("flat", clip_norm=clip_norm)
        run = run_of(Network([("fc", Linear(64, 2))], (64,), 2), x, mode, clipper, np.float32, 8)
        run.theta = np.zeros_like(run.theta)
        for i in range(40):
            norm = math.hypot(*map(float, run.summed_gradient(np.array([i]))))
            assert norm <= clip_norm, f"{mode}: {norm / clip_norm!r} C"


def test_auto_takes_gradients_only_where_several_are_averaged() -> None:
    assert small_trainer().per_sample == "hybrid"
    assert small_trainer(private=False).per_sample == "explicit"
    assert small_trainer(iterates="average:memory=2").per_sample == "explicit"


@pytest.mark.parametrize("mode", ["ghost", "hybrid"])
def test_averages_of_gradients_are_refused(mode: str) -> None:
    with pytest.raises(RefDPError, match=r"per_sample = .*augmentation and iterates.*use explicit"):
        small_trainer(iterates="average:memory=2", per_sample=mode)


def test_other_names_are_refused() -> None:
    assert ("auto", *MODES) == PER_SAMPLE
    with pytest.raises(RefDPError, match=r"per_sample = 'fast'"):
        small_trainer(per_sample="fast")
