"""The configuration of one run: every choice as plain data, and the one function that builds a plan from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from refdp.accounting import Schedule
from refdp.clippers import clippers
from refdp.data import Dataset, load
from refdp.errors import RefDPError
from refdp.gradients import augmentations, iterates
from refdp.models import models
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.registry import parse_spec
from refdp.samplers import samplers
from refdp.schema import check_schema
from refdp.validate import non_negative, positive, whole


@dataclass(frozen=True)
class RunConfig:
    """What a run directory's ``config.json`` holds.

    Attributes:
        noise_multiplier: of the schedule's scale; None until ``target_epsilon`` is solved for.
        clipping: None for a baseline without privacy.
        noise_source: of ``refdp.noise.NOISE_SOURCES``.
        augmentation: None for records as they are.
        iterates: None for gradients at the last weights only.
        per_sample: of ``refdp.gradients.PER_SAMPLE``; changes rounding only.
        seed: None for entropy of the operating system.
        data_seed: seed of a synthetic data set.
    """

    dataset: str
    data_dir: str | None
    data_seed: int
    model: str
    sampling: str
    neighboring: str | None
    clipping: str | None
    clip_norm: float | None
    schedule: str
    noise_multiplier: float | None
    target_epsilon: float | None
    delta: float
    batch_size: int
    physical_batch_size: int | None
    optimizer: str
    learning_rate: float
    lr_schedule: str
    epochs: int
    seed: int | None
    backend: str
    noise_source: str = "reproducible"
    augmentation: str | None = None
    iterates: str | None = None
    per_sample: str = "auto"

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {"schema": "refdp-config/1", **asdict(self)}

    @classmethod
    def from_json(cls, document: Any) -> RunConfig:
        """Read back what ``to_json`` wrote."""
        check_schema("config", document, "config.json")
        return cls(**{key: value for key, value in document.items() if key != "schema"})


def parse_schedule(spec: str, steps: int, scale: float, steps_per_epoch: int = 1) -> Schedule:
    """``NAME:param=value,...`` with an optional ``normalise=harmonic``."""
    kind, raw = parse_spec(spec)
    normalise = raw.pop("normalise", None)
    values = {}
    for name, text in raw.items():
        try:
            values[name] = float(text)
        except ValueError:
            raise RefDPError(f"schedule {kind}: {name} = {text!r}: must be a number") from None
    if kind in ("step", "noise-decay"):  # spans of epochs
        values.setdefault("steps_per_epoch", float(steps_per_epoch))
    return Schedule(kind, steps, scale, values, normalise)


def build(config: RunConfig, data: Dataset | None = None) -> tuple[Plan, Dataset]:
    """The plan and the data set of a configuration; calibrates the noise where a target epsilon is given.

    Raises:
        RefDPError, AccountingError: whatever in the configuration cannot be.
    """
    whole(1, epochs=config.epochs)
    if config.noise_multiplier is not None:
        non_negative(noise_multiplier=config.noise_multiplier)
    data = load(config.dataset, config.data_dir, config.data_seed) if data is None else data
    network = models.create(config.model).build(data.input_shape, data.num_classes)
    sampler = samplers.create(config.sampling, dataset_size=len(data.train.y), batch_size=config.batch_size)
    clipper = (
        None if config.clipping is None else clippers.create(config.clipping, clip_norm=config.clip_norm)
    )
    scale = 1.0 if config.noise_multiplier is None else config.noise_multiplier
    schedule = parse_schedule(config.schedule, sampler.steps(config.epochs), scale, sampler.steps(1))
    plan = Plan(
        network=network,
        sampler=sampler,
        clipper=clipper,
        schedule=schedule if clipper is None else clipper.noise_schedule(schedule),
        optimizer=optimizers.create(config.optimizer),
        learning_rate=config.learning_rate,
        lr_schedule=lr_schedules.create(config.lr_schedule),
        delta=config.delta,
        neighboring=config.neighboring or sampler.default_neighboring,
        augmentation=None if config.augmentation is None else augmentations.create(config.augmentation),
        iterates=None if config.iterates is None else iterates.create(config.iterates),
    )
    if clipper is not None and config.noise_multiplier is None:
        if config.target_epsilon is None:
            raise RefDPError("noise_multiplier, target_epsilon: one of them is needed for a private run")
        positive(target_epsilon=config.target_epsilon)
        plan = plan.calibrated(config.target_epsilon)
    return plan, data
