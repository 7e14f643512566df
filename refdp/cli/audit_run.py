"""``refdp audit run``: train with planted canaries, and see whether they show more than the claimed epsilon allows."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from refdp.accounting import NEIGHBORING
from refdp.audit.runs.config import INITIAL, SCORES, AuditConfig
from refdp.audit.runs.faults import FAULTS
from refdp.batches import cores
from refdp.cli.audit_run_answer import answer
from refdp.cli.audit_run_progress import audit_progress
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import (
    CLIP_NORM,
    COUNT,
    COUNT_OR_ZERO,
    DELTA,
    NON_NEGATIVE,
    POSITIVE,
    SEED,
    Name,
    Number,
)
from refdp.cli.train import SAMPLERS
from refdp.errors import RefDPError
from refdp.files import exclusive
from refdp.recipes import recipe_for

_NOT_CONFIG = ("jobs", "output", "resume", "quick", "as_json", "quiet")
_CONFIDENCE = Number("> 0.5 and < 1, for example 0.95", lambda x: 0.5 < x < 1)
_RECIPE = ("model", "clip_norm", "learning_rate", "optimizer")
_OPEN = (
    "data_dir", "neighboring", "noise_multiplier", "target_epsilon", "batch_size", "steps", "references", "fault",
    "estimator", "claimed_epsilon", "expected_epsilon", "records",
)  # fmt: skip


def _config(options: dict[str, Any]) -> AuditConfig:
    """What was given; else what the kind of canary has; else the data set's recipe."""
    from refdp.audit.runs.canaries import canaries

    given = {key: value for key, value in options.items() if value is not None}
    if "noise_multiplier" in given and "target_epsilon" in given:
        raise RefDPError("--target-epsilon, --noise-multiplier: give at most one of them")
    kind = canaries.create(given.get("canary", "dirac"))
    own = dict(kind.defaults)
    if "dataset" in given and not str(given["dataset"]).startswith(str(own.get("dataset"))):
        own.pop("model", None)
    if "target_epsilon" in given:
        own.pop("noise_multiplier", None)
    dataset = given.get("dataset", own.get("dataset", "mnist"))
    recipe = recipe_for(dataset.partition(":")[0])
    defaults: dict[str, Any] = {
        **dict.fromkeys(_OPEN),
        **{name: getattr(recipe, name) for name in _RECIPE},
        "data_seed": 0,
        "clipping": "flat",
        "steps": None if "batch_size" in own else 200,
        "canary": "dirac",
        "canaries": 1000,
        "runs": 1,
        "seed": secrets.randbits(64),
    }
    merged = {**defaults, **own, **given, "dataset": dataset}
    if merged["noise_multiplier"] is None and merged["target_epsilon"] is None:
        merged["target_epsilon"] = 4.0
    if merged["data_dir"] is not None:
        merged["data_dir"] = str(Path(merged["data_dir"]).resolve())
    return AuditConfig(**merged)


def _check_resumed(config: AuditConfig, ctx: click.Context, options: dict[str, Any]) -> None:
    """Refuse options that contradict the audit to go on with."""
    stored = config.to_json()
    for name, value in options.items():
        if ctx.get_parameter_source(name) != ParameterSource.COMMANDLINE:
            continue
        same = str(Path(value).resolve()) if name == "data_dir" else value
        if stored[name] != same:
            flag = "--" + name.replace("_", "-")
            raise RefDPError(
                f"{flag} {value!r}: the audit to resume was made with {stored[name]!r}; leave it out (what an audit "
                "is to show is settled before its first run)"
            )


@click.command("run")
@click.option("--dataset", type=Name(), help="[default: mnist].")
@click.option(
    "--data-dir", metavar="DIR", help="Folder with the data set's files [default: $REFDP_DATA, the cache]."
)
@click.option(
    "--model", type=Name(), help="[default: the data set's recipe, as for what has no default here]."
)
@click.option(
    "--records", type=COUNT, help="Training records used, drawn by the seed [default: at most 1,000]."
)
@click.option("--steps", type=COUNT, help="[default: 200].")
@click.option("--sampling", type=click.Choice(SAMPLERS), default="poisson", show_default=True)
@click.option(
    "--neighboring",
    type=click.Choice(NEIGHBORING),
    help="[default: add-remove; zero-out for shuffle and fixed-order; replace-one for without-replacement].",
)
@click.option("--batch-size", type=COUNT, help="Of records and canaries [default: all, full participation].")
@click.option("--clipping", type=Name(), help="Clipping rule; none that is adaptive [default: flat].")
@click.option("--clip-norm", type=CLIP_NORM)
@click.option(
    "--schedule", type=Name(), default="constant", show_default=True, help="Noise schedule, as in train."
)
@click.option("--target-epsilon", type=POSITIVE, help="Of the run's own accounting [default: 4].")
@click.option("--noise-multiplier", type=NON_NEGATIVE, help="Instead of --target-epsilon.")
@click.option("--delta", type=DELTA, default=1e-5, show_default=True)
@click.option("--optimizer", type=Name())
@click.option("--learning-rate", type=POSITIVE)
@click.option(
    "--canary",
    type=Name(),
    help="dirac, mislabelled, out-of-distribution[:pattern=noise|constant] or companions [default: dirac].",
)
@click.option("--canaries", type=COUNT, help="A run [default: 1000; companions: 1].")
@click.option(
    "--references",
    type=COUNT_OR_ZERO,
    help="Canaries never planted, for more draws of what is left out [default: dirac in one run, up to 10 each].",
)
@click.option(
    "--scores",
    type=click.Choice(SCORES),
    default="white-box",
    show_default=True,
    help="What the adversary sees: every release, or the final weights.",
)
@click.option(
    "--initial",
    type=click.Choice(INITIAL),
    default="random",
    show_default=True,
    help="Initial weights; worst-case: trained on other records first.",
)
@click.option(
    "--runs", type=COUNT, help="Training runs, each with coins of its own [default: 1; companions 2500]."
)
@click.option("--jobs", type=COUNT, help="Processes for several runs [default: the cores there are].")
@click.option(
    "--estimator",
    type=Name(),
    help="The one the verdict goes by [default: gdp, clopper-pearson or one-run, as the design allows].",
)
@click.option("--confidence", type=_CONFIDENCE, default=0.95, show_default=True)
@click.option("--claimed-epsilon", type=POSITIVE, help="To be refuted [default: what the accounting says].")
@click.option(
    "--expected-epsilon",
    type=POSITIVE,
    help="The leak that thresholds are laid out for; changes how good a bound is, not whether it holds [default: the "
    "claim].",
)
@click.option(
    "--fault", type=click.Choice(FAULTS), help="Break the run on purpose, to see the audit find it."
)
@click.option(
    "--seed", type=SEED, help="Root of all random numbers; an audit is no release, so it may be known."
)
@click.option("--output", metavar="DIR", help="Audit directory [default: runs/audit-DATE].")
@click.option("--resume", is_flag=True, help="Go on with the audit in --output.")
@click.option(
    "--quick", is_flag=True, help="Leave out what this audit, or a larger one, could have shown (seconds)."
)
@output_options
@click.pass_context
def run(ctx: click.Context, **options: Any) -> int:
    """Train with canaries, each planted or left out by a fair coin, and see what their scores show of epsilon.

    \b
    refdp audit run --data-dir DIR                        1,000 gradient canaries in one run of mnistnet
    refdp audit run --data-dir DIR --fault half-noise     the same with half the noise: refuted
    refdp audit run --data-dir DIR --canary mislabelled --scores black-box --canaries 1 --runs 200 \\
        --records 100 --steps 20 --target-epsilon 10 --initial worst-case      by final models only: a minute

    Exit code 3: refuted; 0: not (which proves nothing: see the power beside it); 2: bad usage, or no bound.
    """
    from refdp.audit.runs import prepare
    from refdp.audit.runs.directory import AuditDirectory

    flags = {name: options.pop(name) for name in _NOT_CONFIG}
    output = Output(flags["as_json"], flags["quiet"])
    if flags["resume"] and flags["output"] is None:
        raise RefDPError("--resume: needs --output DIR, the audit to go on with")
    path = Path(flags["output"] or f"runs/audit-{time.strftime('%Y%m%d-%H%M%S')}")
    directory = AuditDirectory(path)
    if flags["resume"]:
        config = directory.config()
        _check_resumed(config, ctx, options)
        setup = prepare(config)
    else:
        setup = prepare(_config(options))
        directory.create()
    with exclusive(path):
        setup = directory.go_on(setup) if flags["resume"] else directory.begin(setup)
        found = _train(directory, setup, flags["jobs"] or cores(), output)
        return answer(directory, setup, found, output, flags["quick"])


def _train(directory: Any, setup: Any, jobs: int, output: Output) -> list[dict[str, Any]]:
    """The runs that ended before, and those that end now."""
    from refdp.audit.runs import run_many

    config, plan = setup.config, setup.plan
    found: list[dict[str, Any]] = directory.runs(setup)
    ended = {record["run"] for record in found}
    missing = [number for number in range(config.runs) if number not in ended]
    output.say(
        f"{config.canaries:,} {config.canary} canaries a run, {config.runs:,} run{'s' * (config.runs > 1)} of "
        f"{plan.steps:,} steps, noise multiplier {plan.schedule.scale:.6g}, sampler {plan.sampler.name}; the verdict "
        f"goes by {config.estimator}"
    )
    if setup.best_bound <= config.claimed_epsilon:
        output.say(
            f"NOTE: {config.estimator}'s bound is at most {setup.best_bound:.3g} with so many canaries: epsilon "
            f"{config.claimed_epsilon:g} cannot be refuted, whatever leaks; give more --canaries or --runs"
        )
    if config.fault is not None:
        output.say(f"FAULT {config.fault}: this run is broken on purpose")
    with audit_progress(config.runs, len(ended), output.quiet) as progress:
        for record in run_many(setup, missing, jobs, progress.step):
            directory.append(record)
            found.append(record)
            progress.run()
    return found
