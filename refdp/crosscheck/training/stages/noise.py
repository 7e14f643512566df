"""Noise as recorded: noised sum less clipped sum, beside N(0, (noise_multiplier * clip_norm)^2) on every coordinate.

Guarantees:

G1. Sound noise differs with probability at most ``statistics.RATE`` a step, and again for all steps together, whatever
    its size, its number of coordinates, and the rounding of the recorded sums.
G2. Noise whose seed and generator are recorded agrees only if they give it, entry by entry.
G3. Without noise (noise_multiplier 0) the noised sum is the clipped sum, to rounding.
G4. A noised sum that is not finite where the clipped sum is never agrees.
G5. Where rounding hides the noise, that is said, and nothing agrees.
"""

from __future__ import annotations

import math

import numpy as np

from refdp.crosscheck.training.noise import again
from refdp.crosscheck.training.noise.sample import Sample, not_finite, pairs, reason, rounding, sample
from refdp.crosscheck.training.noise.statistics import Findings, of_step, of_steps
from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Cause, Stage, differences
from refdp.crosscheck.training.view import StepView

NAME = "noise"
HIDDEN = 0.25
"""What sums are rounded by (root mean square), in the noise's standard deviations, from which on nothing can agree."""


def judge(view: StepView, tolerance: float) -> Stage:
    """One step's noise: drawn again where its seed is known, and tested in any case."""
    missing = reason(view)
    if missing is not None:
        return Stage(NAME, MISSING, missing)
    broken = not_finite(view)
    if broken:
        return Stage(NAME, DIFFERS, "the clipped sum, which is finite", figures={"not_finite": broken})
    if view.step.noise_multiplier == 0:
        return _without(view, tolerance)
    found = sample(view, tolerance)
    if isinstance(found, str):
        return Stage(NAME, MISSING, found)
    tested, replayed = of_step(found, view), again.replay(view.step, found)
    figures = {
        **tested.figures,
        "std": found.std,
        "not_judged": found.not_judged,
        "replayed": not isinstance(replayed, str),
    }
    if isinstance(replayed, str):
        return _tested(found, tested, {**figures, "not_replayed": replayed})
    figures |= {"how": replayed.how, "replay_matches": replayed.matches}
    against = f"noise drawn again from seed {view.step.seed}: {replayed.how}"
    if replayed.matches:
        status = AGREES if _unknown(found) < HIDDEN else MISSING
        return Stage(
            NAME, status, against if status == AGREES else _hidden(found), replayed.differences, (), figures
        )
    causes = () if tested.failed else (_not_replayed(view, replayed),)
    return Stage(NAME, DIFFERS, against, replayed.differences, causes, figures)


def judge_all(views: tuple[StepView, ...], tolerance: float = 1e-5) -> Stage | None:
    """What only many steps can tell: the same draws in two of them, and a scale that is a little off."""
    chosen: list[tuple[int, Sample]] = []
    for number, view in enumerate(views):
        if reason(view) is None and not not_finite(view):
            found = sample(view, tolerance)
            if isinstance(found, Sample) and _unknown(found) < HIDDEN:
                chosen.append((number, found))
    if len(chosen) < 2:
        return None
    tested = of_steps([found for _, found in chosen], [number for number, _ in chosen])
    against = f"independent N(0, (noise_multiplier * clip_norm)^2), over {len(chosen)} steps"
    return Stage(f"{NAME}, all steps", DIFFERS if tested.failed else AGREES, against, figures=tested.figures)


def _tested(found: Sample, tested: Findings, figures: dict[str, object]) -> Stage:
    against = f"N(0, {found.std:.6g}^2) on every coordinate"
    if tested.failed:
        return Stage(NAME, DIFFERS, f"{against}; fails: {', '.join(tested.failed)}", figures=figures)
    if _unknown(found) >= HIDDEN:
        return Stage(NAME, MISSING, _hidden(found), figures=figures)
    if _unknown(found) >= 0.01:
        against += f"; rounding of the recorded sums is {_unknown(found):.2g} of that, and allowed for"
    return Stage(NAME, AGREES, against, figures=figures)


def _unknown(found: Sample) -> float:
    """The most that noise may be off by for rounding and the sum: root mean square, in its standard deviations."""
    return found.pool.error / math.sqrt(found.pool.values.size)


def _hidden(found: Sample) -> str:
    return (
        f"noise of standard deviation {found.std:.3g} is hidden by the rounding of the recorded sums, up to "
        f"{_unknown(found):.2g} of it; record them in float64"
    )


def _without(view: StepView, tolerance: float) -> Stage:
    """Noised sums as they are beside sums without noise; units in the last place are no difference."""
    noised, exact, within = {}, {}, True
    for name, values, total in pairs(view):
        usable = np.isfinite(total).all()
        if usable and total.size:
            noised[name], exact[name] = values.astype(np.float64), np.broadcast_to(total, values.shape)
            within &= bool((np.abs(noised[name] - exact[name]) <= 2 * rounding(values, total)).all())
    if not exact:
        return Stage(NAME, MISSING, "no parameter has a finite sum that noise could be told from")
    found = differences(noised, exact)
    known = bool(view.step.clipped_sum)
    agrees = within or (not known and all(gap.relative <= tolerance for gap in found))
    return Stage(NAME, AGREES if agrees else DIFFERS, "the clipped sum: noise_multiplier is 0", found)


def _not_replayed(view: StepView, replayed: again.Replayed) -> Cause:
    worst = max(gap.relative for gap in replayed.differences)
    text = (
        f"the noise is normal and of the right size, but is not what seed {view.step.seed} gives at step "
        f"{view.step.step} ({replayed.how}): it is off by {worst:.2g} of it; another seed or step, other draws from "
        "the generator in between, or another way of drawing"
    )
    return Cause("noise-not-replayed", text, None, min(1.0, worst))
