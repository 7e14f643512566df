"""Every choice of an audit as plain data: made, and written down, before it starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from refdp.audit.runs.faults import FAULTS
from refdp.errors import RefDPError
from refdp.schema import check_schema
from refdp.validate import one_of, positive, strictly_between, whole

SCORES = ("white-box", "black-box")
INITIAL = ("random", "worst-case")


@dataclass(frozen=True)
class AuditConfig:
    """What an audit's directory holds in ``audit.json``.

    Attributes:
        records: training records used, drawn by the seed from the data set's train split; None for at most 1,000.
        batch_size: of slots (records and canaries); None for all of them: full participation.
        noise_multiplier: of the schedule's scale; None until ``target_epsilon`` is solved for.
        canary: kind, as ``NAME`` or ``NAME:param=value,...``.
        canaries: a run; each has a slot and a fair coin.
        references: a run: drawn as canaries are, never planted; None for as many as fit, up to ten a canary.
        scores, initial: of ``SCORES`` and ``INITIAL``.
        fault: of ``faults.FAULTS``; None for a sound run.
        estimator: the one the verdict goes by; None until it is chosen by the design.
        claimed_epsilon: what is to be refuted; None for the upper bound of the run's own ledger.
        expected_epsilon: the leak that thresholds are laid out for; None for the claim. Of no influence on whether a
            bound holds, only on how good it is.
        seed: root of all random numbers. An audit is no release: it may be known, and has to be to go on.
    """

    dataset: str
    data_dir: str | None
    data_seed: int
    model: str
    records: int | None
    sampling: str
    neighboring: str | None
    clipping: str
    clip_norm: float
    schedule: str
    noise_multiplier: float | None
    target_epsilon: float | None
    delta: float
    batch_size: int | None
    steps: int | None
    optimizer: str
    learning_rate: float
    canary: str
    canaries: int
    references: int | None
    scores: str
    initial: str
    runs: int
    fault: str | None
    estimator: str | None
    confidence: float
    claimed_epsilon: float | None
    expected_epsilon: float | None
    seed: int

    def __post_init__(self) -> None:
        whole(1, canaries=self.canaries, runs=self.runs)
        if self.records is not None:
            whole(1, records=self.records)
        whole(0, seed=self.seed)
        one_of(SCORES, scores=self.scores)
        one_of(INITIAL, initial=self.initial)
        strictly_between(0, 1, delta=self.delta)
        strictly_between(0.5, 1, confidence=self.confidence)
        if self.fault is not None:
            one_of(FAULTS, fault=self.fault)
        if self.batch_size is not None:
            whole(1, batch_size=self.batch_size)
        if self.steps is not None:
            whole(1, steps=self.steps)
        if self.references is not None:
            whole(0, references=self.references)
        for name in ("claimed_epsilon", "expected_epsilon"):
            if getattr(self, name) is not None:
                positive(**{name: getattr(self, name)})
        if self.noise_multiplier is None:
            if self.target_epsilon is None:
                raise RefDPError("noise_multiplier, target_epsilon: one of them is needed")
            positive(target_epsilon=self.target_epsilon)
        elif self.noise_multiplier == 0:
            raise RefDPError(
                "noise_multiplier = 0: epsilon is infinite, and there is nothing to refute; give noise, or --fault"
            )
        else:
            positive(noise_multiplier=self.noise_multiplier)

    @property
    def slots(self) -> int:
        """Records and canaries: what batches are drawn from."""
        return (self.records or 0) + self.canaries

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {"schema": "refdp-audit-run/1", **asdict(self)}

    @classmethod
    def from_json(cls, document: Any) -> AuditConfig:
        """Read back what ``to_json`` wrote."""
        check_schema("audit-run", document, "audit.json")
        return cls(**{key: value for key, value in document.items() if key in cls.__dataclass_fields__})
