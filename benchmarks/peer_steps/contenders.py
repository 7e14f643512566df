"""Who takes part: name -> the interpreter, the module and the mode that take its steps."""

from __future__ import annotations

from typing import NamedTuple


class Contender(NamedTuple):
    """interpreter: a key of the driver's options; module: of peer_steps; mode: what its ``make`` gets."""

    interpreter: str
    module: str
    mode: str


CONTENDERS = {
    "refdp explicit": Contender("refdp", "refdp_step", "explicit"),
    "refdp hybrid": Contender("refdp", "refdp_step", "hybrid"),
    "refdp ghost": Contender("refdp", "refdp_step", "ghost"),
    "Opacus hooks": Contender("opacus", "opacus_step", "hooks"),
    "Opacus ghost": Contender("opacus", "opacus_step", "ghost"),
    "torch vmap(grad)": Contender("torch", "torch_step", "vmap"),
    "JAX jit(vmap(grad))": Contender("jax", "jax_step", ""),
    "torch SGD, not private": Contender("torch", "torch_step", "plain"),
}
