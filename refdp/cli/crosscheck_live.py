"""What ``crosscheck gradients`` and ``crosscheck step`` share: flags, asking the frameworks, the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import refdp
from refdp.cli.output import Output
from refdp.cli.parameters import COUNT, POSITIVE, SEED, Name, Number, Several
from refdp.cli.peers import interpreters
from refdp.crosscheck.training.check import TOLERANCE
from refdp.crosscheck.training.findings import ask_all, finding_to_json, probes
from refdp.crosscheck.training.live import LivePeer, chosen, inputs_for, peers
from refdp.crosscheck.training.live_report import markdown, text
from refdp.crosscheck.training.model import network_of
from refdp.crosscheck.training.own_module import network_of_module
from refdp.crosscheck.training.side_by_side import rows, to_json
from refdp.errors import RefDPError
from refdp.files import write_atomically
from refdp.models import Network
from refdp.models.shapes import NATURAL
from refdp.traces import Trace, write

SCHEMA = "refdp-crosscheck-live/1"
RELATIVE = Number("> 0 and < 1", lambda x: 0 < x < 1)
_SECONDS = Number("from 0.1 to 86,400 seconds", lambda x: 0.1 <= x <= 86400)
_GIB = Number("from 0.25 to 4096 GiB", lambda x: 0.25 <= x <= 4096)
BROUGHT_BY = {"torch": "opacus", "jax": "jax-privacy"}
"""Packages that are also where another one is."""
BATCHES = {"mlp": 64, "mnistnet": 32, "cifar10net": 16, "resnet20": 8, "wrn-16-4": 4}


@dataclass(frozen=True)
class Asked:
    """The flags of a live cross-check."""

    models: list[str] | None
    module: str | None
    input_shape: str | None
    batch_size: int | None
    clip_norm: float | None
    seed: int
    tolerance: float
    peers: tuple[str, ...]
    only: list[str] | None
    timeout: float
    memory: float
    save: str | None
    markdown_file: str | None
    by_parameter: bool


def live_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of ``Asked``."""
    options = [
        click.option(
            "--model",
            "models",
            type=Several(Name()),
            help="Comma-separated, or all. [default: mnistnet]",
        ),
        click.option(
            "--module", metavar="FILE.py:NAME", help="A torch module of your own; with --input-shape."
        ),
        click.option(
            "--input-shape", metavar="H,W,C", help="Of one sample, channels last, for --module; or F."
        ),
        click.option(
            "--batch-size", type=COUNT, help="[default: 64 for mlp, 32, 16, 8, 4 for the larger ones]"
        ),
        click.option("--clip-norm", type=POSITIVE, help="[default: the middle one of the norms]"),
        click.option(
            "--seed", type=SEED, default=0, show_default=True, help="Of weights, records and noise."
        ),
        click.option(
            "--tolerance", type=RELATIVE, default=TOLERANCE, show_default=True, help="Relative, a stage."
        ),
        click.option(
            "--peer",
            "peers",
            metavar="NAME=PYTHON",
            multiple=True,
            help="Interpreter in which a package is installed: opacus, torch, jax or jax-privacy. Repeatable.",
        ),
        click.option("--only", type=Several(Name()), help="These peers or packages, comma-separated."),
        click.option(
            "--timeout", type=_SECONDS, default=120, show_default=True, help="Seconds, a peer and model."
        ),
        click.option(
            "--memory", type=_GIB, default=16, show_default=True, help="GiB of address space, a peer."
        ),
        click.option("--save", metavar="DIR", help="Keep every trace there: MODEL-PEER.npz."),
        click.option(
            "--markdown", "markdown_file", metavar="FILE", help="Write the tables there as Markdown."
        ),
        click.option(
            "--by-parameter", is_flag=True, help="Every parameter's differences, too (--json has them)."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def answer(output: Output, asked: Asked, **settings: Any) -> int:
    """Ask, judge and print; the exit code. Whole steps with these settings, or gradients alone where there are none."""
    known = peers()
    python = interpreters(asked.peers, {each.package for each in known})
    chosen_peers = chosen(asked.only, known)
    for package, bringer in BROUGHT_BY.items():
        if bringer in python:
            python.setdefault(package, python[bringer])
    models = [
        _one_model(output, asked, name, model, python, chosen_peers, settings)
        for name, model in _models(asked, python)
    ]
    found = {
        "schema": SCHEMA,
        "refdp": refdp.__version__,
        "command": "step" if settings else "gradients",
        "tolerance": asked.tolerance,
        "models": models,
        "findings": _findings(output, asked, python, {each.package for each in chosen_peers})
        if settings
        else [],
    }
    if asked.markdown_file is not None:
        _write(Path(asked.markdown_file), markdown(found).encode())
    verdicts = [row["agrees"] for model in models for row in model["rows"]]
    if all(verdict is None for verdict in verdicts):
        output.say("no framework answered: install one, or say where one is with --peer NAME=PYTHON")
    output.answer(found, text(found, asked.by_parameter))
    return 4 if False in verdicts else 0


def _models(asked: Asked, python: dict[str, str]) -> list[tuple[str, str | Network]]:
    """What to ask about: names, each with a specification or a network."""
    if asked.module is None:
        if asked.input_shape is not None:
            raise RefDPError("--input-shape: is for --module; a registered model has its own")
        names = asked.models or ["mnistnet"]
        return [(name, name) for name in (list(NATURAL) if names == ["all"] else names)]
    if asked.models is not None:
        raise RefDPError("--module, --model: give one of them")
    network = network_of_module(
        asked.module,
        _shape(asked.input_shape),
        python.get("torch", sys.executable),
        timeout=asked.timeout,
        memory=int(asked.memory * 2**30),
    )
    return [(asked.module.rpartition(":")[2], network)]


def _shape(text: str | None) -> tuple[int, ...]:
    if text is None:
        raise RefDPError("--input-shape: is needed with --module: H,W,C of one sample, or F")
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise RefDPError(f"--input-shape {text!r}: must be H,W,C (channels last) or F, whole numbers >= 1")
    return shape


def _one_model(
    output: Output,
    asked: Asked,
    name: str,
    model: str | Network,
    python: dict[str, str],
    chosen_peers: tuple[LivePeer, ...],
    settings: dict[str, Any],
) -> dict[str, Any]:
    batch = asked.batch_size or BATCHES.get(name.partition(":")[0], 16)
    inputs = inputs_for(model, batch, seed=asked.seed, clip_norm=asked.clip_norm, **settings)
    network = network_of(None, inputs)
    assert network is not None
    found = []
    for row in rows(
        chosen_peers,
        python,
        inputs,
        network,
        tolerance=asked.tolerance,
        whole_steps=bool(settings),
        module=asked.module,
        timeout=asked.timeout,
        memory=int(asked.memory * 2**30),
        say=lambda text: output.say(f"{name}: {text}"),
    ):
        if asked.save is not None and row.trace is not None:
            Path(asked.save).mkdir(parents=True, exist_ok=True)
            meta = dict(row.trace.meta) | {
                key: inputs.meta[key] for key in ("model", "layers") if key in inputs.meta
            }
            trace = Trace(row.trace.steps, meta)
            write(trace, Path(asked.save) / f"{name.partition(':')[0]}-{row.peer.name}.npz")
        found.append(to_json(row, asked.tolerance))
    return {
        "model": name,
        "parameters": network.size,
        "batch_size": batch,
        "steps": len(inputs.steps),
        "seed": asked.seed,
        "rows": found,
    }


def _findings(
    output: Output, asked: Asked, python: dict[str, str], packages: set[str]
) -> list[dict[str, Any]]:
    """What installed packages do where a recorded step does not go."""
    found = []
    for probe in probes():
        if probe.package in packages:
            output.say(f"probing {probe.name}")
            for _, outcome, finding in ask_all(
                [probe], python, timeout=asked.timeout, memory=int(asked.memory * 2**30)
            ):
                found.append(finding_to_json(probe, outcome, finding))
    return found


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise RefDPError(f"--markdown {str(path)!r}: cannot be written ({error.strerror})") from None
