"""Checks that cannot fail prove nothing: each fault here is put into the importers and must be caught by its check."""

from __future__ import annotations

import importlib
import math
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from importers_files import checkpoint, ledger, read, write
from importers_pickles import CANARY, REFUSED
from importers_watch import nothing_runs

import refdp.audit.importers.archive as archive
import refdp.audit.importers.columns as columns
import refdp.audit.importers.dp_events as dp_events
import refdp.audit.importers.formats.opacus_checkpoint as opacus_checkpoint
import refdp.audit.importers.jax_privacy.dp_params as dp_params
import refdp.audit.importers.opacus as opacus
import refdp.audit.importers.pickle_names as pickle_names
import refdp.audit.importers.pickles as pickles
import refdp.audit.importers.runs as runs
import refdp.audit.importers.source as source
from refdp.accounting import GaussianEvent, Sampling, epsilon
from refdp.audit.importers.pickle_names import Name
from refdp.errors import RefDPError

Patch = pytest.MonkeyPatch
Check = Callable[[Path], None]


# The checks.


def hostile_names_are_refused(place: Path) -> None:
    for name in ("system-2", "stack-global", "inst", "obj", "global-alone", "module-not-yet-imported"):
        path = write(place, checkpoint(REFUSED[name]))
        with nothing_runs(), pytest.raises(RefDPError, match="refused, and nothing of it was run"):
            opacus_checkpoint.read_pickle(archive.read_member(path))
    assert not (place / CANARY).exists()


def calls_of_values_are_refused(place: Path) -> None:
    with pytest.raises(RefDPError, match="refused"):
        pickles.read_pickle(REFUSED["call-of-a-made-thing"])


def large_pickles_are_not_unpacked(place: Path) -> None:
    path = write(place, checkpoint(bytes(2**25 + 1), method=zipfile.ZIP_DEFLATED))
    with pytest.raises(RefDPError, match="declares"):
        archive.read_member(path)


def long_pickles_are_cut_short(place: Path) -> None:
    with pytest.raises(RefDPError, match="opcodes"):
        pickles.read_pickle(b"N0" * 600_000 + b"N.")


def every_step_is_counted(place: Path) -> None:
    assert read(place, [[1.0, 0.1, 5], [1.0, 0.1, 7], [2.0, 0.1, 1]]).ledger == ledger(
        (1.0, 0.1, 12), (2.0, 0.1, 1)
    )


def rates_are_told_apart(place: Path) -> None:
    assert read(place, [[1.0, 0.1, 5], [1.0, 0.2, 7]]).ledger == ledger((1.0, 0.1, 5), (1.0, 0.2, 7))


def no_number_is_no_number(place: Path) -> None:
    for bad in ("NaN", "true", '"1"', "-1"):
        with pytest.raises(RefDPError):
            read(place, f"[[{bad}, 0.1, 5], [1.0, 0.1, 5]]")


def rates_are_chances(place: Path) -> None:
    with pytest.raises(RefDPError, match="sample_rate"):
        read(place, [[1.0, 1.25, 5]])


def counts_are_multiplied(place: Path) -> None:
    text = "SelfComposedDpEvent(SelfComposedDpEvent(GaussianDpEvent(2.0), 3), 5)"
    assert read(place, text).ledger.events == (GaussianEvent(2.0, Sampling("full-batch"), 15),)


def one_sample_is_one_draw(place: Path) -> None:
    inner = "ComposedDpEvent([GaussianDpEvent(2.0), SelfComposedDpEvent(GaussianDpEvent(4.0), 3)])"
    text = f"PoissonSampledDpEvent(0.1, {inner})"
    (event,) = read(place, text).ledger.events
    true = 1 / math.sqrt(1 / 4 + 3 / 16)
    assert true * (1 - 1e-15) <= event.noise <= true  # type: ignore[operator]


def draws_within_draws_multiply(place: Path) -> None:
    text = "PoissonSampledDpEvent(0.5, PoissonSampledDpEvent(0.5, GaussianDpEvent(2)))"
    assert read(place, text).ledger == ledger((2.0, 0.25, 1))


def a_log_of_every_hundredth_step_is_no_run(place: Path) -> None:
    with pytest.raises(RefDPError, match="add that column"):
        read(place, "step,noise_multiplier,sample_rate\n0,1,0.1\n100,1,0.1\n")


def groups_have_their_own_rate(place: Path) -> None:
    fields = {
        "noise_multipliers": 1.0,
        "num_samples": 1000,
        "batch_size": 10,
        "cycle_length": 4,
        "num_updates": 8,
    }
    found = read(place, fields).ledger
    assert found.events[0].sampling.rate == 0.04
    assert (epsilon(found, 1e-5, "rdp").upper or 0) > 0


def a_twice_given_key_is_refused(place: Path) -> None:
    with pytest.raises(RefDPError, match="twice"):
        read(place, '{"history": [[9, 0.1, 5]], "history": [[1, 0.1, 5]], "mechanism": "rdp"}')


# The faults.


def no_list_of_names(patch: Patch) -> None:
    known = {**pickle_names.KNOWN}
    patch.setattr(pickles, "named", lambda module, name=None: Name(str(module), str(name)))
    patch.setattr(
        pickles,
        "make",
        lambda name, arguments: known.get((name.module, name.name), lambda _: None)(arguments),
    )


def names_are_imported(patch: Patch) -> None:
    def named(module: Any, name: Any = None) -> Name:
        getattr(importlib.import_module(module), name)
        return pickle_names.named(module, name)

    patch.setattr(pickles, "named", named)
    patch.delitem(sys.modules, "colorsys", raising=False)


def loaded_as_python_does(patch: Patch) -> None:
    import pickle

    patch.setattr(opacus_checkpoint, "read_pickle", pickle.loads)


def anything_is_called(patch: Patch) -> None:
    patch.setattr(pickles._Machine, "call", lambda self, function, arguments: self.push(None))


def members_of_any_size(patch: Patch) -> None:
    patch.setattr(archive, "PICKLE_LIMIT", 2**40)
    patch.setattr(archive, "_member", lambda archive: b"")


def no_end_of_opcodes(patch: Patch) -> None:
    patch.setattr(pickles, "MOST_OPCODES", 10**9)


def merging_forgets_steps(patch: Patch) -> None:
    real = runs.poisson_events
    last: Any = lambda rows: real({row[:2]: row for row in rows}.values())  # noqa: E731
    patch.setattr(opacus, "poisson_events", last)


def merging_looks_at_noise_only(patch: Patch) -> None:
    def events(rows: Any) -> Any:
        total: dict[float, tuple[float, int]] = {}
        for noise, rate, steps in rows:
            total[noise] = (total.get(noise, (rate, 0))[0], total.get(noise, (rate, 0))[1] + steps)
        return runs.poisson_events((noise, rate, steps) for noise, (rate, steps) in total.items())

    patch.setattr(opacus, "poisson_events", events)


def any_multiplier(patch: Patch) -> None:
    patch.setattr(opacus, "multiplier", lambda value, where="": abs(float(value)) if value == value else 1.0)
    patch.setattr(source, "_no_constant", lambda name: float(name.lower()))


def rates_are_cut_to_one(patch: Patch) -> None:
    patch.setattr(opacus, "rate", lambda value, where="": min(float(value), 1.0))


def counts_are_forgotten(patch: Patch) -> None:
    real = dp_events.whole
    patch.setattr(
        dp_events, "whole", lambda name, value, **k: 5 if name == "composed count" else real(name, value, **k)
    )


def joined_without_counts(patch: Patch) -> None:
    def joined(self: Any, inner: Any, outer: str, unsampled: bool) -> float:
        return 1 / math.sqrt(sum(leaf.fields["noise_multiplier"] ** -2.0 for leaf, _ in inner))

    patch.setattr(dp_events.Reader, "_joined", joined)


def joined_to_the_least_noise(patch: Patch) -> None:
    least: Any = lambda self, inner, *_: min(leaf.fields["noise_multiplier"] for leaf, _ in inner)  # noqa: E731
    patch.setattr(dp_events.Reader, "_joined", least)


def inner_draw_only(patch: Patch) -> None:
    real = dp_events.Reader._poisson
    patch.setattr(dp_events.Reader, "_poisson", lambda self, fields, chance: real(self, fields, 1.0))


def jumps_are_not_seen(patch: Patch) -> None:
    patch.setattr(columns.Table, "_check_order", lambda self, where, value: None)


def groups_are_forgotten(patch: Patch) -> None:
    real = dp_params.band_mf_event
    patch.setattr(
        dp_params,
        "band_mf_event",
        lambda noise, chance, steps, bands: real(noise, chance / bands, steps, bands),
    )


def the_last_of_two_keys_counts(patch: Patch) -> None:
    patch.setattr(source, "_no_duplicates", dict)


FAULTS: list[tuple[Callable[[Patch], None], Check]] = [
    (no_list_of_names, hostile_names_are_refused),
    (names_are_imported, hostile_names_are_refused),
    (loaded_as_python_does, hostile_names_are_refused),
    (anything_is_called, calls_of_values_are_refused),
    (members_of_any_size, large_pickles_are_not_unpacked),
    (no_end_of_opcodes, long_pickles_are_cut_short),
    (merging_forgets_steps, every_step_is_counted),
    (merging_looks_at_noise_only, rates_are_told_apart),
    (any_multiplier, no_number_is_no_number),
    (rates_are_cut_to_one, rates_are_chances),
    (counts_are_forgotten, counts_are_multiplied),
    (joined_without_counts, one_sample_is_one_draw),
    (joined_to_the_least_noise, one_sample_is_one_draw),
    (inner_draw_only, draws_within_draws_multiply),
    (jumps_are_not_seen, a_log_of_every_hundredth_step_is_no_run),
    (groups_are_forgotten, groups_have_their_own_rate),
    (the_last_of_two_keys_counts, a_twice_given_key_is_refused),
]


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_is_caught(
    fault: Callable[[Patch], None], check: Check, tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.chdir(tmp_path)
    check(tmp_path)
    with monkeypatch.context() as patch:
        fault(patch)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check(tmp_path)
