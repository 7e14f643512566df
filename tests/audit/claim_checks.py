"""Checks of audits that seeded faults must fail: each is called by a test, and again on broken code."""

from __future__ import annotations

from typing import Any

import numpy as np

from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule, calibrate_noise_multiplier, epsilon
from refdp.audit import Audit, Claim, audit


def poisson(noise: float, rate: float = 0.01, steps: int = 100) -> dict[str, Any]:
    return {
        "mechanism": "gaussian",
        "noise_multiplier": noise,
        "sampling": {"scheme": "poisson", "rate": rate},
        "count": steps,
    }


def claim(events: list[dict[str, Any]], claimed: float, delta: float = 1e-5, **more: Any) -> Claim:
    document = {
        "schema": "refdp-claim/1",
        "neighboring": "add-remove",
        "events": events,
        "claimed": {"epsilon": claimed, "delta": delta},
    }
    return Claim.from_json(document | {"rounded": False} | more)


def audited(events: list[dict[str, Any]], claimed: float, **more: Any) -> Audit:
    return audit(claim(events, claimed, **more))


def check_the_rule() -> None:
    """Just below the truth: refuted; at its upper bound: holds; between: undecided, and said so."""
    truth = epsilon(Ledger("add-remove", (GaussianEvent(1.1, Sampling("poisson", rate=0.01), 100),)), 1e-5)
    assert truth.lower is not None
    assert truth.upper is not None
    assert audited([poisson(1.1)], truth.lower * (1 - 1e-7)).verdict == "refuted"
    assert audited([poisson(1.1)], truth.upper * (1 + 1e-12)).verdict == "holds"
    assert audited([poisson(1.1)], truth.upper * 5).verdict == "holds"
    assert audited([poisson(1.1)], 0.0).verdict == "refuted"


def check_what_was_run_counts() -> None:
    """A claim right for Poisson sampling is refuted where batches came in a fixed order, or were shuffled."""
    for scheme in ("fixed-order", "shuffle"):
        found = audited([poisson(1.0)], 3.0, actual_sampling={"scheme": scheme, "epochs": 2})
        assert found.readings[0].upper is not None
        assert found.readings[0].upper < 3.0
        assert found.verdict == "refuted", scheme
        assert found.readings[1].name == "as run"


def check_no_bound_never_holds() -> None:
    """A reading without an upper bound leaves the claim open, never proved."""
    found = audited([poisson(2.0)], 5.0, divisor="realised")
    assert len(found.readings) == 2
    assert found.readings[1].upper is None
    assert found.verdict == "undecided"


def check_enough_noise_is_needed() -> None:
    """At the multiplier said to be needed the claim holds; a thousandth less and it does not."""
    for claimed in (0.3, 3.0):
        needed = audited([poisson(0.5)], claimed).readings[0].needed
        assert needed is not None
        assert audited([poisson(needed)], claimed).verdict == "holds"
        assert audited([poisson(needed * 0.999)], claimed).verdict == "refuted"
        least = calibrate_noise_multiplier(claimed, 1e-5, 0.01, 100).noise_multiplier
        assert abs(needed / least - 1) < 1e-4


def check_the_worst_position_is_charged() -> None:
    """Under fixed order a schedule's least noisy position decides; under shuffle the least noise of each epoch."""
    noise = np.array([[1.0, 4.0, 2.0], [3.0, 1.0, 2.0]])
    events = [poisson(float(x), 0.1, 1) for x in noise.ravel()]
    fixed = audited(events, 1.0, actual_sampling={"scheme": "fixed-order", "epochs": 2}).readings[1]
    worst = Ledger("zero-out", tuple(GaussianEvent(x, Sampling("fixed-order", epochs=1)) for x in (1.0, 3.0)))
    assert epsilon(fixed.ledger, 1e-5) == epsilon(worst, 1e-5)
    shuffled = audited(events, 1.0, actual_sampling={"scheme": "shuffle", "epochs": 2}).readings[1]
    assert sorted(float(e.noise) for e in shuffled.ledger.events) == [1.0, 1.0]  # type: ignore[arg-type]


def check_the_lower_bound_takes_the_greatest_noise() -> None:
    """Pinned: 4 epochs of 99 steps at 100 and one at .5 cost at most 9.46 shuffled (revealing where a record falls, a
    mixture over Binomial(4, .01)); a lower bound from the least noise of each epoch said 24."""
    events = [poisson(m, 0.01, n) for _ in range(4) for m, n in ((100.0, 99), (0.5, 1))]
    found = audited(events, 14.0, actual_sampling={"scheme": "shuffle", "epochs": 4})
    assert found.readings[1].lower is not None
    assert found.readings[1].lower <= 9.46
    assert found.verdict != "refuted"


def check_schedules_are_composed() -> None:
    """A cosine schedule of the claim's harmonic mean is refuted, and the mean is named."""
    cosine = {
        "mechanism": "gaussian",
        "schedule": {"kind": "cosine", "amplitude": 0.5, "scale": 0.6, "steps": 60, "normalise": "harmonic"},
        "sampling": {"scheme": "poisson", "rate": 0.01},
    }
    constant = epsilon(Ledger("add-remove", (GaussianEvent(0.6, Sampling("poisson", rate=0.01), 60),)), 1e-5)
    assert constant.upper is not None
    found = audited([cosine], constant.upper)
    assert found.verdict == "refuted"
    assert "harmonic-mean" in {cause.id for cause in found.causes}
    schedule = Schedule("cosine", 60, 0.6, {"amplitude": 0.5}, "harmonic")
    true = epsilon(Ledger("add-remove", (GaussianEvent(schedule, Sampling("poisson", rate=0.01), 60),)), 1e-5)
    assert (found.readings[0].lower, found.readings[0].upper) == (true.lower, true.upper)


def check_rounding_favours_the_claim() -> None:
    """A claim that only the digits left out could refute is not refuted; digits declared exact refute it."""
    rounded_from = Ledger("add-remove", (GaussianEvent(0.7003, Sampling("poisson", rate=0.01), 1000),))
    claimed = epsilon(rounded_from, 1e-5).upper
    document = (
        '{"schema": "refdp-claim/1", "neighboring": "add-remove", "events": [{"mechanism": "gaussian", '
        '"noise_multiplier": 0.700, "sampling": {"scheme": "poisson", "rate": 0.01}, "count": 1000}], '
        f'"claimed": {{"epsilon": {claimed!r}, "delta": 1e-5}}'
    )
    assert audit(Claim.from_json(document + "}")).verdict == "undecided"
    assert audit(Claim.from_json(document + ', "rounded": false}')).verdict == "refuted"
    assert audit(Claim.from_json(document + ', "rounded": ["noise_multiplier"]}')).verdict == "undecided"
    assert "rounding" in {cause.id for cause in audit(Claim.from_json(document + "}")).causes}
    short = document.replace("0.700", "0.7")
    assert audit(Claim.from_json(short + "}")).verdict == "refuted", "0.7 is what somebody typed"
