"""The answers as JSON documents and as text for a terminal."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from refdp.audit.sampling.names import NAMES
from refdp.audit.sampling.planted import ASSUMES, CANNOT_TELL, EQUALLY, NEITHER, POISSON, PlantedTest
from refdp.audit.sampling.power import Power
from refdp.audit.sampling.verdict import REFUTED, SamplerTest

SCHEMA, PLANTED_SCHEMA = "refdp-audit-sampler/1", "refdp-audit-sampler-scores/1"
_WIDTH = 110
_PLANTED = {
    POISSON: "each planted canary was drawn by coins of its own (Poisson); shuffling is refuted",
    EQUALLY: "each planted canary was drawn equally often (shuffled); Poisson sampling is refuted",
    NEITHER: "neither Poisson sampling nor shuffling gives these scores; an assumption fails",
    CANNOT_TELL: "cannot tell Poisson sampling from shuffling",
}


def to_json(found: SamplerTest) -> dict[str, Any]:
    """The document of ``audit sampler FILE``."""
    batches = found.batches
    return {
        "schema": SCHEMA,
        "verdict": found.verdict,
        "claimed": found.claimed,
        "sample_rate": found.sample_rate,
        "sampler": found.sampler,
        "level": found.level,
        "log_e": _number(found.log_e),
        "p_value": found.p_value,
        "steps": batches.steps,
        "dataset_size": batches.dataset_size,
        "draws": len(batches.indices),
        "empty_batches": int((batches.sizes == 0).sum()),
        "why": list(found.why),
        "evidence": [
            {"statistic": each.name, "log_e": _number(each.log_e), "best": each.best if each.bets else None}
            for each in found.evidence
        ],
        "power": [
            {
                "sampler": p.sampler,
                "steps_needed": p.steps_needed,
                "tried": p.tried,
                "log_e": _number(p.log_e),
            }
            for p in found.power
        ],
        "notes": notes(found),
    }


def as_text(found: SamplerTest) -> str:
    """The same for a terminal."""
    batches, rate = found.batches, "" if found.sample_rate is None else f" at rate {found.sample_rate:.6g}"
    lines = [
        f"claimed: {found.claimed}{rate}; {batches.steps} batches of {batches.dataset_size} records, mean size "
        f"{batches.sizes.mean():.6g}, {(batches.sizes == 0).sum()} empty",
    ]
    if found.evidence:
        lines.append("  statistic   log e-value   strongest bet")
    for each in found.evidence:
        lines.append(
            f"  {each.name:<10} {each.log_e:>12.4g}   {each.best if each.bets else '(nothing to bet on)'}"
        )
    if found.verdict == REFUTED:
        bound = "0: impossible" if math.isinf(found.log_e) else f"at most e^{-found.log_e:.1f}"
        lines.append(f"verdict: REFUTED (p {bound}; level {found.level:g})")
        lines.append(f"looks like {found.sampler}: {NAMES[found.sampler]}")
    else:
        lines.append(f"verdict: not told apart from {found.claimed} (level {found.level:g})")
    for reason in found.why:
        lines += _wrapped(reason, "  why ")
    for other in found.power:
        lines += _wrapped(_reach(other, found), "  power ")
    for note in notes(found):
        lines += _wrapped(note, "  note ")
    return "\n".join(lines)


def notes(found: SamplerTest) -> list[str]:
    """What a reader of the verdict must be told."""
    batches = found.batches
    if found.verdict == REFUTED:
        return []
    said = []
    if (batches.sizes == batches.dataset_size).all():
        said.append(
            "every batch holds every record: Poisson sampling at rate 1 and full batches are the same"
        )
    elif not len(batches.indices):
        said.append("every batch is empty: nothing was drawn that could tell anything")
    elif found.claimed != "poisson":
        said.append("not refuted is not proven: its order may still be known to somebody")
    if found.claimed == "poisson" and len(batches.indices) and not found.power and len(said) == 0:
        said.append(
            "batches hold less than half a record, or more than all but half of one, on average: what other "
            "samplers would have shown was not played"
        )
    if any(p.steps_needed is None and p.tried >= batches.steps for p in found.power):
        said.append("too few batches to tell some other samplers: record more steps")
    return said


def _reach(power: Power, found: SamplerTest) -> str:
    if power.steps_needed is None and power.tried < found.batches.steps:
        return (
            f"{power.sampler}: not told within {power.tried} steps, and no longer run was played: what these "
            f"{found.batches.steps} steps say against it is not known"
        )
    if power.steps_needed is None:
        return f"{power.sampler}: not told within {power.tried} steps; this run is no evidence against it"
    if power.steps_needed > found.batches.steps:
        return (
            f"{power.sampler}: TOO FEW BATCHES; a run of this length would show a log e-value of {power.log_e:.3g} "
            f"where {math.log(1 / found.level):.3g} is needed; record at least {power.steps_needed} steps"
        )
    return f"{power.sampler}: would have been told after about {power.steps_needed} steps"


def planted_to_json(found: PlantedTest, sample_rate: float, steps: int, level: float) -> dict[str, Any]:
    """The document of ``audit sampler --scores FILE``."""
    return {
        "schema": PLANTED_SCHEMA,
        "verdict": found.verdict,
        "sample_rate": sample_rate,
        "steps": steps,
        "level": level,
        "variance_ratio": None if found.ratio is None else found.ratio,
        "expected_ratio": found.expected_ratio,
        "signal": found.signal,
        "signal_needed": found.signal_needed,
        "canaries_needed": found.canaries_needed,
        "p_poisson": found.p_poisson,
        "p_equally_often": found.p_equally,
        "why": list(found.why),
        "assumes": list(ASSUMES),
    }


def planted_as_text(found: PlantedTest, level: float) -> str:
    """The same for a terminal."""
    lines = [f"verdict: {_PLANTED[found.verdict]} (level {level:g} for either error)"]
    for reason in found.why:
        lines += _wrapped(reason, "  why ")
    lines.append(f"  p-values: Poisson {found.p_poisson:.3g}, equally often {found.p_equally:.3g}")
    power = (
        f"planted scores stand {found.signal:.4g} standard deviations of the noise above the others; so many canaries "
        f"need about {found.signal_needed:.3g}"
    )
    if found.canaries_needed is not None:
        power += (
            f", and this signal needs about {found.canaries_needed} canaries planted and as many left out"
        )
    lines += _wrapped(power, "  power ")
    for line in ASSUMES:
        lines += _wrapped(line, "  assumes ")
    return "\n".join(lines)


def _number(value: float) -> float | str:
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first))
