"""``refdp sweep``: a grid of runs, a table, a summary, pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from refdp.accounting import NEIGHBORING, Bounds
from refdp.batches import cores
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import CLIP_NORM, COUNT, DELTA, EPOCHS, POSITIVE, SEED, Name, Several
from refdp.cli.train import SAMPLERS
from refdp.config import RunConfig
from refdp.errors import RefDPError
from refdp.files import dumps, exclusive, read_json, write_atomically
from refdp.sweep.grid import Grid, make_grid
from refdp.sweep.levels import Cost, solve_levels
from refdp.sweep.records import append_run, read_runs, run_key, write_json, write_results
from refdp.sweep.runner import data_digest, record_of, run_grid

_NOT_GRID = ("jobs", "output", "resume", "validate_dir", "as_json", "quiet")


@contextmanager
def _progress(total: int, done: int, quiet: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A listener for finished runs: a bar on a terminal, some ten lines elsewhere."""
    console = Console(stderr=True)
    if quiet:
        yield lambda record: None
        return
    if console.is_terminal:
        columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("", total=total, completed=done)
            yield lambda record: bar.advance(task)
        return
    ended = [done]

    def line(record: dict[str, Any]) -> None:
        ended[0] += 1
        if ended[0] == total or ended[0] % max(1, total // 10) == 0:
            console.print(f"{ended[0]}/{total} runs", highlight=False)

    yield line


def _start(path: Path, resume: bool, options: dict[str, Any], ctx: click.Context) -> Grid:
    """A new directory with its configuration, or the configuration of the sweep to go on with."""
    if resume:
        found = Grid.from_json(read_json(path / "config.json", "sweep directory"))
        stored = found.to_json()
        for name, value in options.items():
            given = ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
            if given and stored.get(name) != value:
                flag = "--" + name.replace("_", "-")
                raise RefDPError(
                    f"{flag} {value!r}: the sweep was made with {stored.get(name)!r}; leave it out"
                )
        if found.replay is not None:
            _check_replayed(found)
        return found
    grid = _replayed(options) if options["replay"] else make_grid(options)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RefDPError(f"--output {str(path)!r}: exists and is not empty; choose another, or use --resume")
    return grid


def _replayed(options: dict[str, Any]) -> Grid:
    """The grid of the published program that ``--replay`` names; it leaves nothing to choose."""
    from refdp.replay.s1 import s1_grid

    for name, value in options.items():
        if value is not None and name != "replay":
            flag = "--" + name.replace("_", "-")
            raise RefDPError(
                f"{flag} {value!r}: --replay {options['replay']} runs a published program as it is; leave it out"
            )
    return s1_grid()


def _check_replayed(grid: Grid) -> None:
    """Refuse to go on with a replay whose grid was changed."""
    from refdp.replay.s1 import s1_grid

    own = s1_grid().to_json()
    for name, value in grid.to_json().items():
        if name != "data_sha256" and value != own.get(name):
            raise RefDPError(
                f"config.json: {name} = {value!r}: {grid.replay}'s is {own.get(name)!r}; start a new sweep"
            )


def _validate(directory: str, output: Output) -> int:
    from refdp.sweep.validate import validate

    checks = validate(directory)
    document = {
        "schema": "refdp-sweep-validation/1",
        "valid": all(check.passed for check in checks),
        "checks": [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in checks],
    }
    lines = [f"{'ok  ' if c.passed else 'FAIL'}  {c.name}: {c.detail}" for c in checks]
    output.answer(document, "\n".join(lines))
    return 0 if document["valid"] else 2


@click.command()
@click.option("--noise-multipliers", type=Several(POSITIVE), help="[default: 0.01,0.1,0.5,1,2,5,10].")
@click.option("--target-epsilons", type=Several(POSITIVE), help="Budgets instead of noise multipliers.")
@click.option("--clip-norms", type=Several(CLIP_NORM), help="[default: 0.1,1,10].")
@click.option("--clippings", type=Several(Name()), help="Clipping rules [default: flat].")
@click.option("--seeds", type=Several(SEED), help="[default: 42,123,456].")
@click.option("--dataset", type=Name(), help="[default: gaussian-clusters].")
@click.option("--data-dir", metavar="DIR", help="Folder with the data set's files.")
@click.option("--model", type=Name(), help="[default: the data set's recipe, as for what follows].")
@click.option("--sampling", type=click.Choice(SAMPLERS), help="[default: poisson].")
@click.option(
    "--neighboring",
    type=click.Choice(NEIGHBORING),
    help="[default: add-remove; zero-out for shuffle and fixed-order; replace-one for without-replacement].",
)
@click.option("--delta", type=DELTA, help="[default: 1e-5].")
@click.option("--batch-size", type=COUNT)
@click.option("--epochs", type=EPOCHS)
@click.option("--learning-rate", type=POSITIVE)
@click.option("--optimizer", type=Name())
@click.option("--lr-schedule", type=Name())
@click.option(
    "--schedule", type=Name(), help="Noise schedule, NAME:param=value,... as in train [default: constant]."
)
@click.option("--augmentation", type=Name(), help="Views of each record, as in train [default: none].")
@click.option("--iterates", type=Name(), help="Weights averaged over, as in train [default: the last].")
@click.option(
    "--replay", type=click.Choice(["s1"]), help="A published program's own runs, its random numbers included."
)
@click.option("--jobs", type=COUNT, help="Processes [default: the cores there are].")
@click.option("--output", metavar="DIR", help="Sweep directory [default: runs/sweep-DATE].")
@click.option("--resume", is_flag=True, help="Go on with the sweep in --output.")
@click.option("--validate", "validate_dir", metavar="DIR", help="Only check a finished sweep.")
@output_options
@click.pass_context
def sweep(ctx: click.Context, **options: Any) -> int:
    """A grid of runs, each with its true epsilon; ends in a table, a summary and pictures.

    \b
    refdp sweep                            7 noise multipliers x 3 clip norms x 3 seeds, and 3 baselines
    refdp sweep --sampling fixed-order     the same with batches that get no amplification
    refdp sweep --replay s1                the published program's own 66 accuracies, beside its claims
    refdp sweep --dataset mnist --data-dir DIR --target-epsilons 1,3,8 --clip-norms 0.1 --seeds 1
    """
    flags = {name: options.pop(name) for name in _NOT_GRID}
    output = Output(flags["as_json"], flags["quiet"])
    if flags["validate_dir"] is not None:
        return _validate(flags["validate_dir"], output)
    if flags["resume"] and flags["output"] is None:
        raise RefDPError("--resume: needs --output DIR, the sweep to go on with")
    path = Path(flags["output"] or f"runs/sweep-{time.strftime('%Y%m%d-%H%M%S')}")
    if options["data_dir"] is not None:
        options["data_dir"] = str(Path(options["data_dir"]).resolve())
    grid = _start(path, flags["resume"], options, ctx)
    runs, bounds = solve_levels(grid.runs())
    digest = data_digest(runs)
    if flags["resume"] and grid.data_sha256 != digest:
        raise RefDPError("--resume: the training data changed since the sweep began; start a new sweep")
    grid = replace(grid, data_sha256=digest)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RefDPError(f"--output {str(path)!r}: cannot be made ({error.strerror})") from None
    with exclusive(path):
        return _run(path, grid, runs, bounds, flags["jobs"] or cores(), output)


def _run(
    path: Path, grid: Grid, runs: list[RunConfig], bounds: dict[Cost, Bounds], jobs: int, output: Output
) -> int:
    write_atomically(path / "config.json", (dumps(grid.to_json(), indent=1) + "\n").encode())
    done = read_runs(path / "runs.jsonl") if (path / "runs.jsonl").exists() else []
    ended = {run_key(record) for record in done}
    missing = [config for config in runs if run_key(record_of(config, None, 0.0, 0.0)) not in ended]
    begun = time.perf_counter()
    with _progress(len(runs), len(runs) - len(missing), output.quiet) as listener:
        for record in _records(grid, missing, bounds, jobs):
            append_run(path / "runs.jsonl", record)
            done.append(record)
            listener(record)
    output.say(f"{len(missing)} runs trained in {time.perf_counter() - begun:.1f} s")
    return _report(path, grid, done, output)


def _records(
    grid: Grid, runs: list[RunConfig], bounds: dict[Cost, Bounds], jobs: int
) -> Iterator[dict[str, Any]]:
    if grid.replay is None:
        return run_grid(runs, bounds, jobs)
    from refdp.replay.records import replay_grid

    return replay_grid(runs, bounds)


def _report(path: Path, grid: Grid, records: list[dict[str, Any]], output: Output) -> int:
    from refdp.sweep.pictures import draw_all
    from refdp.sweep.summary import summarise
    from refdp.sweep.table import plain_table, sweep_table

    config = grid.to_json()
    write_results(path, config, records)
    summary = summarise(config, records)
    write_json(path / "summary.json", summary)
    pictures = draw_all(path, config, summary)
    found: dict[str, Any] = {}
    if grid.replay is not None:
        from refdp.replay.records import comparison, replay_table

        found = {"replay": comparison(records)}
    if output.as_json:
        places = {"output": str(path), "pictures": [str(p) for p in pictures]}
        output.answer({**summary, **places, **found}, "")
        return 0
    console = Console()
    if found:
        click.echo(replay_table(summary, found["replay"]) + "\n")
    elif console.is_terminal:
        console.print(sweep_table(summary, console.width))
    else:
        click.echo(plain_table(summary))
    click.echo(
        "Not covered by any epsilon here: the choice of the best cell, the test records, and whoever knows the\n"
        "seeds (they are in the results, and let anyone subtract the noise): a sweep is for research."
    )
    click.echo(f"results   {path}\npictures  " + "\n          ".join(str(picture) for picture in pictures))
    return 0
