"""Opacus: what its optimizers and its engine do where a recorded step does not go."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

PACKAGE = "opacus"
PROBES = {
    "opacus-clip-factor": "how far a clipped gradient's norm is from the clip norm",
    "opacus-adaclip": "how far one record moves the adaptive rule's count, beside the noise on it",
    "opacus-nan": "what a record whose gradient is NaN does to the released sum",
    "opacus-expected-batch-size": "what the engine divides by, beside the mean size of its batches",
    "opacus-channels-last": "per-sample gradients of a convolution on channels-last activations",
}
DRAWS = 4000


def load() -> str:
    """Import; the version."""
    warnings.simplefilter("ignore")
    import_module("opacus.optimizers")
    return str(import_module("opacus").__version__)


def answer(probe: str, case: dict) -> dict:
    """One probe's numbers."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    found: dict = globals()["probe_" + probe.removeprefix("opacus-").replace("-", "_")]()
    return found


def one_weight(size: int, gradients: Any, adaptive: bool = False, **options: Any) -> tuple[Any, Any]:
    """(parameter [size], optimizer) of clip norm 1 and noise multiplier 1, with per-sample gradients [B, size]."""
    import torch

    optimizers = import_module("opacus.optimizers")
    weight = torch.nn.Parameter(torch.zeros(size))
    weight.grad_sample = gradients
    kind = optimizers.AdaClipDPOptimizer if adaptive else optimizers.DPOptimizer
    settings = {"noise_multiplier": 1.0, "max_grad_norm": 1.0, "expected_batch_size": 1} | options
    return weight, kind(torch.optim.SGD([weight], lr=1.0), **settings)


def probe_clip_factor() -> dict:
    """Norms of clipped gradients whose norms were 1 (exactly the clip norm), 2 and 1e-3, one record a batch."""
    import torch

    found = []
    for norm in (1.0, 2.0, 1e-3):
        weight, optimizer = one_weight(1, torch.tensor([[norm]], dtype=torch.float32))
        optimizer.clip_and_accumulate()
        found.append(float(weight.summed_grad.double().norm()))
    return {"clip_norm": 1.0, "norms": [1.0, 2.0, 1e-3], "clipped_norms": found}


def probe_adaclip() -> dict:
    """A batch whose records are all clipped, and the same with one more record, which is not.

    count_shift, of_the_same_seed: both released counts have the same noise. count_noise, gradient_noise: standard
    deviations of DRAWS draws. The threshold that follows from the count is released too: threshold_shift is what the
    record moves (log C' - log C) / learning rate by, times the batch size.
    """
    import torch

    settings = {
        "target_unclipped_quantile": 0.5,
        "clipbound_learning_rate": 0.2,
        "max_clipbound": 1e6,
        "min_clipbound": 1e-6,
        "unclipped_num_std": 1.0,
    }
    batch = 100
    clipped = torch.full((batch, 1), 10.0)
    more = torch.cat([clipped, torch.full((1, 1), 0.5)])

    def released(gradients: Any, seed: int) -> tuple[float, float, float]:
        generator = torch.Generator().manual_seed(seed)
        weight, optimizer = one_weight(1, gradients, adaptive=True, generator=generator, **settings)
        optimizer.zero_grad()
        weight.grad_sample = gradients.clone()  # it marks what it has used
        optimizer.clip_and_accumulate()
        total = float(weight.summed_grad)
        optimizer.add_noise()
        count = float(optimizer.unclipped_num)
        optimizer.update_max_grad_norm()
        moved = (
            -float(torch.log(torch.as_tensor(optimizer.max_grad_norm))) / settings["clipbound_learning_rate"]
        )
        return float(weight.grad) - total, count, moved

    draws = [released(clipped, seed) for seed in range(DRAWS)]
    noise, counts, _ = (torch.tensor(values, dtype=torch.float64) for values in zip(*draws, strict=True))
    without, with_it = released(clipped, 0), released(more, 0)
    return {
        "noise_multiplier": 1.0,
        "clip_norm": 1.0,
        "batch": batch,
        "draws": DRAWS,
        "count_shift": with_it[1] - without[1],
        "threshold_shift": (with_it[2] - without[2]) * batch,
        "count_noise": float(counts.std()),
        "gradient_noise": float(noise.std()),
    }


def probe_nan() -> dict:
    """Four records; the gradient of the second is NaN. How many entries of the released sum are no numbers."""
    import torch

    gradients = torch.ones(4, 3)
    gradients[1] = float("nan")
    weight, optimizer = one_weight(3, gradients)
    optimizer.step()
    after = weight.detach()
    return {"records": 4, "entries": 3, "not_finite": int((~torch.isfinite(after)).sum())}


def probe_expected_batch_size() -> dict:
    """1050 records in batches of 100: what the engine divides by, and the mean size of its sampler's batches."""
    import torch
    from opacus import PrivacyEngine

    records, batch = 1050, 100
    data = torch.utils.data.TensorDataset(torch.zeros(records, 1), torch.zeros(records))
    model = torch.nn.Linear(1, 1)
    _, optimizer, loader = PrivacyEngine().make_private(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=1.0),
        data_loader=torch.utils.data.DataLoader(data, batch_size=batch),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
    )
    return {
        "records": records,
        "batch_size": batch,
        "batches": len(loader),
        "divisor": float(optimizer.expected_batch_size),
        "sample_rate": float(loader.batch_sampler.sample_rate),
    }


def probe_channels_last() -> dict:
    """Conv2d(3, 4, 3) on 2 images, contiguous and channels-last: its gradients beside autograd's of one at a time."""
    import torch
    from opacus.grad_sample import GradSampleModule

    x = torch.randn(2, 3, 6, 6)
    found: dict[str, Any] = {}
    for name, layout in (("contiguous", torch.contiguous_format), ("channels_last", torch.channels_last)):
        layer = torch.nn.Conv2d(3, 4, 3, padding=1)
        with torch.no_grad():
            layer.weight.copy_(torch.arange(layer.weight.numel()).view_as(layer.weight) / 100.0)
        given = x.clone().to(memory_format=layout)
        wrapped = GradSampleModule(layer, loss_reduction="sum")
        wrapped(given).square().sum().backward()
        wanted = []
        for one in x:
            (gradient,) = torch.autograd.grad(layer_output(layer, one[None]).square().sum(), layer.weight)
            wanted.append(gradient)
        gradients = layer.weight.grad_sample.detach()
        gap = (gradients - torch.stack(wanted)).double().norm() / torch.stack(wanted).double().norm()
        found[name] = float(gap)
    return {"relative_error": found}


def layer_output(layer: Any, x: Any) -> Any:
    """Without the hooks."""
    return import_module("torch").nn.functional.conv2d(x, layer.weight, layer.bias, padding=layer.padding)
