"""A step on a device waits for nothing: no value comes back to the host, but an adaptive rule's counts, once a step.

The strict backend raises where a value is looked at in passing, and counts what is asked for.
"""

from __future__ import annotations

from typing import Any

import gradient_checks
import numpy as np
import pytest
from strict_backend import strict_backend

from refdp.accounting import Schedule
from refdp.backend import Backend, numpy_backend
from refdp.clippers import AdaptiveClipper, clippers
from refdp.data import Dataset
from refdp.data.base import Split
from refdp.engine import Trainer
from refdp.gradients import augmentations, iterates
from refdp.models import Network
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.samplers import samplers

MODES = ("explicit", "ghost", "hybrid")
STEPS = 2


def trainer(
    network: Network, backend: Backend, per_sample: str, clipping: str = "flat", **plan: Any
) -> Trainer:
    """A run on twelve random records, in chunks of five and less."""
    rng = np.random.default_rng(1)
    split = Split(
        rng.standard_normal((12, *network.input_shape), dtype=np.float32),
        rng.integers(network.num_classes, size=12),
    )
    sampler = samplers.create("poisson", dataset_size=12, batch_size=8)
    clipper = clippers.create(clipping, clip_norm=0.5)
    whole = Plan(
        network=network,
        sampler=sampler,
        clipper=clipper,
        schedule=clipper.noise_schedule(Schedule("constant", STEPS, 0.8)),
        optimizer=optimizers.create("sgd:momentum=0.9"),
        learning_rate=0.25,
        lr_schedule=lr_schedules.create("cosine"),
        delta=1e-5,
        neighboring=sampler.default_neighboring,
        **plan,
    )
    data = Dataset("random", split, split, network.num_classes, None, None)
    return Trainer(
        whole, data, backend, Streams.from_seed(5), physical_batch_size=5, workers=1, per_sample=per_sample
    )


def advance(one: Trainer, other: Trainer, reads: int = 0) -> None:
    """Both take their steps, ``one`` on the strict backend with so many reads, and their weights agree."""
    for step in range(STEPS):
        one.advance()
        other.advance()
        assert one.backend.xp.reads == reads * (step + 1)
    found = one.backend.to_host(one.theta)
    np.testing.assert_allclose(found, other.theta, rtol=1e-3, atol=1e-4 * float(np.abs(other.theta).max()))


def pair(spec: str, per_sample: str = "explicit", **options: Any) -> tuple[Trainer, Trainer]:
    """The same run on the strict backend and on numpy's."""
    network = gradient_checks.build(spec, *gradient_checks.DATA[spec])
    backends = strict_backend(), numpy_backend()
    device, host = (trainer(network, backend, per_sample, **options) for backend in backends)
    return device, host


@pytest.mark.parametrize("per_sample", MODES)
@pytest.mark.parametrize("spec", gradient_checks.SPECS)
def test_every_model(spec: str, per_sample: str) -> None:
    advance(*pair(spec, per_sample))


@pytest.mark.parametrize("per_sample", MODES)
@pytest.mark.parametrize("clipping", clippers.names())
def test_every_rule(clipping: str, per_sample: str) -> None:
    adapts = isinstance(clippers.create(clipping, clip_norm=0.5), AdaptiveClipper)
    advance(*pair("mlp", per_sample, clipping=clipping), reads=int(adapts))


def test_views_and_past_weights() -> None:
    options = {
        "augmentation": augmentations.create("shift-flip", views=2, pixels=1),
        "iterates": iterates.create("average", memory=2),
    }
    advance(*pair("mnistnet", **options))


def test_a_read_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that looks at a norm, and one that asks for it."""
    rule = type(clippers.create("flat", clip_norm=1.0))
    scales = rule.scales
    device, host = pair("mlp")
    monkeypatch.setattr(
        rule, "scales", lambda s, xp, n, c: scales(s, xp, n, c) if float(n[0, 0]) >= 0 else None
    )
    with pytest.raises(TypeError, match="implicit read"):
        advance(device, host)
    device, _ = pair("mlp")
    asked = device.backend.to_host
    monkeypatch.setattr(
        rule, "scales", lambda s, xp, n, c: scales(s, xp, n, c) if xp is np or asked(n).size else None
    )
    with pytest.raises(AssertionError):
        advance(device, host)


def test_kernels_that_a_step_has_fused() -> None:
    """Norms of gradients, and what group normalisation and activations do for every activation there is."""
    wanted = {"_sums_of_squares", "_normalised", "_products", "_group_norm_backward"}
    for activation in ("relu", "tanh"):
        spec = f"resnet20:groups=2,activation={activation}"
        run = trainer(gradient_checks.build(spec, (6, 5, 3), 4), strict_backend(), "explicit")
        run.advance()
        assert set(run.backend.xp.kernels) == wanted | {f"_{activation}_backward"}
