"""Opacus: its own optimizers, stage by stage in the order of their ``step`` (opacus/optimizers/optimizer.py)."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = "opacus"
METHODS = {
    "opacus-hooks": {"grad_sample": True, "modules": True},
    "opacus-functorch": {"grad_sample": True, "modules": True},
    "opacus-ghost": {"grad_sample": False, "modules": True},
}


def load() -> str:
    """Import; the version."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(__file__).with_name("shared")))
    import_module("opacus.optimizers")
    return str(import_module("opacus").__version__)


def answer(method: str, case: dict) -> dict:
    """Steps as ``PrivacyEngine.make_private`` sets them up, without its data loader."""
    import torch
    from opacus.grad_sample.utils import prepare_module

    run = import_module("torch_steps").Run(case, method, str(import_module("opacus").__version__))
    mode = method.removeprefix("opacus-")
    settings = run.steps[0].settings
    options = {"max_grad_norm": settings["clip_norm"]} if mode == "ghost" else {}
    wrapped = prepare_module(run.model, grad_sample_mode=mode, **options)
    plain = torch.optim.SGD(
        run.model.parameters(), lr=settings["learning_rate"], momentum=settings.get("momentum", 0.0)
    )
    generator = torch.Generator().manual_seed(settings["seed"])
    optimizer = optimizer_class(mode)(
        plain,
        noise_multiplier=settings["noise_multiplier"],
        max_grad_norm=settings["clip_norm"],
        expected_batch_size=settings["expected_batch_size"],
        generator=generator,
    )
    loss: Any = torch.nn.CrossEntropyLoss()
    if mode == "ghost":
        loss = import_module("opacus.utils.fast_gradient_clipping_utils").DPLossFastGradientClipping(
            wrapped, optimizer, loss
        )
    for step in run.steps:
        one_step(run, step, wrapped, optimizer, loss)
    return dict(run.recording.write(case["out"]))


def optimizer_class(mode: str) -> Any:
    """What PrivacyEngine takes for flat clipping."""
    optimizers = import_module("opacus.optimizers")
    return optimizers.get_optimizer_class("flat", distributed=False, grad_sample_mode=mode)


def one_step(run: Any, step: Any, wrapped: Any, optimizer: Any, loss: Any) -> None:
    """What ``DPOptimizer.step`` does, in its order, with a look between stages."""
    x, y = run.batch(step)
    before = run.parameters()
    optimizer.zero_grad()
    loss(wrapped(x), y).backward()
    gradients, norms = None, None
    if hasattr(optimizer, "accumulate"):  # ghost: clipped in the second backward pass
        norms = wrapped.per_sample_gradient_norms.detach().numpy()
        optimizer.accumulate()
    else:
        tensors = import_module("opacus.utils.tensor_utils")
        named = list(zip(run.names, optimizer.grad_samples, strict=True))
        gradients = run.arrays(values for _, values in named)
        norms = tensors.calc_sample_norms(iter(named))[0].numpy()
        optimizer.clip_and_accumulate()
    clipped = run.arrays(p.summed_grad for p in optimizer.params)
    optimizer.add_noise()
    noised = run.arrays(p.grad for p in optimizer.params)
    optimizer.scale_grad()
    optimizer.original_optimizer.step()
    run.recording.add(
        x.numpy(),
        y.numpy(),
        {
            **step.settings,
            "divisor": optimizer.expected_batch_size * optimizer.accumulated_iterations,
            "generator": "torch-cpu",
        },
        param=before,
        grad_sample=gradients,
        norms=norms,
        clipped_sum=clipped,
        noised_sum=noised,
        param_after=run.parameters(),
    )
