"""Opacus records: as its tools write them, and as people do."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from importers_files import FIXTURES, check_line, fixture, ledger, read

from refdp.accounting import epsilon
from refdp.audit.importers import Imported, from_object, read_record
from refdp.errors import RefDPError

TRUE = ledger((1.1, 1 / 7, 7), (0.9900000000000001, 1 / 7, 7))


@pytest.mark.parametrize(
    "name", ["opacus-history.json", "opacus-state.pt", "opacus-checkpoint.pt", "opacus-accountant.pt"]
)
def test_every_file_of_one_run_gives_its_ledger(name: str) -> None:
    found = read_record(FIXTURES / name)
    assert found.ledger == TRUE
    assert found.format == ("opacus-checkpoint" if name.endswith(".pt") else "opacus-history")
    assert any("add-remove taken" in note for note in found.notes)
    assert any("1/7" in note and "len(data_loader)" in note for note in found.notes)
    assert any("by rdp" in note for note in found.notes)
    assert found.claimed is None


def test_epsilon_is_that_of_the_ledger_made_by_hand() -> None:
    found = epsilon(read_record(FIXTURES / "opacus-checkpoint.pt").ledger, 1e-5)
    by_hand = epsilon(TRUE, 1e-5)
    assert (found.lower, found.upper) == (by_hand.lower, by_hand.upper)


def test_a_checkpoint_says_what_else_it_knows() -> None:
    found = read_record(FIXTURES / "opacus-checkpoint.pt")
    assert found.actual == {"epoch": 2, "batch_size": 8}
    assert any("noise scheduler" in note for note in found.notes)
    assert "read from privacy_accountant_state_dict" in found.notes[0]


def test_numpy_numbers_in_a_checkpoint_are_read_from_their_bytes() -> None:
    assert read_record(FIXTURES / "numpy-history.pt").ledger == ledger((1.25, 0.125, 40))


HISTORY = [[1.1, 0.01, 500], [1.1, 0.01, 3], [1.0, 0.01, 2]]
FORMS: list[Any] = [
    HISTORY,
    {"history": HISTORY, "mechanism": "prv"},
    {"privacy_accountant_state_dict": {"history": HISTORY, "mechanism": "prv"}},
    {"run": {"accountant": {"history": HISTORY, "mechanism": "prv"}}},
    repr([tuple(row) for row in HISTORY]),
    repr(OrderedDict(history=[tuple(row) for row in HISTORY], mechanism="prv")),
    "OrderedDict([('history', [(1.1, 0.01, 503), (1.0, 0.01, 2)]), ('mechanism', 'prv')])",
    "[(np.float64(1.1), 0.01, 503), (1.0, np.float64(0.01), np.int64(2))]",
    "\ufeff" + json.dumps(HISTORY),
    "\n\n" + json.dumps(HISTORY, indent=4) + "\n",
]


@pytest.mark.parametrize("content", FORMS, ids=range(len(FORMS)))
def test_forms(content: Any, tmp_path: Path) -> None:
    assert read(tmp_path, content).ledger == ledger((1.1, 0.01, 503), (1.0, 0.01, 2))


def test_the_relation_asked_for_is_taken_without_a_note(tmp_path: Path) -> None:
    found = read(tmp_path, HISTORY, neighboring="zero-out")
    assert found.ledger.neighboring == "zero-out"
    assert not any("relation" in note for note in found.notes)


def test_zeros_are_decided(tmp_path: Path) -> None:
    empty = read(tmp_path, {"history": [], "mechanism": "rdp"})
    assert empty.ledger.events == ()
    assert any("empty" in note for note in empty.notes)
    assert read(tmp_path, []).ledger.events == ()
    assert read(tmp_path, [[1.0, 0.1, 0]]).ledger.events == ()
    assert epsilon(read(tmp_path, [[0, 0.5, 3]]).ledger, 1e-5).upper == float("inf")
    assert epsilon(read(tmp_path, [[1, 0, 3]]).ledger, 1e-5).upper == 0
    assert read(tmp_path, [[1, 1, 3]]).ledger == ledger((1.0, 1.0, 3))


def test_what_stands_beside_the_history_is_kept(tmp_path: Path) -> None:
    document = {"history": HISTORY, "mechanism": "gdp", "epsilon": 3, "delta": 1e-5, "batch_size": 256}
    found = read(tmp_path, {**document, "drop_last": True, "epochs": "ten", "sampler": "a\nb"})
    assert found.claimed == {"epsilon": 3.0, "delta": 1e-5}
    assert found.actual == {"batch_size": 256, "drop_last": True, "sampler": "a b"}
    assert any("approximation" in note for note in found.notes)


def test_a_rate_that_is_no_loaders_is_noted(tmp_path: Path) -> None:
    assert any("not 1 / a whole number" in note for note in read(tmp_path, [[1.0, 0.3, 5]]).notes)


def test_two_accountants_are_not_chosen_between(tmp_path: Path) -> None:
    state = {"history": HISTORY, "mechanism": "rdp"}
    with pytest.raises(RefDPError, match="holds 2 accountants"):
        read(tmp_path, {"a": state, "b": state})


class RDPAccountant:
    """As Opacus's looks from outside."""

    def __init__(self, history: Any) -> None:
        self.history = history

    def mechanism(self) -> str:
        return "rdp"


def same(found: Imported) -> bool:
    return found.ledger == ledger((1.5, 0.25, 8))


def test_objects() -> None:
    history = [(1.5, 0.25, 8)]
    assert same(from_object(history))
    assert same(from_object(RDPAccountant(history)))
    assert same(from_object(SimpleNamespace(accountant=RDPAccountant(history))))
    assert same(from_object({"history": history, "mechanism": "rdp"}))
    assert same(from_object([(np.float64(1.5), np.float32(0.25), np.int64(8))]))
    assert from_object(history, neighboring="replace-one").ledger.neighboring == "replace-one"


@pytest.mark.parametrize(
    "value", [None, 3, "text", object(), [(1.5, 0.25)], {"a": 1}, RDPAccountant(None), [[np.nan, 0.1, 2]]]
)
def test_other_objects_are_refused(value: Any) -> None:
    with pytest.raises(RefDPError) as caught:
        from_object(value)
    check_line(str(caught.value))


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6, allow_subnormal=False), st.floats(0, 1), st.integers(0, 10**9) | st.just(0)
        ),
        max_size=12,
    )
)
def test_numbers_survive_exactly(rows: list[tuple[float, float, int]]) -> None:
    text = json.dumps(rows)
    found = from_object(json.loads(text)).ledger
    total: dict[tuple[float, float], int] = {}
    for multiplier, rate, steps in rows:
        total[multiplier, rate] = total.get((multiplier, rate), 0) + steps
    got: dict[tuple[Any, Any], int] = {}
    for event in found.events:
        key = (event.noise, event.sampling.rate)
        got[key] = got.get(key, 0) + event.count
    assert got == {key: steps for key, steps in total.items() if steps}


def test_a_ledger_as_a_history_and_back_costs_the_same() -> None:
    history = [[event.noise, event.sampling.rate, event.count] for event in TRUE.events]
    again = epsilon(from_object(json.loads(json.dumps(history))).ledger, 1e-6)
    assert (again.lower, again.upper) == (epsilon(TRUE, 1e-6).lower, epsilon(TRUE, 1e-6).upper)


def test_the_fixture_is_what_it_says() -> None:
    assert fixture("opacus-history.json")["mechanism"] == "rdp"
