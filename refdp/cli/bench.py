"""``refdp bench``: what training costs on this machine."""

from __future__ import annotations

import click

from refdp.backend import get_backend
from refdp.bench.step import Timing, measure
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import COUNT, Name, Number
from refdp.gradients import PER_SAMPLE

_SECONDS = Number("from 0.01 to 86,400 seconds", lambda x: 0.01 <= x <= 86400)


@click.group()
def bench() -> None:
    """What training costs on this machine."""


@bench.command()
@click.option(
    "--model",
    type=Name(),
    default="mnistnet",
    show_default=True,
    help="mlp, mnistnet, cifar10net, resnet20 or wrn-16-4; NAME:param=value,...",
)
@click.option("--batch-size", type=COUNT, default=256, show_default=True, help="Records of a step.")
@click.option(
    "--physical-batch-size", type=COUNT, help="Records in memory at once [default: what train takes]."
)
@click.option(
    "--per-sample",
    type=click.Choice(PER_SAMPLE),
    default="auto",
    show_default=True,
    help="How per-sample gradients are clipped: made (explicit), by norms without making them (ghost), or both.",
)
@click.option("--clipping", type=Name(), default="flat", show_default=True, help="Clipping rule.")
@click.option("--backend", type=click.Choice(["numpy", "cupy"]), default="numpy", show_default=True)
@click.option("--seconds", type=_SECONDS, default=5, show_default=True, help="Of measuring, after warm-up.")
@output_options
def step(
    model: str,
    batch_size: int,
    physical_batch_size: int | None,
    per_sample: str,
    clipping: str,
    backend: str,
    seconds: float,
    as_json: bool,
    quiet: bool,
) -> int:
    """Samples per second and peak memory of whole training steps on random data.

    Memory is the largest resident set of this process from its start on, and what its worker processes add.

    \b
    refdp bench step --model mnistnet --batch-size 256
    refdp bench step --model wrn-16-4 --backend cupy --seconds 10 --json
    """
    output = Output(as_json, quiet)
    chosen = get_backend(backend)
    output.say(f"{model}, batches of {batch_size}, on {backend}: warming up, then {seconds:g} s of steps")
    found = measure(model, batch_size, chosen, seconds, clipping, physical_batch_size, per_sample)
    answer = {
        "schema": "refdp-bench/1",
        "model": model,
        "batch_size": batch_size,
        "per_sample": per_sample,
        "per_sample_used": found.per_sample,
        "clipping": clipping,
        "backend": backend,
        "samples_per_second": batch_size / found.median,
        "best_samples_per_second": batch_size / min(found.seconds),
        "steps": len(found.seconds),
        "seconds": sum(found.seconds),
        "physical_batch_size": found.chunk,
        "workers": found.workers,
        "peak_memory_bytes": found.peak_memory_bytes,
        "memory_before_bytes": found.memory_before_bytes,
        "device_memory_bytes": found.device_memory_bytes,
    }
    output.answer(answer, _text(batch_size, found))
    return 0


def _text(batch_size: int, found: Timing) -> str:
    fast, mib = min(found.seconds), 2**20
    lines = [
        f"samples/s     {batch_size / found.median:,.1f} (median of {len(found.seconds)} steps), "
        f"{batch_size / fast:,.1f} (best)",
        f"ms a step     {1e3 * found.median:,.2f} (median), {1e3 * fast:,.2f} (best)",
        f"peak memory   {found.peak_memory_bytes / mib:,.0f} MiB, of which the interpreter and its libraries "
        f"{found.memory_before_bytes / mib:,.0f} MiB",
    ]
    if found.device_memory_bytes is not None:
        lines.append(f"on the device {found.device_memory_bytes / mib:,.0f} MiB")
    lines.append(f"records at once {found.chunk}, workers {found.workers}")
    return "\n".join(lines)
