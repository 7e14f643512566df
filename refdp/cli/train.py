"""``refdp train``: one run, at a budget that is kept."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from refdp.accounting import NEIGHBORING
from refdp.backend import get_backend
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import CLIP_NORM, COUNT, DELTA, EPOCHS, NON_NEGATIVE, POSITIVE, SEED, Name
from refdp.cli.progress import training_progress
from refdp.config import RunConfig, build
from refdp.engine import Trainer
from refdp.errors import RefDPError
from refdp.files import exclusive
from refdp.gradients import PER_SAMPLE
from refdp.noise import NOISE_SOURCES
from refdp.recipes import recipe_for
from refdp.registry import parse_spec
from refdp.report import NO_PRIVACY, bounds_to_json, privacy_statement
from refdp.run_directory import PRIVATE_COLUMN, RunDirectory, fingerprint
from refdp.training import run_to_end, save

SAMPLERS = ("poisson", "shuffle", "fixed-order", "without-replacement")
_NOT_CONFIG = ("output", "resume", "show_private_metrics", "as_json", "quiet")


def _config(options: dict[str, Any]) -> RunConfig:
    """The recipe of the data set, overridden by whatever was given."""
    if options["dataset"] is None:
        raise RefDPError("--dataset: is needed; see refdp data list")
    if (options["noise_multiplier"] is None) == (options["target_epsilon"] is None):
        raise RefDPError("--target-epsilon, --noise-multiplier: give exactly one of them")
    recipe = recipe_for(options["dataset"].partition(":")[0])
    given = {key: value for key, value in options.items() if value is not None}
    defaults: dict[str, Any] = {
        "data_dir": None,
        "data_seed": options["seed"] or 0,
        "neighboring": None,
        "noise_multiplier": None,
        "target_epsilon": None,
        "physical_batch_size": None,
        "seed": None,
        "clipping": "flat",
        "augmentation": None,
        "iterates": None,
        **{name: getattr(recipe, name) for name in recipe.__dataclass_fields__},
    }
    merged = {**defaults, **given}
    if "clip_norm" in parse_spec(merged["clipping"])[1]:
        raise RefDPError(f"--clipping {merged['clipping']!r}: the clip norm is given by --clip-norm")
    if merged["data_dir"] is not None:
        merged["data_dir"] = str(Path(merged["data_dir"]).resolve())
    return RunConfig(**merged)


def _resumed(directory: RunDirectory, ctx: click.Context, options: dict[str, Any]) -> RunConfig:
    """The stored configuration; an option that contradicts it is refused."""
    config = directory.config()
    stored = config.to_json()
    for name, value in options.items():
        given = ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if given and name != "data_dir" and stored[name] != value:
            flag = "--" + name.replace("_", "-")
            raise RefDPError(
                f"{flag} {value!r}: the run to resume was made with {stored[name]!r}; leave it out"
            )
    if options["data_dir"] is not None:
        config = replace(config, data_dir=str(Path(options["data_dir"]).resolve()))
    return config


@click.command()
@click.option("--dataset", type=Name(), help="gaussian-clusters, mnist, fashion-mnist or cifar10.")
@click.option(
    "--data-dir", metavar="DIR", help="Folder with the data set's files [default: $REFDP_DATA, the cache]."
)
@click.option(
    "--model",
    type=Name(),
    help="mlp[:hidden=N,activation=relu|tanh], mnistnet[:activation=...], cifar10net, resnet20 or wrn-16-4.",
)
@click.option("--sampling", type=click.Choice(SAMPLERS), default="poisson", show_default=True)
@click.option(
    "--neighboring",
    type=click.Choice(NEIGHBORING),
    help="[default: add-remove; zero-out for shuffle and fixed-order; replace-one for without-replacement].",
)
@click.option(
    "--clipping",
    type=Name(),
    help="Clipping rule, NAME:param=value,... (docs/mechanisms.md) [default: flat].",
)
@click.option("--clip-norm", type=CLIP_NORM, help="Largest norm of one record's gradient.")
@click.option(
    "--schedule",
    type=Name(),
    default="constant",
    show_default=True,
    help="Noise schedule: constant, cosine:amplitude=A, linear:start=,end=, exponential:start=,end=, "
    "step:factor=,every= (epochs), noise-decay:factor=,every=; normalise=harmonic on any.",
)
@click.option("--target-epsilon", type=POSITIVE, help="Budget; the noise is solved for and never exceeds it.")
@click.option(
    "--noise-multiplier",
    type=NON_NEGATIVE,
    help="Noise standard deviation on the sum / K, the rule's bound (the clip norm, but for psasc).",
)
@click.option("--delta", type=DELTA, default=1e-5, show_default=True)
@click.option("--batch-size", type=COUNT, help="Logical (expected) batch size.")
@click.option("--physical-batch-size", type=COUNT, help="Records in memory at once; changes rounding only.")
@click.option(
    "--optimizer",
    type=Name(),
    help="sgd[:momentum=M,nesterov=true], ema-momentum:gamma=G, adam[:bias_correction=dp], rmsprop; any "
    "with average=D.",
)
@click.option("--learning-rate", type=POSITIVE)
@click.option(
    "--lr-schedule",
    type=Name(),
    help="constant, cosine, warmup:steps=W, warmup-cosine:steps=W, plateau (a noised count, charged) or "
    "plateau-public (test records, assumed public).",
)
@click.option(
    "--epochs", type=EPOCHS, help="Passes over the data: ceil(epochs * dataset size / batch size) steps."
)
@click.option("--seed", type=SEED, help="Known seed, for research only: it lets anyone subtract the noise.")
@click.option(
    "--noise-source",
    type=click.Choice(tuple(NOISE_SOURCES)),
    default="reproducible",
    show_default=True,
    help="secure: noise, batches and initial weights from ChaCha20 (extra 'secure'); takes no --seed.",
)
@click.option(
    "--augmentation",
    type=Name(),
    help="Views of each record whose gradients are averaged before clipping: shift:views=K[,pixels=P], "
    "shift-flip:views=K.",
)
@click.option(
    "--iterates",
    type=Name(),
    help="Weights at which gradients are taken and averaged before clipping: average:memory=K[,decay=D] "
    "[default: the last].",
)
@click.option(
    "--per-sample",
    type=click.Choice(PER_SAMPLE),
    default="auto",
    show_default=True,
    help="How per-sample gradients are clipped: made (explicit), by norms without making them (ghost), or both, as is "
    "faster (hybrid); changes rounding only.",
)
@click.option("--backend", type=click.Choice(["numpy", "cupy"]), default="numpy", show_default=True)
@click.option(
    "--show-private-metrics", is_flag=True, help="Also show and write un-noised training loss. NOT private."
)
@click.option("--output", metavar="DIR", help="Run directory [default: runs/train-DATE].")
@click.option("--resume", is_flag=True, help="Go on with the run in --output.")
@output_options
@click.pass_context
def train(ctx: click.Context, **options: Any) -> int:
    """One training run at a budget that is kept. Defaults are the data set's recipe.

    \b
    refdp train --dataset mnist --data-dir DIR --target-epsilon 3
    refdp train --output runs/mine --resume
    """
    flags = {name: options.pop(name) for name in _NOT_CONFIG}
    output = Output(flags["as_json"], flags["quiet"])
    if flags["resume"] and flags["output"] is None:
        raise RefDPError("--resume: needs --output DIR, the run to go on with")
    path = Path(flags["output"] or f"runs/train-{time.strftime('%Y%m%d-%H%M%S')}")
    config = _resumed(RunDirectory(path), ctx, options) if flags["resume"] else _config(options)
    if config.seed is not None and not config.dataset.startswith("gaussian-clusters") and config.clipping:
        output.say(
            f"WARNING: --seed {config.seed} on real data: whoever knows it can subtract the noise, and epsilon says "
            "nothing about them; leave --seed out unless this is research on public data"
        )
    backend = get_backend(config.backend)
    plan, data = build(config)
    trainer = Trainer(
        plan,
        data,
        backend,
        NOISE_SOURCES[config.noise_source].from_seed(config.seed),
        physical_batch_size=config.physical_batch_size,
        per_sample=config.per_sample,
        watch_private=flags["show_private_metrics"],
    )
    if flags["resume"]:
        directory = RunDirectory(path, fingerprint(config, data))
    else:
        resolved = replace(config, noise_multiplier=plan.schedule.scale, neighboring=plan.neighboring)
        directory = RunDirectory.create(path, resolved, data)
    with exclusive(path):
        return _run(directory, config.epochs, trainer, output)


def _run(directory: RunDirectory, epochs: int, trainer: Trainer, output: Output) -> int:
    plan = trainer.plan
    directory.resume(trainer)
    if trainer.step == 0:
        save(trainer, directory, [])  # the secret root is stored before anything is released under it
    output.say(f"{plan.steps} steps, noise multiplier {plan.schedule.scale:.6g}, sampler {plan.sampler.name}")
    if trainer.watch_private:
        output.say("showing un-noised training loss: NOT private, not covered by epsilon")
    begun = time.perf_counter()
    with training_progress(output.quiet, trainer.step) as listener:
        rows = run_to_end(trainer, epochs, directory, listener)
    seconds = time.perf_counter() - begun
    bounds = plan.epsilon()
    answer = {
        "schema": "refdp-train/1",
        "test_accuracy": float(rows[-1]["test_accuracy"]),
        "epsilon": bounds_to_json(bounds)["epsilon"] if plan.private else NO_PRIVACY,
        "delta": plan.delta,
        "neighboring": plan.neighboring,
        "sampling": plan.sampler.name,
        "steps": plan.steps,
        "noise_multiplier": plan.schedule.scale,
        "seconds": seconds,
        "output": str(directory.path),
    }
    statement = privacy_statement(plan, trainer.data, bounds, trainer.streams)
    if any(PRIVATE_COLUMN in row for row in rows):
        statement += (
            "\n  - the un-noised training loss in metrics.csv, shown because it was asked for: NOT private"
        )
    text = (
        f"test accuracy {answer['test_accuracy']:.4f} after {plan.steps} steps, {seconds:.1f} s\n{statement}"
    )
    output.answer(answer, f"{text}\nresults in {directory.path}")
    return 0
