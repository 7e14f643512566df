"""What a run's epsilon is about, in words that can be held against us."""

from __future__ import annotations

from typing import Any

from refdp.accounting import Bounds
from refdp.clippers import AdaptiveClipper
from refdp.data import Dataset
from refdp.figures import lower_figure, upper_figure
from refdp.noise import SecureStreams
from refdp.optimizers.lr.plateau import PrivatePlateau
from refdp.optimizers.lr.plateau_rule import Plateau
from refdp.plan import Plan
from refdp.rng import Streams


def bounds_to_json(bounds: Bounds) -> dict[str, Any]:
    """The ``refdp-epsilon/1`` document of an epsilon (or delta) answer."""
    at = "delta" if bounds.quantity == "epsilon" else "epsilon"
    return {
        "schema": f"refdp-{bounds.quantity}/1",
        at: bounds.at,
        "neighboring": bounds.neighboring,
        bounds.quantity: {"lower": bounds.lower, "upper": bounds.upper},
        "rdp": bounds.rdp,
        "gaussian": bounds.gaussian,
        "pld": bounds.pld,
        "certified": False,
        "notes": list(bounds.notes),
    }


NO_PRIVACY = {"lower": float("inf"), "upper": float("inf")}
"""Epsilon of a run without clipping and noise."""

_UNITS = {
    "add-remove": "data sets that differ by adding or removing one training record",
    "zero-out": "data sets that differ in one training record replaced by one that contributes nothing",
    "replace-one": "data sets that differ in one training record replaced by any other",
}


def privacy_statement(plan: Plan, data: Dataset, bounds: Bounds | None, streams: Streams) -> str:
    """The statement a run ends with: unit, relation, sampler, delta, both bounds, and what is not covered."""
    if bounds is None:
        return "Privacy: NONE. A baseline without clipping and noise; epsilon = inf."
    sampler = plan.sampler
    cipher = "" if isinstance(streams, SecureStreams) else " (the generator is not a cryptographic one)"
    conversion = (
        f", RDP order {bounds.rdp['order']:.4g}, conversion {bounds.rdp['conversion']}" if bounds.rdp else ""
    )
    lines = [
        "Privacy statement",
        f"  epsilon      {lower_figure(bounds.lower)} <= epsilon <= {upper_figure(bounds.upper)}"
        f"  at delta = {bounds.at:g}",
        f"               (upper bound: what may be claimed{conversion})",
        "  unit         one training record (one labelled example)",
        f"  neighboring  {bounds.neighboring}: {_UNITS[bounds.neighboring]}",
        f"  sampler      {sampler.name}: {sampler.statement}",
        f"  mechanism    {plan.steps} Gaussian steps on sums clipped to "
        f"{plan.clipper.bound_text() if plan.clipper else 0}, noise multiplier {plan.schedule.scale:.6g} "
        f"({plan.schedule.kind} schedule)",
        *_averaged(plan),
        f"  released     the weights after every step, their test accuracies, {_counts(plan)}and this configuration",
        "Not covered by epsilon",
        "  - the test records, on which accuracies are computed",
        "  - choosing this run, or its hyper-parameters, among several",
        "  - the size of the training set, treated as public",
        f"  - floating-point effects of noise and sums{cipher}",
    ]
    if bounds.upper == float("inf"):
        lines.insert(1, "  NOT PRIVATE: there is no noise, or far too little; epsilon is infinite")
    if isinstance(plan.lr_schedule, Plateau) and not isinstance(plan.lr_schedule, PrivatePlateau):
        lines.append(
            "  - the accuracy on the test records, which the learning rate follows: they are ASSUMED PUBLIC"
        )
    if streams.seed_is_known:
        lines.append("  - anyone who knows the seed, who can subtract the noise: use no --seed on real data")
    lines += [f"  - {caveat}" for caveat in data.caveats]
    lines += [f"  note: {note}" for note in bounds.notes]
    return "\n".join(lines)


def _averaged(plan: Plan) -> list[str]:
    """How a record's gradient is built, where it is more than one gradient."""
    parts = []
    if plan.augmentation is not None:
        parts.append(f"{plan.augmentation.views} views of the record")
    if plan.iterates is not None:
        parts.append(f"the last {plan.iterates.memory} weights")
    return (
        [f"               on gradients averaged, before clipping, over {' and '.join(parts)}"]
        if parts
        else []
    )


def _counts(plan: Plan) -> str:
    """The noised counts that are released, and charged, beside the sums."""
    counts = []
    if isinstance(plan.clipper, AdaptiveClipper):
        counts.append(f"counts of gradients below the clip norm (noise {plan.count_noise_std:.4g}), ")
    if isinstance(plan.lr_schedule, PrivatePlateau) and plan.steps >= (plan.observe_every or 0):
        std = plan.lr_schedule.count_noise_std(plan.sampler.dataset_size)
        counts.append(f"counts of training records predicted right (noise {std:.4g}), ")
    return "".join(counts)
