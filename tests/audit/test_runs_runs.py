"""Runs of an audit: coins, streams, what is added up, what is refused; independence of jobs, order and interruption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs_helpers import small

from refdp.audit.runs import pooled, run_many, run_one
from refdp.audit.runs.directory import AuditDirectory
from refdp.audit.runs.initial import worst_case_weights
from refdp.audit.runs.knowledge import divisor
from refdp.audit.runs.runner import planted_in, trainer_of
from refdp.backend import numpy_backend
from refdp.engine import Trainer
from refdp.errors import RefDPError


def without_seconds(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "seconds"}


def test_a_canary_is_planted_if_its_coin_says_so_and_coins_are_fair() -> None:
    setup = small()
    trainer = trainer_of(setup, 3)
    coins = planted_in(setup, 3)
    total, _ = trainer.summed(np.arange(460))
    added = (total - trainer.known)[trainer.watch.coordinates]  # type: ignore[attr-defined]
    assert (added[coins] > 0.99).all()
    assert (added[~coins] == 0).all()
    assert run_one(setup, 3)["planted"] == coins.astype(int).tolist()
    tosses = np.concatenate([planted_in(setup, run) for run in range(100)])
    assert abs(tosses.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(tosses))
    assert not np.array_equal(planted_in(setup, 0), planted_in(setup, 1))
    assert not np.array_equal(planted_in(setup, 0), planted_in(small(seed=2), 0))


def test_no_two_streams_are_the_same() -> None:
    seeds = small().seeds
    generators = [seeds.records(), seeds.pool()]
    for number in range(3):
        training = seeds.training(number)
        assert np.array_equal(planted_in(small(), number), seeds.coins(number).random(400) < 0.5)
        generators += [seeds.coins(number), seeds.canaries(number)]
        generators += [training.init(), training.sampling(0), training.sampling(1)]
    generators += [seeds.weights().init(), seeds.weights().sampling(0)]
    assert len({generator.random() for generator in generators}) == len(generators) == 19


def test_worst_case_weights_know_the_task_and_runs_begin_with_them() -> None:
    setup = small(initial="worst-case", records=100)
    with pytest.raises(RefDPError, match="not made"):
        trainer_of(setup, 0)
    weights = worst_case_weights(setup)
    assert np.array_equal(weights, worst_case_weights(setup))
    trainer = trainer_of(replace(setup, initial=weights), 0)
    assert np.array_equal(trainer.theta, weights)
    assert trainer.accuracy() > trainer_of(small(), 0).accuracy() + 0.3


def test_coordinates_are_distinct_and_no_contribution_exceeds_the_bound() -> None:
    for clipping in (
        "flat",
        "auto-s",
        "per-layer",
        "per-layer:bounds=dimension",
        "psasc",
        "dynamic",
        "water-filling",
    ):
        trainer = trainer_of(small(canaries=500, references=500, clipping=clipping), 0)
        for _ in range(2):
            trainer.advance()
        watch: Any = trainer.watch
        assert len(set(watch.coordinates.tolist())) == 1000
        bound = trainer.plan.clipper.bound(trainer.context)
        assert (watch.contributions <= bound).all(), clipping
        assert (watch.contributions > 0.2 * bound).any(), clipping


def test_with_every_canary_planted_a_run_is_the_engines_own() -> None:
    setup = small(canary="mislabelled", canaries=40, batch_size=30, optimizer="sgd:momentum=0.9")
    ours = trainer_of(setup, 0)
    ours.planted[:] = True
    plain = Trainer(setup.plan, setup.data, numpy_backend(), setup.seeds.training(0), workers=1)
    for _ in range(20):
        ours.advance()
        plain.advance()
    np.testing.assert_allclose(ours.theta, plain.theta, rtol=2e-5, atol=2e-6)
    ours = trainer_of(setup, 0)
    ours.planted[:] = False
    for _ in range(20):
        ours.advance()
    assert not np.allclose(ours.theta, plain.theta, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("sampling", ["poisson", "shuffle", "fixed-order", "without-replacement"])
def test_the_release_that_is_scored_is_what_the_engine_releases(sampling: str) -> None:
    setup = small(sampling=sampling, batch_size=50, steps=12)
    trainer = trainer_of(setup, 0)
    seen: list[np.ndarray] = []
    trainer.watch.saw = seen.append  # type: ignore[method-assign]
    for step in range(12):
        batch = setup.plan.sampler.batch(step, setup.seeds.training(0))
        before = trainer.theta
        trainer.advance()
        assert divisor(setup.plan.sampler, trainer.drawn) == batch.divisor
        moved = (before - trainer.theta).astype(np.float64) / setup.plan.learning_rate * batch.divisor
        np.testing.assert_allclose(seen[-1], moved, rtol=1e-3, atol=1e-3)


def test_training_shares_no_stream_with_coins_and_canaries() -> None:
    """The same batches and noise, whoever is planted: one canary's gradient is all that two runs differ by."""
    setup = small(canaries=20, steps=1)
    first, second = trainer_of(setup, 0), trainer_of(setup, 0)
    first.planted[:], second.planted[:] = False, False
    first.planted[7] = True
    seen: list[np.ndarray] = []
    for trainer in (first, second):
        trainer.watch.saw = seen.append  # type: ignore[method-assign]
        trainer.advance()
    difference = seen[0] - seen[1]
    assert np.flatnonzero(np.abs(difference) > 1e-3).tolist() == [first.watch.coordinates[7]]  # type: ignore[attr-defined]


def test_a_run_depends_on_its_number_only_and_jobs_change_nothing() -> None:
    setup = small(canaries=20, steps=5, runs=6)
    alone = [without_seconds(run_one(setup, number)) for number in range(6)]
    shared = {record["run"]: without_seconds(record) for record in run_many(setup, range(6), 2)}
    assert [shared[number] for number in range(6)] == alone
    assert without_seconds(next(iter(run_many(setup, [4], 1)))) == alone[4]


def test_the_test_accuracy_is_told_of_the_first_runs_only() -> None:
    """A run's is a test split's worth of work; which runs have one depends on their numbers only."""
    setup = small(canaries=20, steps=1, runs=12)
    assert run_one(setup, 9)["test_accuracy"] is not None
    assert run_one(setup, 10)["test_accuracy"] is None


def test_pooled_scores_do_not_depend_on_which_run_ended_first() -> None:
    setup = small(canaries=20, steps=3, runs=4)
    records = [run_one(setup, number) for number in range(4)]
    one, other = pooled(records), pooled(records[::-1])
    for name in ("planted", "left_out", "references"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert one.runs == 4
    assert one.fair_coins
    assert one.canaries == 80
    with pytest.raises(RefDPError, match="each run once"):
        pooled([records[0], records[0]])
    with pytest.raises(RefDPError, match="at least one"):
        pooled([])


def test_a_directory_gives_back_what_ended_and_forgets_half_a_line(tmp_path: Path) -> None:
    setup = small(
        canaries=20, steps=2, runs=3, canary="mislabelled", initial="worst-case", scores="black-box"
    )
    directory = AuditDirectory(tmp_path / "audit")
    directory.create()
    begun = directory.begin(setup)
    records = [run_one(begun, number) for number in range(3)]
    for record in records[:2]:
        directory.append(record)
    with open(directory.path / "scores.jsonl", "ab") as file:
        file.write(b'{"run": 2, "plan')
    again = directory.go_on(small_again(directory))
    assert np.array_equal(again.initial, begun.initial)  # type: ignore[arg-type]
    assert directory.runs(again) == records[:2]
    directory.append(run_one(again, 2))
    assert [without_seconds(r) for r in directory.runs(again)] == [without_seconds(r) for r in records]


def small_again(directory: AuditDirectory) -> Any:
    from refdp.audit.runs import prepare

    return prepare(directory.config())


def test_a_directory_refuses_runs_and_records_that_are_not_its_own(tmp_path: Path) -> None:
    setup = small(canaries=20, steps=2, runs=2)
    directory = AuditDirectory(tmp_path / "audit")
    directory.create()
    directory.begin(setup)
    directory.append(run_one(small(canaries=21, steps=2, runs=2), 0))
    with pytest.raises(RefDPError, match="line 1: is no run of this audit"):
        directory.runs(setup)
    with pytest.raises(RefDPError, match="data changed"):
        directory.go_on(small(canaries=20, steps=2, runs=2, data_seed=3))
    for other in (small(canaries=20, steps=2, runs=3), small(canaries=20, steps=2, runs=2, seed=9)):
        (directory.path / "scores.jsonl").write_bytes(b"")
        directory.append(run_one(other, other.config.runs - 1))
        with pytest.raises(RefDPError, match="line 1: is no run of this audit"):
            directory.runs(setup)
    with pytest.raises(RefDPError, match="another audit began there"):
        directory.begin(setup)
    (directory.path / "scores.jsonl").write_bytes(b"")
    for _ in range(2):
        directory.append(run_one(setup, 0))
    with pytest.raises(RefDPError, match="twice"):
        directory.runs(setup)


def test_weights_that_overflow_are_an_error_and_not_a_score() -> None:
    setup = small(canary="mislabelled", canaries=50, scores="black-box", learning_rate=1e30, steps=40)
    with pytest.raises(RefDPError, match="lower --learning-rate"):
        run_one(setup, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"canaries": 0}, "canaries = 0"),
        ({"canaries": 2000}, "must not exceed the 1029"),
        ({"canaries": 1000, "references": 30}, "must not exceed the 1029"),
        ({"canary": "mislabelled", "canaries": 101}, "must not exceed the 100"),
        ({"records": 401}, "400 training records"),
        ({"steps": 0}, "steps = 0"),
        ({"batch_size": 461}, "batch_size = 461"),
        ({"noise_multiplier": 0.0}, "nothing to refute"),
        ({"noise_multiplier": None}, "one of them is needed"),
        ({"noise_multiplier": 1e-200}, "."),
        ({"clipping": "quantile"}, "adaptive"),
        ({"scores": "black-box"}, "no loss"),
        ({"canary": "nobody"}, "unknown canary"),
        ({"canary": "companions", "canaries": 2}, "one companions canary"),
        ({"canary": "companions", "canaries": 1, "runs": 500, "initial": "worst-case"}, "no influence"),
        ({"initial": "worst-case", "records": 400}, "leaves none"),
        ({"neighboring": "replace-one", "references": 5}, "under replace-one"),
        ({"fault": "shuffle-as-poisson", "batch_size": 46}, "give its own away"),
        ({"fault": "shuffle-as-poisson"}, "which is no fault"),
        ({"noise_multiplier": 1e300}, "less noise"),
        ({"estimator": "gdp:replicates=99"}, "unknown estimator"),
        ({"fault": "shuffle-as-poisson", "sampling": "shuffle"}, "must say Poisson"),
        ({"fault": "typo"}, "fault = 'typo'"),
        (
            {"canary": "mislabelled", "canaries": 9, "sampling": "without-replacement", "batch_size": 5},
            "use --scores black-box",
        ),
        ({"sampling": "shuffle", "batch_size": 46, "claimed_epsilon": 0.1}, "knows the order"),
        ({"estimator": "nobody"}, "unknown estimator"),
        ({"confidence": 0.4}, "confidence = 0.4"),
        ({"clipping": "global"}, "would add nothing"),
        ({"clipping": "global", "canary": "companions", "canaries": 1, "runs": 500}, "would add nothing"),
        ({"canary": "mislabelled", "canaries": 1, "runs": 500, "references": 9}, "in many runs"),
        ({"sampling": "fixed-order", "batch_size": 46, "steps": 9}, "an epoch has 10 steps"),
        ({"canary": "mislabelled", "canaries": 1}, "would allow no bound"),
        ({"neighboring": "add-remove", "sampling": "shuffle", "batch_size": 46}, "."),
    ],
    ids=str,
)
def test_what_cannot_be_audited_is_refused(changes: dict[str, Any], message: str) -> None:
    from refdp.accounting import AccountingError

    with pytest.raises((RefDPError, AccountingError), match=message):
        small(**changes)


@pytest.mark.parametrize(
    ("changes", "estimator"),
    [
        ({}, "gdp"),
        ({"batch_size": 46}, "one-run"),
        ({"canary": "mislabelled", "canaries": 50}, "one-run"),
        ({"canary": "mislabelled", "canaries": 1, "runs": 500}, "gdp"),
        ({"canary": "mislabelled", "canaries": 1, "runs": 500, "batch_size": 46}, "clopper-pearson"),
        ({"canary": "companions", "canaries": 1, "runs": 500, "batch_size": 1}, "clopper-pearson"),
        ({"estimator": "bayesian"}, "bayesian"),
    ],
    ids=str,
)
def test_the_estimator_is_chosen_by_the_design(changes: dict[str, Any], estimator: str) -> None:
    assert small(**changes).config.estimator == estimator


def test_a_prepared_configuration_prepares_to_itself() -> None:
    setup = small(noise_multiplier=None, target_epsilon=4.0, references=None)
    assert setup.config.references == 629
    assert setup.config.claimed_epsilon == pytest.approx(4, abs=1e-4)
    again = small_again_of(setup.config)
    assert again.config == setup.config
    assert again.sha256() == setup.sha256()
    assert replace(setup.config) == setup.config


def small_again_of(config: Any) -> Any:
    from refdp.audit.runs import AuditConfig, prepare

    return prepare(AuditConfig.from_json(config.to_json()))
