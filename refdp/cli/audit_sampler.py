"""``refdp audit sampler``: were batches drawn as they were accounted?"""

from __future__ import annotations

from typing import Any

import click

from refdp.audit.sampling import CLAIMS, REFUTED, examine
from refdp.audit.sampling.planted import EQUALLY, NEITHER, examine_planted
from refdp.audit.sampling.reader import read_batches
from refdp.audit.sampling.text import as_text, planted_as_text, planted_to_json, to_json
from refdp.audit.scores import Scores, read_scores
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import COUNT, RATE, SEED, Number
from refdp.errors import RefDPError

_LEVEL = Number("> 0 and < 1, for example 0.01", lambda x: 0 < x < 1)
_DEMONSTRATIONS = ("poisson", "shuffle")


@click.command()
@click.argument("file", required=False, metavar="[FILE]")
@click.option("--dataset-size", type=COUNT, help="N, where FILE does not say it; never guessed.")
@click.option("--claimed", type=click.Choice(CLAIMS), default="poisson", show_default=True)
@click.option("--sample-rate", type=RATE, help="The rate claimed [default: any rate].")
@click.option("--batch-size", type=COUNT, help="The expected batch size claimed: --sample-rate times N.")
@click.option(
    "--level", type=_LEVEL, default=0.01, show_default=True, help="Chance of refuting a true claim."
)
@click.option("--scores", metavar="FILE", help="Instead of batches: one score a canary of a black-box run.")
@click.option(
    "--lower-is-member", is_flag=True, help="Of --scores: planted canaries score lower, as losses do."
)
@click.option("--steps", type=COUNT, help="Of --scores: steps of the run.")
@click.option(
    "--demonstrate",
    type=click.Choice(_DEMONSTRATIONS),
    help="Train with planted canaries, and tell from their scores alone which sampler it was.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of --demonstrate.")
@output_options
def sampler(
    file: str | None,
    dataset_size: int | None,
    claimed: str,
    sample_rate: float | None,
    batch_size: int | None,
    level: float,
    scores: str | None,
    lower_is_member: bool,
    steps: int | None,
    demonstrate: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> int:
    """Were batches drawn as they were accounted? FILE holds the indices of every step's batch: a trace (.npz),
    indices and offsets (.npz), a JSON list of lists, or JSON Lines with a batch a line (- is stdin).

    \b
    refdp audit sampler batches.jsonl --dataset-size 60000 --batch-size 256
    refdp audit sampler trace.npz --dataset-size 60000 --claimed shuffle
    refdp audit sampler --scores canaries.csv --sample-rate 0.01 --steps 1000
    refdp audit sampler --demonstrate shuffle

    Exit code 3: the claim is refuted; 0: not told apart from it, with what could have been; 2: bad input.
    """
    output = Output(as_json, quiet)
    given = [
        name for name, it in (("FILE", file), ("--scores", scores), ("--demonstrate", demonstrate)) if it
    ]
    if len(given) != 1:
        raise RefDPError(
            f"{' and '.join(given) or 'no input'}: give one of FILE, --scores FILE, --demonstrate"
        )
    if file is not None:
        _only("FILE", {"--steps": steps, "--lower-is-member": lower_is_member or None})
        return _batches(output, file, dataset_size, claimed, sample_rate, batch_size, level)
    options = {"--dataset-size": dataset_size, "--batch-size": batch_size}
    if claimed not in ("poisson", "shuffle"):
        raise RefDPError(f"--claimed {claimed}: scores tell poisson from shuffle only")
    if level < 1e-3 or level > 0.5:
        raise RefDPError(
            f"--level {level:g}: must be from 0.001 to 0.5 for scores, whose errors are simulated"
        )
    if scores is not None:
        _only("--scores", options)
        if sample_rate is None or steps is None:
            raise RefDPError("--scores: needs --sample-rate and --steps of the run")
        if not 0 < sample_rate < 1:
            raise RefDPError(f"--sample-rate {sample_rate:g}: must be > 0 and < 1; at 1 all samplers are one")
        found = read_scores(scores, lower_is_member=lower_is_member).scores
        return _planted(output, found, sample_rate, steps, level, claimed)
    _only("--demonstrate", options | {"--sample-rate": sample_rate, "--steps": steps})
    from refdp.cli import sampler_demonstration as demonstration

    assert demonstrate is not None
    output.say(
        f"training {demonstration.STEPS} steps with {demonstration.CANARIES} planted canaries: {demonstrate}"
    )
    seen = demonstration.demonstrate(demonstrate, seed)
    return _planted(output, seen, demonstration.RATE, demonstration.STEPS, level, claimed)


def _only(mode: str, options: dict[str, Any]) -> None:
    for name, value in options.items():
        if value is not None:
            raise RefDPError(f"{name}: has no meaning with {mode}; leave it out")


def _batches(
    output: Output,
    file: str,
    dataset_size: int | None,
    claimed: str,
    sample_rate: float | None,
    batch_size: int | None,
    level: float,
) -> int:
    if sample_rate is not None and batch_size is not None:
        raise RefDPError("--sample-rate and --batch-size: say the same; give one")
    if claimed != "poisson" and (sample_rate is not None or batch_size is not None):
        raise RefDPError(
            f"--sample-rate, --batch-size: belong to --claimed poisson, not {claimed}; leave them out"
        )
    recorded = read_batches(file, dataset_size)
    batches = recorded.batches
    if batch_size is not None:
        if batch_size > batches.dataset_size:
            raise RefDPError(f"--batch-size {batch_size}: must not exceed the {batches.dataset_size} records")
        sample_rate = batch_size / batches.dataset_size
    if recorded.gaps:
        if claimed in ("shuffle", "fixed-order"):
            raise RefDPError(
                f"{file!r}: steps are missing in it; --claimed {claimed} needs every step of a part"
            )
        output.say("note: steps are missing in the file; what other samplers look like may be named wrongly")
    found = examine(batches, claimed, sample_rate, level)
    output.answer(to_json(found), as_text(found))
    return 3 if found.verdict == REFUTED else 0


def _planted(
    output: Output, scores: Scores, sample_rate: float, steps: int, level: float, claimed: str
) -> int:
    found = examine_planted(scores, sample_rate, steps, level)
    document = planted_to_json(found, sample_rate, steps, level) | {"claimed": claimed}
    output.answer(document, planted_as_text(found, level))
    refuting = (EQUALLY, NEITHER) if claimed == "poisson" else ("poisson", NEITHER)
    return 3 if found.verdict in refuting else 0
