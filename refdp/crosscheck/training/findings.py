"""What an installed package does where a recorded step does not go: probes of ``peers/probes``, judged.

A finding is drawn from numbers that the package's own code gave when it was run, never from its version.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refdp.crosscheck.process import Outcome, ask
from refdp.crosscheck.training.live import FOLDER
from refdp.crosscheck.training.peer_files import literals
from refdp.crosscheck.training.result import Cause

CENTRED = 0.5
"""By how much a record may move the count that a quantile rule releases: Andrew et al. 2021 (arXiv 1905.03871), Theorem
1, and ``AdaptiveClipper.count_sensitivity``."""
ROUNDING = 2.0**-23


@dataclass(frozen=True)
class Probe:
    """A question to an installed package; ``text`` says what is measured."""

    name: str
    package: str
    file: Path
    text: str


def probes(folder: Path | None = None) -> tuple[Probe, ...]:
    """Every probe of every file; nothing is run."""
    return tuple(
        Probe(name, package, path, text)
        for path, package, texts in literals(folder or FOLDER / "probes", "PROBES")
        for name, text in texts.items()
    )


def ask_all(
    asked: Iterable[Probe], interpreters: Mapping[str, str], *, timeout: float, memory: int
) -> list[tuple[Probe, Outcome, Cause | None]]:
    """Every probe under its package's interpreter (this one where none is given), and what follows, None for nothing.

    A probe that failed is an Outcome that says why, and no finding.
    """
    found = []
    for probe in asked:
        python = interpreters.get(probe.package, sys.executable)
        outcome = ask(probe, {}, python, timeout=timeout, memory=memory)
        found.append((probe, outcome, judge(probe.name, outcome.answer) if outcome.status == "ok" else None))
    return found


def finding_to_json(probe: Probe, outcome: Outcome, finding: Cause | None) -> dict[str, Any]:
    """One of ``findings`` in the ``refdp-crosscheck-live/1`` document."""
    return {
        "probe": probe.name,
        "package": probe.package,
        "measures": probe.text,
        "version": outcome.version,
        "status": outcome.status,
        "cause": outcome.cause,
        "finding": None
        if finding is None
        else {"id": finding.id, "text": finding.text, "safe": finding.safe},
    }


def judge(name: str, answer: Mapping[str, Any]) -> Cause | None:
    """What a probe's numbers say; None where they are as they should be."""
    return _JUDGES[name](answer)


def clip_factor(answer: Mapping[str, Any]) -> Cause | None:
    """C / (n + e) instead of C / n, where records of different norms tell one e; or contributions above C."""
    clip_norm = answer["clip_norm"]
    above = max(answer["clipped_norms"])
    if above > clip_norm * (1 + 4 * ROUNDING):
        text = f"a clipped gradient has norm {above!r}, the clip norm is {clip_norm!r}"
        return Cause("clipped-above", text, False, above / clip_norm - 1)
    epsilons = [
        clip_norm * norm / found - norm
        for norm, found in zip(answer["norms"], answer["clipped_norms"], strict=True)
        if norm >= clip_norm
    ]
    room = 4 * ROUNDING * max(answer["norms"])
    if min(epsilons) > room / 2 and max(epsilons) - min(epsilons) <= room:
        text = (
            f"clipped by C / (n + e), e = {min(epsilons):.2g} to {max(epsilons):.2g}: contributions stay below the "
            f"clip norm by e / n, which is safe"
        )
        return Cause("clip-epsilon", text, True)
    return None


def adaclip(answer: Mapping[str, Any]) -> Cause | None:
    """The joint noise multiplier of gradient and count, from the noise that was drawn and the shift that was seen."""
    stated, shift = answer["noise_multiplier"], abs(answer["count_shift"])
    gradient, count = answer["clip_norm"] / answer["gradient_noise"], shift / answer["count_noise"]
    joint = 1 / math.hypot(gradient, count)
    error = 5 / math.sqrt(2 * answer["draws"])  # five standard errors of a standard deviation
    if joint >= stated * (1 - error):
        return None
    text = (
        f"one record moves the released count by {shift:.3g}, the noise is made for {CENTRED:g} (a centred count); "
        f"gradient and count together have noise multiplier {joint:.3g}, {stated:g} is accounted for; the count is "
        f"divided by the size of the batch at hand, which is private under Poisson sampling"
    )
    return Cause("count-not-centred", text, False, abs(shift - CENTRED))


def nan(answer: Mapping[str, Any]) -> Cause | None:
    """Entries of the release that are no numbers, where one record is not."""
    lost = answer["not_finite"]
    if not lost:
        return None
    text = (
        f"one record of {answer['records']} with a NaN gradient makes {lost} of {answer['entries']} weights NaN: "
        f"everyone sees that it was in the batch; drop such records before the sum"
    )
    return Cause("nan-passes", text, False)


def expected_batch_size(answer: Mapping[str, Any]) -> Cause | None:
    """What the sum is divided by, beside the mean size of the sampler's batches."""
    mean, divisor = answer["records"] * answer["sample_rate"], answer["divisor"]
    if math.isclose(mean, divisor, rel_tol=1e-9):
        return None
    text = (
        f"{answer['records']} records in batches of {answer['batch_size']}: {answer['batches']} batches a pass, drawn "
        f"at rate {answer['sample_rate']:.6g}, hold {mean:.6g} records on average; the sum is divided by {divisor:g}. "
        f"A public constant, so it is safe; steps are {mean / divisor - 1:+.2%} longer than of the mean over such a "
        f"batch"
    )
    return Cause("expected-batch-size", text, True, abs(mean / divisor - 1))


def channels_last(answer: Mapping[str, Any]) -> Cause | None:
    """Gradients that are right for contiguous activations only."""
    errors = answer["relative_error"]
    if errors["channels_last"] <= 1e-4:
        return None
    text = (
        f"weight gradients of a convolution are off by {errors['channels_last']:.2g} (relative) on channels-last "
        f"activations, by {errors['contiguous']:.1g} on contiguous ones; keep torch.contiguous_format"
    )
    return Cause("channels-last-patches", text, None, errors["channels_last"])


_JUDGES: dict[str, Callable[[Mapping[str, Any]], Cause | None]] = {
    "opacus-clip-factor": clip_factor,
    "opacus-adaclip": adaclip,
    "opacus-nan": nan,
    "opacus-expected-batch-size": expected_batch_size,
    "opacus-channels-last": channels_last,
}
