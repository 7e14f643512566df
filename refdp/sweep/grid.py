"""The grid of a sweep: which runs, in which order, under which configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from refdp.config import RunConfig
from refdp.errors import RefDPError
from refdp.recipes import recipe_for
from refdp.samplers import samplers
from refdp.schema import check_schema
from refdp.sweep.records import CHOICES

S1_NOISE_MULTIPLIERS = [0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0]
S1_CLIP_NORMS = [0.1, 1.0, 10.0]
S1_SEEDS = [42, 123, 456]

_SHARED = (
    "dataset", "data_dir", "model", "sampling", "neighboring", "delta", "batch_size", "epochs", "learning_rate",
    "optimizer", "lr_schedule",
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Noise levels x clippings x clip norms x seeds, and a baseline without privacy a seed.

    Attributes:
        noise_multipliers or target_epsilons: the noise levels; exactly one of the two is given.
        schedule: noise schedule of every run, NAME:param=value,...; a noise multiplier is its scale.
        augmentation, iterates: how a record's gradient is built in every run, baselines too; None as in RunConfig.
        replay: the published program that the runs are a replay of; None for refdp's own.

    A further choice for the whole sweep is a field here, a name in ``records.CHOICES``, a property in
    schemas/sweep-config.json and an option in cli/sweep.py.
    """

    dataset: str
    data_dir: str | None
    model: str
    sampling: str
    neighboring: str
    delta: float
    batch_size: int
    epochs: int
    learning_rate: float
    optimizer: str
    lr_schedule: str
    noise_multipliers: list[float] | None
    target_epsilons: list[float] | None
    clippings: list[str]
    clip_norms: list[float]
    seeds: list[int]
    baselines: bool = True
    data_sha256: str = ""
    schedule: str = "constant"
    augmentation: str | None = None
    iterates: str | None = None
    replay: str | None = None

    def to_json(self) -> dict[str, Any]:
        """What ``config.json`` of a sweep directory holds; the level list that is not used is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None or key == "data_dir"}

    @classmethod
    def from_json(cls, document: Any) -> Grid:
        """Read back what ``to_json`` wrote."""
        check_schema("sweep-config", document, "config.json")
        return cls(**{"noise_multipliers": None, "target_epsilons": None, **document})

    def levels(self) -> list[tuple[float | None, float | None]]:
        """(noise multiplier, target epsilon) of each level; one of the two is None."""
        if self.noise_multipliers is not None:
            return [(value, None) for value in self.noise_multipliers]
        return [(None, value) for value in self.target_epsilons or []]

    def base(self) -> RunConfig:
        """What all runs share."""
        return RunConfig(
            **{name: getattr(self, name) for name in (*_SHARED, *CHOICES)},
            data_seed=0,
            clipping=None,
            clip_norm=None,
            noise_multiplier=None,
            target_epsilon=None,
            physical_batch_size=None,
            seed=0,
            backend="numpy",
        )

    def runs(self) -> list[RunConfig]:
        """Every run: the baselines, then the grid, seed by seed innermost. A seed is also its data's seed."""
        found = []
        for seed in self.seeds if self.baselines else []:
            found.append(replace(self.base(), seed=seed, data_seed=seed, noise_multiplier=0.0))
        for clipping in self.clippings:
            for clip_norm in self.clip_norms:
                for noise_multiplier, target in self.levels():
                    for seed in self.seeds:
                        found.append(
                            replace(
                                self.base(),
                                clipping=clipping,
                                clip_norm=clip_norm,
                                noise_multiplier=noise_multiplier,
                                target_epsilon=target,
                                seed=seed,
                                data_seed=seed,
                            )
                        )
        return found


def make_grid(options: dict[str, Any]) -> Grid:
    """A grid from command-line options; what was not given comes from the data set's recipe and from s1's grid."""
    dataset = options.get("dataset") or "gaussian-clusters"
    recipe = recipe_for(dataset.partition(":")[0])
    given = {key: value for key, value in options.items() if value is not None}
    if "noise_multipliers" in given and "target_epsilons" in given:
        raise RefDPError("--noise-multipliers, --target-epsilons: give one of them, not both")
    sampling = given.get("sampling", "poisson")
    defaults = {
        "dataset": dataset,
        "data_dir": None,
        "model": recipe.model,
        "sampling": sampling,
        "neighboring": samplers.get(sampling).default_neighboring,
        "delta": 1e-5,
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "optimizer": recipe.optimizer,
        "lr_schedule": recipe.lr_schedule,
        "noise_multipliers": None if "target_epsilons" in given else S1_NOISE_MULTIPLIERS,
        "target_epsilons": None,
        "clippings": ["flat"],
        "clip_norms": S1_CLIP_NORMS,
        "seeds": S1_SEEDS,
    }
    return Grid(**{**defaults, **given})
