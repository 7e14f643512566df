"""A user's torch module as a network of refdp's, described where torch is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from refdp.crosscheck.process import ask
from refdp.errors import MissingExtraError, RefDPError
from refdp.models import Network, description

DESCRIBER = Path(__file__).parent / "peers" / "describe_torch.py"


@dataclass(frozen=True)
class _Describer:
    name: str
    file: Path


def network_of_module(
    module: str, input_shape: tuple[int, ...], python: str, *, timeout: float, memory: int
) -> Network:
    """The network that computes what the module does.

    Args:
        module: ``FILE.py:NAME``; its code is run, under the interpreter ``python`` and not here.
        input_shape: of one sample, channels last.
        timeout: seconds; memory: bytes of address space.

    Raises:
        MissingExtraError: torch is not installed there.
        RefDPError: the module does not load, or holds what refdp's layers do not compute; the text names the place.
    """
    first = (input_shape[-1], *input_shape[:-1])
    found = ask(
        _Describer("describe", DESCRIBER),
        {"module": module, "input_shape": first},
        python,
        timeout=timeout,
        memory=memory,
    )
    if found.status == "not installed":
        raise MissingExtraError(
            f"module = {module!r}: torch is not installed in {python}; install refdp[torch], or name the interpreter "
            "that has it: --peer torch=PYTHON"
        )
    if found.status != "ok":
        raise RefDPError(f"module = {module!r}: {found.status}: {found.cause}")
    return description.build(found.answer["layers"])
