"""The shape of the data that each registered model is made for."""

from __future__ import annotations

from refdp.errors import RefDPError

_COLOUR = ((32, 32, 3), 10)
NATURAL: dict[str, tuple[tuple[int, ...], int]] = {
    "mlp": ((10,), 5),
    "mnistnet": ((28, 28, 1), 10),
    "cifar10net": _COLOUR,
    "resnet20": _COLOUR,
    "wrn-16-4": _COLOUR,
}
"""Name -> (shape of one sample, number of classes)."""


def natural(model: str) -> tuple[tuple[int, ...], int]:
    """(shape of one sample, number of classes) for a model's name or specification."""
    name = model.partition(":")[0].strip()
    if name not in NATURAL:
        raise RefDPError(f"model = {model!r}: has no natural data shape; choose one of {', '.join(NATURAL)}")
    return NATURAL[name]
