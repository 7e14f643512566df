"""What README and the docs show is what the program does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from refdp.cli import run

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")


def console_examples() -> list[tuple[str, str, str]]:
    """(page, command, expected stdout) of every ``$ refdp ...`` in a console block."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            lines = [line.strip() for line in block.splitlines()]
            starts = [i for i, line in enumerate(lines) if line.startswith("$ refdp ")]
            for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
                found.append(
                    (page.name, lines[start].removeprefix("$ refdp "), "\n".join(lines[start + 1 : end]))
                )
    return found


def test_there_are_examples() -> None:
    assert len(console_examples()) >= 4


@pytest.mark.parametrize(("page", "command", "expected"), console_examples())
def test_an_example_prints_what_the_page_says(
    page: str, command: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shlex.split(command)) in ((0, 3) if command.startswith("audit claim") else (0,))
    printed = [line.strip() for line in capsys.readouterr().out.strip().splitlines()]
    shown = expected.strip().splitlines()
    assert [NUMBER.sub("#", line) for line in printed] == [NUMBER.sub("#", line) for line in shown]
    for got, want in zip(printed, shown, strict=True):
        if not got.startswith("slack"):  # the last digits of a search
            numbers = [float(number) for number in NUMBER.findall(want)]
            assert [float(number) for number in NUMBER.findall(got)] == pytest.approx(numbers, rel=1e-5)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", ["README.md", "docs/crosscheck.md"])
def test_python_examples_run(page: str) -> None:
    for block in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL):
        if "def test_" not in block:  # what stands in a user's test file: tests of its own
            exec(compile(block, page, "exec"), {})


def test_the_pages_name_files_that_exist() -> None:
    for page in PAGES:
        for path in re.findall(
            r"`((?:refdp|tests|benchmarks)/[\w/]+\.py)`", page.read_text(encoding="utf-8")
        ):
            assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_no_page_holds_a_placeholder() -> None:
    for page in PAGES:
        assert not re.search(r"@[A-Z_]+@", page.read_text(encoding="utf-8")), page.name


def test_ci_runs_the_commands_that_readme_gives() -> None:
    commands = re.findall(
        r"^python3 -m venv .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(commands) == 2
    assert commands[0].endswith("refdp sweep")
    assert commands[1].endswith("python -m pytest")
    assert "README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
