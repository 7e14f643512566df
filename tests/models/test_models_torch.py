"""The models against PyTorch: same weights, same images, per-sample gradients by torch.func. Skipped without torch."""

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: the cross-check with PyTorch is left out"
)

from refdp.crosscheck.training.peers.shared import torch_models  # noqa: E402
from refdp.models import models  # noqa: E402


def differences(spec, batch, dtype, seed=0):
    """(D in torch, largest relative difference of a sample's gradient, of its norm, of the logits; and of the norms and
    of each sample's gradient where gradients are not made)."""
    build, input_shape, classes, options = torch_models.MODELS[spec]
    network = models.create(spec).build(input_shape, classes)
    torch.manual_seed(seed)
    module = build(input_shape[-1], classes, **options).to(getattr(torch, np.dtype(dtype).name))
    with torch.no_grad():  # norms and gains away from 1 and 0, where a mistake could hide
        for name, values in module.named_parameters():
            if "gn" in name or "gain" in name or "shortcut.1" in name:
                values += 0.3 * torch.randn_like(values)
    theta = network.from_framework({k: v.numpy() for k, v in module.state_dict().items()})
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((batch, *input_shape)).astype(dtype)
    labels = generator.integers(classes, size=batch)
    out = np.full((batch, network.size), np.nan, dtype=dtype)
    network.per_sample_gradients(np, theta, x, labels, out)

    images = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
    wanted = torch_models.per_sample_gradients(module, images, torch.from_numpy(labels))
    rows = np.stack([
        network.from_framework({k: v[b].numpy() for k, v in wanted.items()}) for b in range(batch)
    ])  # fmt: skip
    norms, own_norms = (np.linalg.norm(r.astype(float), axis=1) for r in (rows, out))
    logits, own = module(images).detach().numpy(), network.logits(np, theta, x)
    unmade = []
    for mode in ("ghost", "hybrid"):
        _, held = network.held_gradients(np, theta, x, labels, mode)
        unmade.append((abs(np.sqrt(held.squares(np).sum(axis=1)) - norms) / norms).max())
        for b in range(batch):
            alone = np.zeros((batch, 1), dtype)
            alone[b] = 1
            found = held.weighted_sum(np, alone, None)
            unmade.append(np.linalg.norm(rows[b].astype(float) - found) / norms[b])
    return (
        sum(p.numel() for p in module.parameters()),
        (np.linalg.norm(rows.astype(float) - out, axis=1) / norms).max(),
        (abs(own_norms - norms) / norms).max(),
        abs(own - logits).max() / abs(logits).max(),
        max(unmade),
    )


@pytest.mark.parametrize("spec", torch_models.MODELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_per_sample_gradients_are_pytorchs(spec, dtype):
    size, gradients, norms, logits, unmade = differences(spec, batch=3, dtype=dtype)
    _, input_shape, classes, _ = torch_models.MODELS[spec]
    assert size == models.create(spec).build(input_shape, classes).size
    tolerance = {np.float32: 1e-5, np.float64: 1e-12}[dtype]
    assert gradients < tolerance
    assert norms < tolerance
    assert logits < tolerance
    assert unmade < max(tolerance, 1e-9)  # ghost norms are rounded up
