"""Time what grows with the batch in a step: per-sample gradients, their norms and a weighted sum.

    python benchmarks/step.py --models mnistnet mlp --batch 1024 --chunk 16 32 64 --threads 1 2

Prints samples per second, median and best of the repeats. Inputs are random. ``--scale`` multiplies the
initial parameters: a large one gives the confident outputs of a trained model, where denormal numbers lurk.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from threadpoolctl import threadpool_limits

from refdp.models import Network, models
from refdp.models.memory import keep_freed_memory

CIFAR = ((32, 32, 3), 10)
DATA = {
    "mlp": ((10,), 5),
    "mnistnet": ((28, 28, 1), 10),
    "cifar10net": CIFAR,
    "resnet20": CIFAR,
    "wrn-16-4": CIFAR,
}


def one_pass(
    network: Network, theta: np.ndarray, x: np.ndarray, labels: np.ndarray, out: np.ndarray
) -> float:
    """Seconds for one pass over the batch, in chunks as large as out."""
    chunk, total = out.shape[0], np.zeros(network.size, dtype=theta.dtype)
    begin = time.perf_counter()
    for start in range(0, len(x), chunk):
        part = slice(start, start + chunk)
        gradients = out[: len(x[part])]
        network.per_sample_gradients(np, theta, x[part], labels[part], gradients)
        norms = np.sqrt(np.einsum("bd,bd->b", gradients, gradients))
        total += np.minimum(1, 1 / np.maximum(norms, 1e-12)) @ gradients
    return time.perf_counter() - begin


def measure(model: str, batch: int, chunk: int, repeats: int, scale: float) -> tuple[float, float]:
    """Samples per second: (median, best) of the repeats."""
    input_shape, num_classes = DATA[model.partition(":")[0]]
    network = models.create(model).build(input_shape, num_classes)
    generator = np.random.default_rng(0)
    theta = network.initialise(generator) * np.float32(scale)
    x = generator.standard_normal((batch, *input_shape), dtype=np.float32)
    labels = generator.integers(num_classes, size=batch)
    out = np.empty((min(chunk, batch), network.size), dtype=np.float32)
    seconds = [one_pass(network, theta, x, labels, out) for _ in range(repeats + 2)][2:]
    return batch / statistics.median(seconds), batch / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", nargs="+", default=["mlp", "mnistnet"], help="e.g. mnistnet:activation=tanh"
    )
    parser.add_argument("--batch", nargs="+", type=int, default=[1024])
    parser.add_argument("--chunk", nargs="+", type=int, default=[16, 32, 64, 128, 256])
    parser.add_argument("--threads", nargs="+", type=int, default=[1], help="BLAS threads")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the initial parameters")
    options = parser.parse_args()
    keep_freed_memory()
    print(f"{'model':24} {'batch':>6} {'chunk':>6} {'threads':>7} {'median/s':>12} {'best/s':>12}")
    for model in options.models:
        for batch in options.batch:
            for chunk in options.chunk:
                for threads in options.threads:
                    with threadpool_limits(threads):
                        median, best = measure(model, batch, chunk, options.repeats, options.scale)
                    print(
                        f"{model:24} {batch:6} {chunk:6} {threads:7} {median:12,.0f} {best:12,.0f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
