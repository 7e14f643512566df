"""Published claims that ship with refdp (``refdp/audit/claims``), each with the verdict it must get."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from refdp.audit.claim import Claim
from refdp.errors import RefDPError


@lru_cache(maxsize=1)
def example_names() -> tuple[str, ...]:
    """All of them, sorted."""
    folder = files("refdp.audit") / "claims"
    return tuple(sorted(p.name.removesuffix(".json") for p in folder.iterdir() if p.name.endswith(".json")))


def example_text(name: str) -> str:
    """The claim file itself.

    Raises:
        RefDPError: no such claim ships.
    """
    if name not in example_names():
        raise RefDPError(f"example {name!r}: must be one of {', '.join(example_names())}")
    return (files("refdp.audit") / "claims" / f"{name}.json").read_text("utf-8")


def example_claim(name: str) -> Claim:
    """The claim of that name; its ``expected`` is the verdict it must get."""
    return Claim.from_json(example_text(name))
