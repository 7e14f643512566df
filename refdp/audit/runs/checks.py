"""Choices of an audit that do not go together, and what each would have said that is not true."""

from __future__ import annotations

import math
from dataclasses import replace

from refdp.audit.runs.canaries import Canary
from refdp.audit.runs.config import AuditConfig
from refdp.audit.runs.faults import check_fault
from refdp.audit.runs.knowledge import everyone_always, others_are_known
from refdp.clippers import AdaptiveClipper
from refdp.clippers.global_ import Global
from refdp.errors import RefDPError
from refdp.plan import Plan


def check_choices(config: AuditConfig, plan: Plan, canary: Canary, unused: int) -> None:
    """Refuse what no audit here can do, or what would mean something else than it seems to.

    Raises:
        RefDPError: with the remedy.
    """
    if isinstance(plan.clipper, AdaptiveClipper):
        raise RefDPError(
            f"--clipping {config.clipping}: an adaptive rule releases noised counts beside the sums, which no canary "
            "here looks at, and its thresholds follow the canaries; use a rule that is not adaptive"
        )
    if isinstance(plan.clipper, Global) and canary.gradient_space:
        raise RefDPError(
            f"--clipping {config.clipping}: drops what is beyond its threshold, and {canary.name} canaries, gradients "
            "as large as can be, would add nothing, whatever leaks; use mislabelled or out-of-distribution canaries"
        )
    white_box = config.scores == "white-box"
    if canary.gradient_space and not white_box:
        raise RefDPError(
            f"--scores black-box: a {canary.name} canary is a gradient, not a record, and has no loss; use "
            "mislabelled or out-of-distribution canaries"
        )
    if canary.alone and config.canaries != 1:
        raise RefDPError(
            f"--canaries {config.canaries}: a run has one {canary.name} canary; give --runs instead"
        )
    if canary.alone and config.references:
        raise RefDPError(f"--references {config.references}: a {canary.name} canary has none; leave it out")
    if config.sampling == "fixed-order" and plan.steps < plan.sampler.steps(1):
        raise RefDPError(
            f"--steps {plan.steps}: in a fixed order canaries stand last, and an epoch has {plan.sampler.steps(1)} "
            "steps: some would never take part, and show nothing whatever leaks; take a whole epoch"
        )
    if config.references and plan.neighboring == "replace-one":
        raise RefDPError(
            f"--references {config.references}: under replace-one a canary that is not planted is replaced, and "
            "references, which add nothing, are no draws of that; leave it out"
        )
    if config.references and not canary.gradient_space and config.runs > 1:
        raise RefDPError(
            f"--references {config.references}: in many runs canaries are the same records, and references others, "
            "which may be harder or easier to learn whatever leaks; leave it out"
        )
    if canary.alone and config.initial != "random":
        raise RefDPError(
            f"--initial {config.initial}: weights have no influence on {canary.name}; leave it out"
        )
    if config.initial == "worst-case" and not unused:
        raise RefDPError(
            f"--initial worst-case: weights are trained on records that no run uses, and --records {config.records} "
            "leaves none; take fewer"
        )
    knows = white_box and not canary.alone
    check_fault(config.fault, plan.sampler, knows)
    if knows and not canary.gradient_space and not others_are_known(plan.sampler):
        raise RefDPError(
            f"--sampling {config.sampling}: the others' sum would give a canary's own place away, and without it "
            f"{canary.name} canaries drown in it; use --scores black-box, or --canary dirac"
        )


def check_claim(config: AuditConfig, plan: Plan, canary: Canary) -> AuditConfig:
    """With the claim filled in, the ledger's upper bound, and the leak expected, the claim, unless they were given.

    Raises:
        RefDPError: an epsilon of 0, or infinite; or a claim smaller than the ledger's on shuffled batches, of which
            this adversary knows the order.
    """
    upper = plan.epsilon().upper
    if upper is None or not 0 < upper < math.inf:
        more = "less" if upper == 0 else "more"
        raise RefDPError(f"the plan's epsilon is {upper}: there is nothing to refute; give it {more} noise")
    claimed = upper if config.claimed_epsilon is None else config.claimed_epsilon
    knows_order = config.scores == "white-box" and not canary.alone and config.sampling == "shuffle"
    if knows_order and not everyone_always(plan.sampler) and claimed < upper:
        raise RefDPError(
            f"--claimed-epsilon {claimed:g}: less than the {upper:.6g} of shuffled batches without "
            "amplification; it can only rest on a secret order, and this adversary knows the order; use "
            "--canary companions, or --scores black-box"
        )
    return replace(config, claimed_epsilon=claimed, expected_epsilon=config.expected_epsilon or claimed)


def default_estimator(config: AuditConfig, canary: Canary) -> str:
    """The estimator that the verdict goes by where none is named.

    gdp             every record in every batch, and Dirac canaries or one canary a run: there the claimed mechanism is
                    Gaussian, and canaries are independent
    clopper-pearson one canary a run: independent trials
    one-run         else: it needs neither
    """
    full = config.batch_size == config.slots
    if full and (canary.gradient_space or config.canaries == 1):
        return "gdp"
    return "clopper-pearson" if config.canaries == 1 else "one-run"
