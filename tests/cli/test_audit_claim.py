"""``refdp audit claim``: files, records, flags, examples; answers, pages, pictures; one line for what is wrong."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from refdp.audit.examples import example_names, example_text
from refdp.cli import run
from refdp.schema import check_schema

FLAGS = ["--noise-multiplier", "1", "--sample-rate", "0.01", "--steps", "100"]
CLAIM = ["audit", "claim"]


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document = json.loads(capsys.readouterr().out)
    check_schema("audit", document, "answer")
    assert isinstance(document, dict)
    return document


def test_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CLAIM, *FLAGS, "--claimed-epsilon", "3", "--json"]) == 0
    found = answer(capsys)
    assert found["verdict"] == "holds"
    assert [r["name"] for r in found["readings"]] == ["as accounted"]
    assert run([*CLAIM, *FLAGS, "--claimed-epsilon", "0.1", "--json"]) == 3
    assert answer(capsys)["verdict"] == "refuted"


def test_what_was_really_run(capsys: pytest.CaptureFixture[str]) -> None:
    run_flags = [
        "--noise-multiplier",
        "1.1",
        "--batch-size",
        "256",
        "--dataset-size",
        "60000",
        "--epochs",
        "5",
    ]
    more = ["--actual-sampling", "shuffle", "--drop-last", "--json", "--quiet"]
    assert run([*CLAIM, *run_flags, "--claimed-epsilon", "0.65", *more]) == 3
    found = answer(capsys)
    accounted, actual = found["readings"]
    assert accounted["epsilon"]["upper"] < 0.65 < actual["epsilon"]["lower"]
    assert {count["steps"] for count in found["step_counts"]} == {1169, 1170, 1171, 1172}
    assert "shuffled-batches" in {cause["id"] for cause in found["causes"]}


@pytest.mark.parametrize(
    "more",
    [
        ["--actual-sampling", "fixed-order", "--actual-epochs", "2"],
        ["--actual-sampling", "poisson", "--actual-rate", "0.5"],
        ["--actual-sampling", "full-batch"],
        ["--actual-steps", "2000"],
        ["--actual-neighboring", "replace-one", "--actual-sampling", "full-batch"],
        ["--count-noise", "0"],
    ],
)
def test_other_ways_to_have_run_it(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CLAIM, *FLAGS, "--claimed-epsilon", "1.5", *more, "--json"]) == 3
    assert answer(capsys)["readings"][1]["name"] == "as run"


def test_a_realised_divisor_leaves_it_open(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CLAIM, *FLAGS, "--claimed-epsilon", "5", "--divisor", "realised", "--json"]) == 0
    found = answer(capsys)
    assert found["verdict"] == "undecided"
    assert found["readings"][1]["epsilon"] == {"lower": None, "upper": None}


def test_digits_as_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CLAIM, *FLAGS, "--claimed-epsilon", "3.00"]) == 0
    assert "epsilon 3.00 at delta" in capsys.readouterr().out


def test_a_claim_file_its_page_and_its_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event = {
        "mechanism": "gaussian",
        "noise_multiplier": 1.0,
        "sampling": {"scheme": "poisson", "rate": 0.01},
        "count": 100,
    }
    document = {
        "schema": "refdp-claim/1",
        "neighboring": "add-remove",
        "events": [event],
        "claimed": {"epsilon": 0.2, "delta": 1e-5},
        "title": "<script>alert(1)</script>",
        "notes": "a & b",
    }
    path, page = tmp_path / "claim.json", tmp_path / "audit.html"
    path.write_text(json.dumps(document))
    pictures = [tmp_path / f"a.{kind}" for kind in ("png", "svg", "pdf")]
    assert run([*CLAIM, str(path), "--html", str(page), "--plot", str(pictures[0])]) == 3
    text = page.read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "too-little-noise" in text
    ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])
    for picture in pictures[1:]:
        assert run([*CLAIM, str(path), "--plot", str(picture), "--quiet"]) == 3
    assert pictures[0].read_bytes()[:4] == b"\x89PNG"
    out = capsys.readouterr().out
    assert out.strip().splitlines()[-1].startswith("epsilon 0.2 at delta 1e-05: REFUTED")


def test_an_opacus_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps([[1.0, 0.01, 60], [1.0, 0.01, 40]]))
    assert run([*CLAIM, str(path), "--claimed-epsilon", "3", "--json", "--quiet"]) == 0
    imported = answer(capsys)["readings"][0]["epsilon"]
    assert run([*CLAIM, *FLAGS, "--claimed-epsilon", "3", "--json"]) == 0
    assert imported == answer(capsys)["readings"][0]["epsilon"]


def test_a_table_of_steps_that_was_shuffled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "steps.csv"
    rows = [f"{1.0 + 0.01 * step},0.1" for step in range(20)]
    path.write_text("noise_multiplier,sample_rate\n" + "\n".join(rows) + "\n")
    more = [
        "--claimed-epsilon",
        "4",
        "--actual-sampling",
        "shuffle",
        "--actual-epochs",
        "2",
        "--json",
        "--quiet",
    ]
    assert run([*CLAIM, str(path), *more]) in (0, 3)
    assert answer(capsys)["readings"][1]["how"].startswith("shuffle")


def test_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CLAIM, "--examples", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["examples"]
    assert [row["name"] for row in listed] == list(example_names())
    assert run([*CLAIM, "--example", "s1-noise-5", "--json"]) == 3
    assert answer(capsys)["verdict"] == "refuted"


class Bomb:
    """A pickle that would leave a trace if it were loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


def one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.strip()]
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("refdp: error: ")
    return lines[0]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        FLAGS,
        [*FLAGS, "--claimed-epsilon", "nan"],
        [*FLAGS, "--claimed-epsilon", "-1"],
        [*FLAGS, "--claimed-epsilon", "inf"],
        [*FLAGS, "--claimed-epsilon", "three"],
        [*FLAGS, "--claimed-epsilon", "3", "--delta", "1"],
        [*FLAGS, "--claimed-epsilon", "3", "--actual-epochs", "3"],
        [*FLAGS, "--claimed-epsilon", "3", "--actual-sampling", "shuffle"],
        [*FLAGS, "--claimed-epsilon", "3", "--actual-sampling", "shuffle", "--actual-epochs", "101"],
        [*FLAGS, "--claimed-epsilon", "3", "--actual-sampling", "poisson"],
        [*FLAGS, "--claimed-epsilon", "3", "--actual-sampling", "without-replacement"],
        [*FLAGS, "--claimed-epsilon", "3", "--actual-sampling", "magic"],
        [*FLAGS, "--claimed-epsilon", "3", "--actual-steps", "0"],
        [*FLAGS, "--claimed-epsilon", "3", "--divisor", "batch"],
        [*FLAGS, "--claimed-epsilon", "3", "--drop-last"],
        [*FLAGS, "--claimed-epsilon", "3", "--rounded", "delta"],
        [*FLAGS, "--claimed-epsilon", "3", "--format", "csv"],
        [*FLAGS, "--claimed-epsilon", "3", "--html", "page.txt"],
        [*FLAGS, "--claimed-epsilon", "3", "--html", "/nonexistent/page.html"],
        [*FLAGS, "--claimed-epsilon", "3", "--plot", "picture.txt"],
        ["--example", "none"],
        ["--example", "s1-noise-5", "--claimed-epsilon", "3"],
        ["/nonexistent.json", "--claimed-epsilon", "3"],
        [*FLAGS[:2], "--sample-rate", "0", "--steps", "5", "--claimed-epsilon", "3"],
        [*FLAGS[:4], "--steps", "0", "--claimed-epsilon", "3"],
    ],
    ids=lambda arguments: " ".join(arguments[-3:]) or "nothing",
)
def test_bad_usage_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    one_line([*CLAIM, *arguments], capsys)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.json", b""),
        ("claim.json", b'{"schema": "refdp-claim/1"'),
        ("claim.json", b'{"schema": "refdp-claim/1"}'),
        (
            "claim.json",
            b'{"schema": "refdp-claim/1", "claimed": {"epsilon": NaN, "delta": 1e-5}, "events": []}',
        ),
        ("event.txt", b"PoissonSampledDpEvent(sampling_probability=0.1, event=MagicDpEvent(scale=1))"),
        ("event.txt", b"__import__('os').system('true')"),
        ("history.json", b"[[1.0, 0.01]]"),
        ("steps.csv", b"noise_multiplier,sample_rate\n1.0,2.0\n"),
        ("binary.bin", bytes(range(256))),
    ],
)
def test_a_malformed_file_is_one_line(
    name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    one_line([*CLAIM, str(path), "--claimed-epsilon", "3"], capsys)


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.pkl", "checkpoint.json"])
def test_a_pickle_is_refused_and_nothing_of_it_runs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, trace = tmp_path / name, tmp_path / "trace"
    path.write_bytes(pickle.dumps(Bomb(str(trace))))
    line = one_line([*CLAIM, str(path), "--claimed-epsilon", "3"], capsys)
    assert "pickle" in line
    assert not trace.exists()


def test_a_claim_says_it_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "claim.json"
    path.write_text('{"schema": "refdp-claim/1"}')
    for more in (["--claimed-epsilon", "3"], FLAGS, ["--delta", "1e-6"], ["--count-noise", "0"]):
        assert "say" in one_line([*CLAIM, str(path), *more], capsys)


@pytest.mark.parametrize("title", [r"$\frac{$", r"$\undefined$", "数据 🎲", "a\nb"])
def test_any_title_can_be_drawn(title: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event = {"mechanism": "gaussian", "noise_multiplier": 1.0, "sampling": {"scheme": "full-batch"}}
    document = {"schema": "refdp-claim/1", "neighboring": "add-remove", "events": [event], "title": title}
    path = tmp_path / "claim.json"
    path.write_text(json.dumps(document | {"claimed": {"epsilon": 9.0, "delta": 1e-5}}), encoding="utf-8-sig")
    more = ["--html", str(tmp_path / "a.html"), "--plot", str(tmp_path / "a.png"), "--quiet"]
    assert run([*CLAIM, str(path), *more]) == 0
    assert title.split("\n")[0] in capsys.readouterr().out


def test_a_record_that_says_it_was_not_poisson_is_not_taken_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"history": [[1.0, 0.01, 100]], "mechanism": "rdp", "poisson_sampling": False}
    path = tmp_path / "history.json"
    path.write_text(json.dumps(record))
    line = one_line([*CLAIM, str(path), "--claimed-epsilon", "3"], capsys)
    assert "--actual-sampling" in line
    said = ["--actual-sampling", "shuffle", "--actual-epochs", "1", "--json", "--quiet"]
    assert run([*CLAIM, str(path), "--claimed-epsilon", "3", *said]) in (0, 3)
    assert answer(capsys)["readings"][1]["how"].startswith("shuffle")


def test_pipes_and_devices_are_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "claim.json"
    os.mkfifo(pipe)
    for more in ([], ["--format", "claim"]):
        assert "neither a file" in one_line([*CLAIM, str(pipe), "--claimed-epsilon", "3", *more], capsys)
    assert "neither a file" in one_line([*CLAIM, "/dev/zero", "--claimed-epsilon", "3"], capsys)


def test_only_a_claim_on_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("[[1.0, 0.01, 100]]"))
    assert "only a claim" in one_line([*CLAIM, "-", "--claimed-epsilon", "3"], capsys)
    monkeypatch.setattr("sys.stdin", io.StringIO(example_text("s1-noise-10")))
    assert run([*CLAIM, "-", "--json"]) == 3
    assert answer(capsys)["verdict"] == "refuted"


@pytest.mark.parametrize(
    "more",
    [
        ["--example", "s1-noise-5", "--noise-multiplier", "1"],
        ["--example", "s1-noise-5", "--delta", "1e-3"],
        [*FLAGS, "--claimed-epsilon", "3", "--actual-sampling", "full-batch", "--actual-epochs", "7"],
        [
            *FLAGS,
            "--claimed-epsilon",
            "3",
            "--actual-sampling",
            "shuffle",
            "--actual-epochs",
            "1",
            "--actual-rate",
            "1",
        ],
        [*FLAGS, "--claimed-epsilon", "3", "--rounded", "all,none"],
    ],
)
def test_a_flag_without_effect_is_refused(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    one_line([*CLAIM, *more], capsys)


def test_a_folder_is_no_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a.html"
    folder.mkdir()
    assert "is a folder" in one_line(
        [*CLAIM, *FLAGS, "--claimed-epsilon", "3", "--html", str(folder)], capsys
    )
