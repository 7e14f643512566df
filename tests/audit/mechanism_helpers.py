"""Where the subjects are, and one audit of one."""

from __future__ import annotations

from pathlib import Path

from refdp.audit.mechanism import Attack, Settings, attack

SUBJECTS = Path(__file__).parent / "mechanism_subjects"


def subject(name: str) -> str:
    """FILE.py:CLASS of ``correct:Flat``."""
    file, cls = name.split(":")
    return f"{SUBJECTS / file}.py:{cls}"


def audited(
    name: str, *, seconds: float = 1.0, seed: int = 0, timeout: float = 5, **settings: object
) -> Attack:
    """An audit of the subject."""
    return attack(subject(name), Settings(**settings), seconds=seconds, seed=seed, timeout=timeout)  # type: ignore[arg-type]
