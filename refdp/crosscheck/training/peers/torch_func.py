"""PyTorch without a library for privacy: vmap(grad), clipping by min(1, C / n), normal noise, torch.optim.SGD."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path

PACKAGE = "torch"
METHODS = {"torch-vmap": {"grad_sample": True, "modules": True}}


def load() -> str:
    """Import; the version."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(__file__).with_name("shared")))
    return str(import_module("torch").__version__)


def answer(method: str, case: dict) -> dict:
    """DP-SGD as Abadi et al. 2016 (arXiv 1607.00133), Algorithm 1, write it, divided by the expected batch size."""
    import torch

    models, version = import_module("torch_models"), str(torch.__version__)
    run = import_module("torch_steps").Run(case, method, version)
    params, settings = list(run.model.parameters()), run.steps[0].settings
    generator = torch.Generator().manual_seed(settings["seed"])
    optimizer = torch.optim.SGD(params, lr=settings["learning_rate"], momentum=settings.get("momentum", 0.0))
    for step in run.steps:
        before = run.parameters()
        x, y = run.batch(step)
        with torch.no_grad():
            by_name = models.per_sample_gradients(run.model, x, y)
            gradients = [by_name[name] for name in run.names]
            norms = torch.stack([g.flatten(1).square().sum(1) for g in gradients]).sum(0).sqrt()
            scales = (settings["clip_norm"] / norms).clamp(max=1.0)  # of a zero gradient: inf, and so 1
            clipped = [torch.einsum("b,b...", scales, g) for g in gradients]
            deviation = settings["noise_multiplier"] * settings["clip_norm"]
            noise = [
                torch.normal(0.0, deviation, g.shape, generator=generator, dtype=g.dtype) for g in clipped
            ]
            noised = [total + one for total, one in zip(clipped, noise, strict=True)]
        for param, total in zip(params, noised, strict=True):
            param.grad = total / settings["expected_batch_size"]
        optimizer.step()
        run.recording.add(
            x.numpy(),
            y.numpy(),
            {**settings, "divisor": settings["expected_batch_size"], "generator": "torch-cpu"},
            param=before,
            grad_sample=run.arrays(gradients),
            norms=norms.numpy(),
            clipped_sum=run.arrays(clipped),
            noised_sum=run.arrays(noised),
            param_after=run.parameters(),
        )
    return dict(run.recording.write(case["out"]))
