"""Tables of steps."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from importers_files import ledger, read, refusal, write

from refdp.accounting import epsilon


@pytest.mark.parametrize(
    "text",
    [
        "noise_multiplier,sample_rate,steps\n1.1,0.01,500\n1.1,0.01,3\n1.0,0.01,2\n",
        "\ufeffNoise Multiplier;Sample-Rate;Count\r\n1.1;0.01;503\r\n\r\n1.0;0.01;2\r\n",
        "noise_multiplier\tsampling_probability\tnum_steps\n1.1\t1e-2\t503\n1.0\t.01\t2",
        '"noise_multiplier", "sample_rate", "steps"\n"1.1", 0.01, 503\n1.0, 0.01, 2\n,,\n',
        "steps,batch_size,dataset_size,noise_multiplier\n503,10,1000,1.1\n2,10,1000,1.0\n",
        "\nstep,noise_multiplier,sample_rate,steps,\n0,1.1,0.01,503,\n503,1,0.01,2,\n",
    ],
    ids=range(6),
)
def test_forms(text: str, tmp_path: Path) -> None:
    found = read(tmp_path, text)
    assert found.format == "csv"
    assert found.ledger == ledger((1.1, 0.01, 503), (1.0, 0.01, 2))
    assert sum("taken" in note for note in found.notes) == 2


def test_a_row_is_a_step_and_the_index_says_so(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i // 3},1.5,0.1\n" for i in range(7))
    assert read(tmp_path, f"step,epoch,noise_multiplier,sample_rate\n{rows}").ledger == ledger((1.5, 0.1, 7))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("step,noise_multiplier,sample_rate\n0,1,0.1\n100,1,0.1\n", "add that column"),
        ("iteration,noise_multiplier,sample_rate\n5,1,0.1\n4,1,0.1\n", "goes back"),
        ("epoch,noise_multiplier,sample_rate\n1,1,0.1\n2,1,0.1\n", "add steps"),
        ("epoch,noise_multiplier,sample_rate,steps\n2,1,0.1,1\n1,1,0.1,1\n", "goes back"),
        ("step,noise_multiplier,sample_rate\nx,1,0.1\n", "step = 'x'"),
        ("noise_multiplier,q\n1,0.1\n", "sample_rate is required"),
        ("noise_multiplier,batch_size\n1,8\n", "sample_rate is required"),
        ("noise_multiplier,sample_rate,steps,count\n1,0.1,1,1\n", "both columns"),
        ("noise_multiplier,noise_multiplier,sample_rate\n1,1,0.1\n", "twice"),
        ("noise_multiplier,sample_rate\n1\n", "line 2: has 1 cells"),
        ("noise_multiplier,sample_rate\n1,0.1,5\n", "line 2: has 3 cells"),
        ("noise_multiplier,sample_rate\nnan,0.1\n", "line 2: noise_multiplier = 'nan'"),
        ("noise_multiplier,sample_rate\ninf,0.1\n", "noise_multiplier = 'inf'"),
        ("noise_multiplier,sample_rate\n1e999,0.1\n", "noise_multiplier = inf"),
        ("noise_multiplier,sample_rate\n-1,0.1\n", "noise_multiplier = -1.0"),
        ("noise_multiplier,sample_rate\n1_0,0.1\n", "noise_multiplier = '1_0'"),
        ("noise_multiplier;sample_rate\n1,1;0.1\n", "noise_multiplier = '1,1'"),
        ("noise_multiplier,sample_rate\n1,1.5\n", "sample_rate = 1.5"),
        ("noise_multiplier,sample_rate\n1,\n", "sample_rate is empty"),
        ("noise_multiplier,batch_size,dataset_size\n1,9,8\n", "must not exceed"),
        ("noise_multiplier,sample_rate,steps\n1,0.1,2.5\n", "steps = '2.5'"),
        ("noise_multiplier,sample_rate,steps\n1,0.1,2.0\n", "steps = '2.0'"),
        ("noise_multiplier,sample_rate,steps\n1,0.1,-5\n", "steps = -5"),
        ("noise_multiplier,sample_rate,steps\n1,0.1,1" + "0" * 30 + "\n", "steps = '1000"),
        ('noise_multiplier,sample_rate\n"1,0.1\n', "line"),
        ("noise_multiplier,sample_rate" + ",a" * 2000, "has 2,002 columns"),
        ("noise_multiplier,sample_rate,epsilon\n1,0.1,nan\n", "epsilon = 'nan'"),
        ("noise_multiplier,sample_rate\n" + "1" * 300_000 + ",0.1\n", "no CSV"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_refusals(text: str, says: str, tmp_path: Path) -> None:
    assert says in refusal(write(tmp_path, text))


def test_what_else_a_table_says(tmp_path: Path) -> None:
    header = "step,noise_multiplier,batch_size,dataset_size,loss,epsilon,delta"
    text = f"{header}\n1,1,8,80,.3,1.5,1e-5\n2,1,8,80,,2.5,1e-5\n"
    found = read(tmp_path, text)
    assert found.claimed == {"epsilon": 2.5, "delta": 1e-5}
    assert found.actual == {"batch_size": 8, "dataset_size": 80}
    assert found.ledger == ledger((1.0, 0.1, 2))
    assert any("'loss'" in note for note in found.notes)


def test_a_table_without_rows_is_a_run_without_steps(tmp_path: Path) -> None:
    found = read(tmp_path, "noise_multiplier,sample_rate\n")
    assert found.ledger.events == ()
    assert any("no rows" in note for note in found.notes)


def test_thousands_of_rows(tmp_path: Path) -> None:
    """A multiplier that changes every step: as many events, in order, exactly; equal ones are one event."""
    values = [1 + i / 7e4 for i in range(5850)]
    path = write(tmp_path, "noise_multiplier,sample_rate\n" + "".join(f"{v!r},0.005\n" for v in values))
    start = time.perf_counter()
    found = read(tmp_path, path.read_text())
    seconds = time.perf_counter() - start
    assert [event.noise for event in found.ledger.events] == values
    assert seconds < 1.0  # 0.06 s alone on a machine
    same = read(tmp_path, "noise_multiplier,sample_rate\n" + "1.0,0.005\n" * 5850)
    assert same.ledger == ledger((1.0, 0.005, 5850))
    assert epsilon(same.ledger, 1e-5).upper == epsilon(ledger((1.0, 0.005, 5850)), 1e-5).upper
