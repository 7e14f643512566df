"""The pictures: there, whole, reproducible, and without touching matplotlib's global state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text
from sweep_synthetic import make_config, make_run, make_runs

from refdp.sweep.pictures import PICTURES, draw_all
from refdp.sweep.plots import accuracy, clipping, clippings, gap, heatmap
from refdp.sweep.summary import summarise


def _words(figure: Any) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text) if text.get_visible())


def test_all_of_them_twice_the_same(tmp_path: Path) -> None:
    config, runs = make_config(), make_runs()
    summary = summarise(config, runs)
    paths = draw_all(tmp_path, config, summary)
    assert [path.name for path in paths] == [name for name in PICTURES if name != "clippings.png"]
    before = [path.read_bytes() for path in paths]
    draw_all(tmp_path, config, summary)
    assert [path.read_bytes() for path in paths] == before
    assert len(list(tmp_path.iterdir())) == len(paths)


def test_matplotlib_is_imported_late_and_pyplot_never(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[2])]!r}
import refdp.sweep.pictures, refdp.sweep.validate, refdp.sweep.table
assert not any(name.startswith("matplotlib") for name in sys.modules)
from sweep_synthetic import write_sweep
from pathlib import Path
write_sweep(Path({str(tmp_path)!r}))
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_what_the_first_picture_says() -> None:
    words = _words(accuracy.draw(summarise(make_config(), make_runs())))
    assert "epsilon at delta = 1e-5, zero-out, fixed-order (upper bound)" in words
    assert "Green: from epsilon 1.76 up, clip norm 1 keeps 90 % of the baseline" in words
    assert "left out" not in words


def test_what_cannot_be_shown_is_said() -> None:
    unknown: dict[str, Any] = {"epsilon": {"lower": None, "upper": None}}
    runs = [make_run(0, None, 1, 0.9), make_run(0, 1.0, 1, 0.9), make_run(1.0, 1.0, 1, 0.9, **unknown)]
    summary = summarise(make_config(seeds=[1]), runs)
    words = _words(accuracy.draw(summary))
    assert "left out: 1 with an infinite epsilon, 1 with an unknown epsilon" in words
    assert "no configuration has an epsilon to show" in words
    words = _words(heatmap.draw(summary))
    assert "0 (ε = ∞)" in words
    assert "1 (ε unknown)" in words


def test_wide_bounds_are_drawn() -> None:
    runs = [make_run(1.0, 1.0, 1, 0.9, epsilon={"lower": 2.0, "upper": 9.0})]
    assert "pale: from lower to upper bound" in _words(accuracy.draw(summarise(make_config(), runs)))


@pytest.mark.parametrize("module", [accuracy, gap, clipping, heatmap, clippings])
@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing(module: Any, count: int) -> None:
    runs = [make_run(1.0, 1.0, 42, 0.9)][:count]
    words = _words(module.draw(summarise(make_config(), runs)))
    assert count or "no " in words
    if module is gap:
        assert "no baseline was run" in words


def test_colours_are_the_same_in_all_pictures() -> None:
    summary = summarise(make_config(), make_runs())
    lines = accuracy.draw(summary).axes[0].get_legend_handles_labels()
    bars = gap.draw(summary).axes[0].get_legend_handles_labels()
    of_lines = {label: handle[0].get_color() for handle, label in zip(*lines, strict=True) if "norm" in label}
    of_bars = {label: handle[0].get_facecolor() for handle, label in zip(*bars, strict=True)}
    from matplotlib.colors import to_rgba

    assert {label: to_rgba(colour) for label, colour in of_lines.items()} == of_bars
    assert len(of_bars) == 3


def test_missing_cells_and_the_cliff_in_the_heatmap() -> None:
    runs = [run for run in make_runs() if (run["clip_norm"], run["noise_multiplier"]) != (1.0, 5.0)]
    runs = [{**run, "test_accuracy": 0.1} if run["noise_multiplier"] == 10 else run for run in runs]
    words = _words(heatmap.draw(summarise(make_config(), runs)))
    assert words.count("not run") == 1
    assert "red frames: below half of that" in words
