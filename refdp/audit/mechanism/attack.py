"""Every check on one subject, within a time limit.

G1. A verdict "violated" rests on findings that were measured a second time and were there again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refdp.audit.mechanism import count, noise, noise_data, shift, state
from refdp.audit.mechanism.bench import Bench
from refdp.audit.mechanism.finding import Finding
from refdp.audit.mechanism.settings import Settings
from refdp.errors import RefDPError

VIOLATED, NOTHING_FOUND = "violated", "nothing found"
MEMORY = 4 << 30

MEASURES: dict[str, Callable[[Bench, Finding], float]] = {
    shift.NAME: shift.measure,
    shift.FAILURE: shift.measure,
    noise.SCALE: noise.measure_scale,
    noise.EXCESS: noise.measure_excess,
    noise.REUSE: noise.measure_reuse,
    count.NAME: count.measure,
    noise.EMPTY: noise.measure_empty,
    noise_data.NAME: noise_data.measure,
    state.NAME: state.measure,
}


@dataclass(frozen=True)
class Attack:
    """What came of it.

    Attributes:
        cases: pairs of neighbouring batches tried.
        calls: of ``clip_and_noise``.
        frozen: whether the noise could be frozen.
    """

    subject: str
    settings: Settings
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    cases: int
    calls: int
    seconds: float
    seed: int
    frozen: bool

    @property
    def verdict(self) -> str:
        """Violated, or nothing found (which is no proof)."""
        return VIOLATED if self.findings else NOTHING_FOUND

    @property
    def factor(self) -> float:
        """The worst factor found; 1 where nothing leaks."""
        return max((one.factor for one in self.findings if one.leaks), default=1.0)

    @property
    def effective_noise_multiplier(self) -> float:
        """The declared noise multiplier over the factor."""
        return 0.0 if math.isinf(self.factor) else self.settings.noise_multiplier / self.factor


def open_subject(subject: str) -> tuple[Path, str]:
    """FILE.py:CLASS -> both; what is none is refused."""
    name, _, cls = subject.rpartition(":")
    if not name or not cls.isidentifier():
        raise RefDPError(f"{subject!r}: must be FILE.py:CLASS, for example mechanism.py:DPMechanism")
    path = Path(name)
    if not path.is_file():
        raise RefDPError(f"{name!r}: no such file; give FILE.py:CLASS")
    return path, cls


def attack(
    subject: str,
    settings: Settings,
    *,
    release: str | None = None,
    seconds: float = 60.0,
    seed: int = 0,
    memory: int = MEMORY,
    timeout: float = 5.0,
) -> Attack:
    """Look for a violation.

    Args:
        release: "sum" or "mean"; None: what the class says, else the mean.
        memory: bytes of address space for the subject.
        timeout: seconds for one request to it, beside what its pace asks for.
    """
    path, name = open_subject(subject)
    begin = time.monotonic()
    rng = np.random.default_rng(seed)
    findings: list[Finding] = []
    notes: list[str] = []
    with Bench(path, name, settings, memory=memory, timeout=timeout) as bench:
        bench.choose_release(release)
        bench.see_whether_it_freezes(_ordinary(settings))
        if not bench.frozen:
            notes.append(
                "its noise could not be frozen: releases were averaged, and small violations are missed"
            )
        fewest = 1
        if bench.settings.relation == "add-remove":
            nothing = noise.empty(bench)
            if nothing is not None:
                findings.append(nothing)
                fewest = 2
        measured, said = noise.check(bench)
        findings += measured
        notes += said
        notes += noise_data.divisor_note(bench)
        changed, said = noise_data.check(bench, rng, fewest)
        notes += said
        findings += [one for one in (changed, state.check(bench, rng)) if one is not None]
        counted, said = count.check(bench, rng, fewest)
        findings += counted
        notes += said
        now = time.monotonic()
        until = max(begin + seconds, now + seconds / 2)
        if any(one.leaks for one in findings):  # how much further is worth a few seconds
            until = min(until, now + 3)
        elif findings:  # refuted, but a leak would be worse
            until = min(until, now + seconds / 4)
        found, cases = shift.search(bench, rng, until, fewest)
        findings = [one for one in findings + found if one.still_there(MEASURES[one.check](bench, one))]
        return Attack(
            subject,
            bench.settings,
            tuple(sorted(findings, key=lambda one: -one.factor)),
            tuple(notes),
            cases,
            bench.calls,
            time.monotonic() - begin,
            seed,
            bench.frozen,
        )


def replay(finding: Finding, settings: Settings, subject: str, memory: int = MEMORY) -> float:
    """The factor of a saved counterexample, measured again."""
    path, name = open_subject(subject)
    with Bench(path, name, settings, memory=memory) as bench:
        bench.see_whether_it_freezes(_ordinary(settings))
        return MEASURES[finding.check](bench, finding)


def _ordinary(settings: Settings) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    shape = settings.batch_size
    return [settings.clip_norm * 0.1 * rng.standard_normal((shape, *s)) for s in ((2, 3), (4,))]


def to_json(found: Attack) -> dict[str, Any]:
    """``refdp-mechanism-audit/1``."""
    return {
        "schema": "refdp-mechanism-audit/1",
        "subject": found.subject,
        "verdict": found.verdict,
        "settings": found.settings.to_json(),
        "factor": found.factor,
        "effective_noise_multiplier": found.effective_noise_multiplier,
        "findings": [one.to_json(found.settings) for one in found.findings],
        "cases": found.cases,
        "calls": found.calls,
        "seconds": round(found.seconds, 3),
        "seed": found.seed,
        "noise_frozen": found.frozen,
        "notes": list(found.notes),
        "summary": summary(found),
    }


def summary(found: Attack) -> str:
    """One line."""
    if not found.findings:
        return (
            f"nothing found in {found.cases} pairs of neighbouring batches ({found.calls} calls): not a proof"
        )
    sigma = found.settings.noise_multiplier
    if not any(one.leaks for one in found.findings):
        return f"violated: {found.findings[0].what}"
    if math.isinf(found.factor):
        return f"violated: {found.findings[0].what}; no noise multiplier covers this"
    return (
        f"violated: by a factor of {found.factor:.6g}; the effective noise multiplier is {sigma:g} / "
        f"{found.factor:.6g} = {found.effective_noise_multiplier:.6g}, at best"
    )


def as_text(found: Attack) -> str:
    """The report as lines."""
    s = found.settings
    lines = [
        f"{found.subject}: {found.verdict}",
        f"  held to: {s.release}, C = {s.clip_norm:g}, noise multiplier {s.noise_multiplier:g}, {s.relation}",
    ]
    for one in found.findings:
        factor = "without bound" if math.isinf(one.factor) else f"factor {one.factor:.6g}"
        lines.append(f"  {one.check:<16} {factor}: {one.what}")
        if one.file:
            lines.append(f"  {'':<16} refdp audit mechanism --replay {one.file}")
    lines += [f"  note: {note}" for note in found.notes]
    lines.append(f"  {summary(found)}")
    return "\n".join(lines)
