"""``per_sample``: the same run whether gradients are made or not, for every clipping rule; and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import small_trainer

from refdp.accounting import Schedule
from refdp.backend import numpy_backend
from refdp.clippers import clippers
from refdp.data import Dataset
from refdp.data.base import Split
from refdp.engine import Trainer
from refdp.errors import RefDPError
from refdp.gradients import PER_SAMPLE
from refdp.models import models
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.samplers import samplers

MODES = ("explicit", "ghost", "hybrid")


def images(mode: str, clipping: str = "flat", dtype: type = np.float64, **changed: Any) -> Trainer:
    """A residual network with standardised convolutions on 24 random images, batches of about 8, chunks of 3."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((24, 6, 5, 3), dtype=np.float32)
    split = Split(x, rng.integers(4, size=24))
    model: Any = models.create("resnet20:groups=1/2/2/4,standardisation=scaled")
    clipper = clippers.create(clipping, clip_norm=changed.pop("clip_norm", 0.5))
    sampler = samplers.create("poisson", dataset_size=24, batch_size=8)
    plan = Plan(
        network=model.of_size((6, 5, 3), 4, widths=(4, 6, 8, 12), blocks=1),
        sampler=sampler,
        clipper=clipper,
        schedule=clipper.noise_schedule(Schedule("constant", 3, 0.7)),
        optimizer=optimizers.create("sgd"),
        learning_rate=0.5,
        lr_schedule=lr_schedules.create("constant"),
        delta=1e-5,
        neighboring=sampler.default_neighboring,
    )
    data = Dataset("random", split, split, 4, None, None)
    options: dict[str, Any] = {"physical_batch_size": 3, "dtype": dtype, "workers": 1, "per_sample": mode}
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
