"""``refdp audit mechanism``: is somebody else's sensitivity what they say?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from refdp.audit.mechanism import Settings, attack, replay
from refdp.audit.mechanism.attack import VIOLATED, as_text, open_subject, to_json
from refdp.audit.mechanism.finding import load, save
from refdp.audit.mechanism.settings import DIVISORS, RELATIONS, RELEASES
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import Number, Whole
from refdp.errors import RefDPError

_POSITIVE = Number("finite and > 0", lambda x: 0 < x < float("inf"))
_DELTA = Number("> 0 and < 1", lambda x: 0 < x < 1)


@click.command()
@click.argument("subject", required=False, metavar="FILE.py:CLASS")
@click.option(
    "--clip-norm", type=_POSITIVE, default=1.0, show_default=True, help="max_grad_norm, the C declared."
)
@click.option(
    "--noise-multiplier", type=_POSITIVE, default=1.0, show_default=True, help="Noise on the sum / C."
)
@click.option("--batch-size", type=Whole(1, 4096), default=8, show_default=True)
@click.option("--dataset-size", type=Whole(1), default=1000, show_default=True)
@click.option("--epochs", type=Whole(1), default=3, show_default=True)
@click.option("--target-epsilon", type=_POSITIVE, default=3.0, show_default=True)
@click.option("--target-delta", type=_DELTA, default=1e-5, show_default=True)
@click.option(
    "--release",
    type=click.Choice(RELEASES),
    help="What is returned [default: the class's attribute, else mean].",
)
@click.option(
    "--divisor",
    type=click.Choice(DIVISORS),
    default="expected",
    show_default=True,
    help="Of a mean: --batch-size, or the number of records given.",
)
@click.option(
    "--neighboring",
    type=click.Choice(RELATIONS),
    help="[default: add-remove; zero-out with --divisor realised]",
)
@click.option("--seconds", type=_POSITIVE, default=60.0, show_default=True, help="How long to search.")
@click.option(
    "--memory", type=_POSITIVE, default=4.0, show_default=True, help="GiB for the subject's process."
)
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Of the search.")
@click.option("--output", metavar="DIR", help="Save counterexamples there.")
@click.option("--replay", "replayed", metavar="FILE.npz", help="Measure a saved counterexample again.")
@output_options
def mechanism(
    subject: str | None,
    release: str | None,
    neighboring: str | None,
    seconds: float,
    memory: float,
    seed: int,
    output: str | None,
    replayed: str | None,
    as_json: bool,
    quiet: bool,
    clip_norm: float,
    **options: Any,
) -> int:
    """Attack a clipping and noise mechanism: look for neighbouring batches that move its release by more than
    declared, and for noise that is not what is declared. Its code is run, in a limited process of its own.

    \b
    refdp audit mechanism theirs.py:DPMechanism --output found
    refdp audit mechanism --replay found/01-shift.npz

    Exit code 3: violated; 0: nothing found (not a proof); 2: bad usage, or a subject that does not run.
    """
    out = Output(as_json, quiet)
    if replayed is not None:
        return _replay(out, replayed, subject, int(memory * 2**30))
    if subject is None:
        raise RefDPError("FILE.py:CLASS: is missing; for example mechanism.py:DPMechanism")
    relation = neighboring or ("zero-out" if options["divisor"] == "realised" else "add-remove")
    settings = Settings(clip_norm=clip_norm, relation=relation, **options)
    folder = None if output is None else _folder(output)
    found = attack(subject, settings, release=release, seconds=seconds, seed=seed, memory=int(memory * 2**30))
    if folder is not None:
        file = open_subject(subject)[0]
        saved = [
            save(one, folder, i, subject, file, found.settings)
            for i, one in enumerate(found.findings, start=1)
        ]
        found = replace(found, findings=tuple(saved))
    out.answer(to_json(found), as_text(found))
    return 3 if found.verdict == VIOLATED else 0


def _folder(output: str) -> Path:
    folder = Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RefDPError(f"--output {output!r}: no folder can be made there ({error.strerror})") from None
    if any(folder.glob("*.npz")):
        raise RefDPError(f"--output {output!r}: holds counterexamples already; give another folder")
    return folder


def _replay(out: Output, replayed: str, subject: str | None, memory: int) -> int:
    finding, settings, recorded, sha256 = load(Path(replayed))
    where = subject or recorded
    factor = replay(finding, settings, where, memory)
    import hashlib

    changed = hashlib.sha256(open_subject(where)[0].read_bytes()).hexdigest() != sha256
    verdict = VIOLATED if finding.still_there(factor) else "not reproduced"
    document = {
        "schema": "refdp-mechanism-replay/1",
        "subject": where,
        "verdict": verdict,
        "check": finding.check,
        "factor": factor,
        "recorded_factor": finding.factor,
        "file_changed": changed,
    }
    text = f"{where}: {verdict}\n  {finding.check}: factor {factor:.6g}, recorded {finding.factor:.6g}: {finding.what}"
    out.answer(document, text + ("\n  note: the file is not the one that was recorded" if changed else ""))
    return 3 if finding.still_there(factor) else 0
