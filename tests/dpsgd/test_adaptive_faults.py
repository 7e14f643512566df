"""Adaptive clipping broken on purpose: each fault must be caught by the check named for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import adaptive_checks as checks
import numpy as np
import pytest
from test_adaptive_privacy import check_ledger, check_share

import refdp.engine as engine
import refdp.plan as plan_module
from refdp.accounting import GaussianEvent, QuantileEvent
from refdp.clippers.adaptive import THRESHOLDS, AdaptiveClipper
from refdp.engine import Trainer
from refdp.rng import Streams

Patch = pytest.MonkeyPatch
_advanced, _counts, _summed = AdaptiveClipper.advanced, AdaptiveClipper.counts, Trainer.summed
_adapt, _chunk_sum, _events = Trainer._adapt, Trainer._chunk_sum, plan_module.Plan.ledger


def quantile_of_the_wrong_sign(patch: Patch) -> None:
    """C <- C exp(+eta (b~ - gamma)): the threshold runs away from the quantile."""

    def advanced(self: Any, context: Any, released: Any, divisor: float) -> Any:
        moved = self.thresholds(context) * np.exp(
            self.rate * (np.clip(released / divisor + 0.5, 0.0, 1.0) - self.quantile)
        )
        return {THRESHOLDS: np.clip(moved, self.min_clip_norm, self.max_clip_norm)}

    patch.setattr(AdaptiveClipper, "advanced", advanced)


def fraction_clipped_is_counted(patch: Patch) -> None:
    """b counts the records above C in place of those below."""
    patch.setattr(
        AdaptiveClipper, "counts", lambda self, xp, n, usable, context: -_counts(self, xp, n, usable, context)
    )


def ties_count_as_above(patch: Patch) -> None:
    """b = 1[n < C]: a record just at C, as clipping leaves it, is not below."""

    def counts(self: Any, xp: Any, norms: Any, usable: Any, context: Any) -> Any:
        below = norms < xp.asarray(self.thresholds(context).tolist())[None, :]
        return xp.where(usable[:, None], xp.where(below, 0.5, -0.5), 0.0).sum(axis=0)

    patch.setattr(AdaptiveClipper, "counts", counts)


def quantile_of_the_same_batch(patch: Patch) -> None:
    """C_{t+1}, made from batch t, clips batch t and sets its noise."""

    def summed(self: Any, indices: Any) -> Any:
        _adapt(self, _summed(self, indices)[1], self.plan.sampler.batch(self.step, self.streams).divisor)
        return _summed(self, indices)

    patch.setattr(Trainer, "summed", summed)
    patch.setattr(Trainer, "_adapt", lambda self, counts, divisor: None)


def raw_counts(patch: Patch) -> None:
    """Sums of 0 and 1, charged at the sensitivity of centred ones: a record moves them by 1, not by 1/2."""

    def counts(self: Any, xp: Any, norms: Any, usable: Any, context: Any) -> Any:
        return _counts(self, xp, norms, usable, context) + usable.sum() / 2

    def advanced(self: Any, context: Any, released: Any, divisor: float) -> Any:
        return _advanced(self, context, released - divisor / 2, divisor)

    patch.setattr(AdaptiveClipper, "counts", counts)
    patch.setattr(AdaptiveClipper, "advanced", advanced)


def null_records_counted(patch: Patch) -> None:
    """A record that was zeroed out, or nulled for its NaN, has norm 0 and counts as below."""

    def counts(self: Any, xp: Any, n: Any, usable: Any, context: Any) -> Any:
        return np.where(n <= self.thresholds(context), 0.5, -0.5).sum(axis=0)

    patch.setattr(AdaptiveClipper, "counts", counts)


def count_over_the_realised_batch(patch: Patch) -> None:
    """The count is divided by how many records were drawn, which is private under Poisson sampling."""

    def adapt(self: Any, counts: Any, divisor: float) -> None:
        drawn = len(self.plan.sampler.batch(self.step, self.streams).indices)
        _adapt(self, counts, float(max(1, drawn)))

    patch.setattr(Trainer, "_adapt", adapt)


def count_without_noise(patch: Patch) -> None:
    """The exact count moves the threshold."""
    patch.setattr(Streams, "counts", lambda self, step: lambda size: np.zeros(size))


def count_noise_of_the_gradient(patch: Patch) -> None:
    """The count's noise is drawn from the gradient's stream: the same numbers twice."""

    def counts(self: Any, step: int) -> Any:
        return lambda size: np.random.Generator(np.random.SFC64(self.noise(step))).standard_normal(size)

    patch.setattr(Streams, "counts", counts)


def count_noise_reused(patch: Patch) -> None:
    """Every step's counts have the noise of one of five steps."""
    counts = Streams.counts
    patch.setattr(Streams, "counts", lambda self, step: counts(self, step % 5))


def one_count_noise_for_all_layers(patch: Patch) -> None:
    """The L counts share one draw."""
    counts = Streams.counts
    patch.setattr(Streams, "counts", lambda self, step: lambda size: np.repeat(counts(self, step)(1), size))


def count_noise_per_chunk(patch: Patch) -> None:
    """Each physical micro-batch's counts are noised."""

    def chunk_sum(self: Any, indices: Any) -> Any:
        total, losses, counts = _chunk_sum(self, indices)
        noise = self.streams.counts(1000 * self.step + int(indices[0]))(len(self.plan.sizes))
        return total, losses, counts + self.plan.count_noise_std * noise

    patch.setattr(Trainer, "_chunk_sum", chunk_sum)


def count_not_charged(patch: Patch) -> None:
    """The ledger holds the gradients only."""
    patch.setattr(plan_module, "QuantileEvent", lambda z, sampling, n, *count: GaussianEvent(z, sampling, n))


def count_charged_apart(patch: Patch) -> None:
    """Gradient and count are charged as releases on two batches: that draw is counted twice, and costs too little."""

    def ledger(self: Any, steps: Any = None) -> Any:
        whole = _events(self, steps)
        apart: list[Any] = []
        event: Any
        for event in whole.events:
            apart.append(GaussianEvent(event.noise, event.sampling, event.count))
            count = event.count_noise, event.sensitivity, "own"
            apart.append(QuantileEvent(None, event.sampling, event.count, *count))
        return type(whole)(whole.neighboring, tuple(apart))

    patch.setattr(plan_module.Plan, "ledger", ledger)


def one_of_l_counts_charged(patch: Patch) -> None:
    """The sensitivity of one count for the vector of L."""
    patch.setattr(AdaptiveClipper, "count_sensitivity", lambda self, groups: 0.5)


def share_the_wrong_way_round(patch: Patch) -> None:
    """The gradient's share of the budget is taken for the counts'."""
    std = AdaptiveClipper.count_noise_std

    def swapped(self: Any, noise_multiplier: float, batch_size: float, groups: int) -> float:
        if self.share is None:
            return std(self, noise_multiplier, batch_size, groups)
        ratio = (self.share / (1 - self.share)) ** 0.5
        return float(self.count_sensitivity(groups) * noise_multiplier * ratio)

    patch.setattr(AdaptiveClipper, "count_noise_std", swapped)


def noise_of_the_first_thresholds(patch: Patch) -> None:
    """The noise keeps to the K of step 0 while the thresholds move on."""

    def scale(self: Any) -> float:
        return float(np.sqrt((self.plan.released()[THRESHOLDS] ** 2).sum()))

    patch.setattr(Trainer, "_noise_scale", scale)


def thresholds_not_resumed(patch: Patch) -> None:
    """A resumed run starts again from C."""
    load = engine.load_trainer_state

    def forgetful(trainer: Any, state: Any) -> None:
        load(trainer, state)
        trainer.released = trainer.plan.released()

    patch.setattr(engine, "load_trainer_state", forgetful)


def thresholds_once_a_chunk(patch: Patch) -> None:
    """The thresholds move after each physical micro-batch, and clip the next one."""

    def chunk_sum(self: Any, indices: Any) -> Any:
        found = _chunk_sum(self, indices)
        _adapt(self, found[2], float(self.plan.sampler.batch_size))
        return found

    patch.setattr(Trainer, "_chunk_sum", chunk_sum)
    patch.setattr(Trainer, "_adapt", lambda self, counts, divisor: None)


def range_of_thresholds_ignored(patch: Patch) -> None:
    """min_clip_norm and max_clip_norm do nothing."""

    def advanced(self: Any, context: Any, released: Any, divisor: float) -> Any:
        below = np.clip(released / divisor + 0.5, 0.0, 1.0)
        return {THRESHOLDS: self.thresholds(context) * np.exp(-self.rate * (below - self.quantile))}

    patch.setattr(AdaptiveClipper, "advanced", advanced)


def noised_share_beyond_one(patch: Patch) -> None:
    """b~ is not cut to [0, 1]: one draw of noise may move a threshold any distance."""

    def advanced(self: Any, context: Any, released: Any, divisor: float) -> Any:
        below = np.clip(released / divisor + 0.5, -30.0, 30.0)
        moved = self.thresholds(context) * np.exp(-self.rate * (below - self.quantile))
        return {THRESHOLDS: np.clip(moved, self.min_clip_norm, self.max_clip_norm)}

    patch.setattr(AdaptiveClipper, "advanced", advanced)


Check = Callable[[str], None]
FLAT, LAYERED = "quantile", "per-layer-quantile"
FAULTS: list[tuple[Callable[[Patch], None], Check, str, str]] = [
    (quantile_of_the_wrong_sign, checks.check_fixed_point, FLAT, "-quantile"),
    (quantile_of_the_wrong_sign, checks.check_update, FLAT, "moved otherwise"),
    (fraction_clipped_is_counted, checks.check_fixed_point, FLAT, "-quantile"),
    (fraction_clipped_is_counted, checks.check_counts, FLAT, "counts are"),
    (ties_count_as_above, checks.check_counts, FLAT, "counts are"),
    (quantile_of_the_same_batch, checks.check_order, FLAT, "clipped with other thresholds"),
    (quantile_of_the_same_batch, checks.check_order, LAYERED, "clipped with other thresholds"),
    (raw_counts, checks.check_count_moves, FLAT, "moved the counts by"),
    (raw_counts, checks.check_counts, FLAT, "counts are"),
    (null_records_counted, checks.check_count_moves, FLAT, "zeroing a record out moved"),
    (null_records_counted, checks.check_counts, LAYERED, "counts are"),
    (count_over_the_realised_batch, checks.check_update, FLAT, "moved otherwise"),
    (count_without_noise, checks.check_count_noise, FLAT, "no noise"),
    (count_noise_of_the_gradient, checks.check_count_noise, FLAT, "is the gradient's"),
    (count_noise_reused, checks.check_count_noise, FLAT, "is reused"),
    (one_count_noise_for_all_layers, checks.check_count_noise, LAYERED, "is reused"),
    (count_noise_per_chunk, checks.check_count_noise, FLAT, "is off by"),
    (count_not_charged, check_ledger, FLAT, "costs"),
    (count_charged_apart, check_ledger, FLAT, "costs"),
    (one_of_l_counts_charged, check_ledger, LAYERED, "costs"),
    (share_the_wrong_way_round, check_share, FLAT, "not the share's noise"),
    (noise_of_the_first_thresholds, checks.check_delivered_noise, FLAT, "noise is off"),
    (noise_of_the_first_thresholds, checks.check_delivered_noise, LAYERED, "noise is off"),
    (thresholds_not_resumed, checks.check_resume, FLAT, "after a resume"),
    (thresholds_once_a_chunk, checks.check_order, FLAT, "clipped with other thresholds"),
    (thresholds_once_a_chunk, checks.check_chunks, FLAT, "chunks change"),
    (range_of_thresholds_ignored, checks.check_range, FLAT, "left their range"),
    (noised_share_beyond_one, checks.check_range, FLAT, "a threshold moved"),
]


@pytest.mark.parametrize(
    ("fault", "check", "name", "says"),
    FAULTS,
    ids=[f"{f.__name__}-{c.__name__}-{n}" for f, c, n, _ in FAULTS],
)
def test_the_fault_is_caught(
    fault: Callable[[Patch], None], check: Check, name: str, says: str, monkeypatch: Patch
) -> None:
    check(name)  # sound as it stands
    fault(monkeypatch)
    with pytest.raises(AssertionError, match=says):
        check(name)
