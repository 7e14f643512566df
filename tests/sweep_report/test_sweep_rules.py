"""A sweep of many clipping rules: one table, one picture, in which rules can be compared; and who is first."""

from __future__ import annotations

import random
from typing import Any

import pytest
from matplotlib.text import Text
from sweep_synthetic import make_config, make_run

from refdp.schema import check_schema
from refdp.sweep.pictures import pictures_of
from refdp.sweep.plots import clippings
from refdp.sweep.plots.frame import png
from refdp.sweep.rows import average, best_cells, cells_at, exceptions, rows
from refdp.sweep.summary import summarise
from refdp.sweep.table import plain_table
from refdp.sweep.words import noise_text

RULES = [f"rule-{i}" for i in range(12)] + ["quantile:fraction=0.5"]
TARGETS, NORMS, SEEDS = [1.0, 3.0, 8.0], [0.1, 1.0, 10.0], [1, 2, 3]


def rules_sweep(rules: list[str], levels: list[float], targets: bool = True) -> dict[str, Any]:
    """A finished sweep in which ``quantile`` needs 1 % more noise, or costs 3 % more where the noise is given."""
    rng = random.Random(0)
    runs = [make_run(0, None, seed, 0.98) for seed in SEEDS]
    for clipping in rules:
        dearer, skill = clipping.startswith("quantile"), rng.random()
        for norm in NORMS:
            for level in levels:
                noise = 8 / level * (1.01 if dearer else 1) if targets else level
                upper = level if targets else 13 / level * (1.03 if dearer else 1)
                for seed in SEEDS:
                    runs.append(
                        make_run(
                            noise, norm, seed, 0.7 + 0.2 * skill + 0.05 * rng.random(), clipping=clipping,
                            epsilon={"lower": 0.99 * upper, "upper": upper},
                            target_epsilon=level if targets else None,
                        )
                    )  # fmt: skip
    changes = {
        "noise_multipliers": None if targets else levels,
        "target_epsilons": levels if targets else None,
    }
    return summarise(make_config(clippings=rules, clip_norms=NORMS, seeds=SEEDS, **changes), runs)


def one_level(means: dict[str, float], std: float = 0.0) -> dict[str, Any]:
    """Rules with these means at one noise level and one clip norm, over seeds 1, 2, 3 (or 1 where std is 0)."""
    seeds = [1, 2, 3] if std else [1]
    runs = [
        make_run(1.0, 1.0, seed, mean + (seed - 2) * std, clipping=clipping)
        for clipping, mean in means.items()
        for seed in seeds
    ]
    config = make_config(clippings=list(means), clip_norms=[1.0], noise_multipliers=[1.0], seeds=seeds)
    return summarise(config, runs)


def words_of(summary: dict[str, Any]) -> str:
    figure = clippings.draw(summary)
    return "\n".join(text.get_text() for text in figure.findobj(Text) if text.get_visible())


def test_a_target_is_one_row_whatever_noise_each_rule_needs() -> None:
    summary = rules_sweep(RULES, TARGETS)
    check_schema("sweep-summary", summary, "summary")
    assert rows(summary) == [("target_epsilon", 8.0), ("target_epsilon", 3.0), ("target_epsilon", 1.0)]
    here = cells_at(summary, ("target_epsilon", 1.0))
    assert len(here) == len(RULES) * len(NORMS)
    assert set(exceptions(here)) == {"quantile:fraction=0.5"}
    text = plain_table(summary)
    assert text.count("|  target epsilon 1\n") == 1
    assert "noise 8-8.08" in text
    assert "quantile:fraction=0.5 differs: noise 1.01, epsilon 7.92-8.00 at target epsilon 8" in " ".join(
        text.split()
    )


def test_at_one_noise_multiplier_the_row_holds_every_rules_epsilon() -> None:
    summary = rules_sweep(["flat", "nsgd", "quantile"], [1.0, 2.0], targets=False)
    text = plain_table(summary)
    assert "epsilon 12.8-13.4" in text  # hull of 12.87-13.0 and 13.26-13.39
    assert "quantile differs: epsilon 13.2-13.4 at noise 1; epsilon 6.62-6.70 at noise 2" in text
    assert {cell["epsilon"]["upper"] for cell in summary["cells"]} == {13.0, 13.39, 6.5, 6.695}


@pytest.mark.parametrize(("rules", "levels"), [(2, 1), (3, 3), (13, 3), (13, 7)])
def test_the_table_is_narrow_and_has_every_cell_in_the_line_of_its_rule(rules: int, levels: int) -> None:
    summary = rules_sweep(RULES[-rules:], [float(2**i) for i in range(levels)])
    text = plain_table(summary)
    assert max(map(len, text.splitlines())) <= 120
    for rule in best_cells(summary):
        lines = "".join(line for line in text.splitlines() if line.startswith(f"{rule} "))
        cells = [cell for cell in summary["cells"] if cell["clipping"] == rule]
        assert len(cells) == len(NORMS) * levels
        for cell in cells:
            assert f"{cell['mean']:.3f} ±{cell['std']:.3f}" in lines


def test_rules_stand_in_the_order_of_their_means() -> None:
    text = plain_table(one_level({"a": 0.5, "b": 0.9, "c": 0.7}))
    lines = [line for line in text.splitlines() if line[:2] in ("a ", "b ", "c ")]
    assert [line[0] for line in lines] == ["b", "c", "a"]
    assert [line.split()[1] for line in lines] == ["0.900", "0.700", "0.500"]
    assert ["*" in line for line in lines] == [True, False, False]


def test_a_rules_best_clip_norm_is_chosen_level_by_level_and_ties_go_to_the_smaller() -> None:
    accuracies = {(0.1, 1.0): 0.8, (1.0, 1.0): 0.8, (0.1, 2.0): 0.6, (1.0, 2.0): 0.7}
    runs = [make_run(noise, norm, 1, accuracy) for (norm, noise), accuracy in accuracies.items()]
    best = best_cells(summarise(make_config(seeds=[1]), runs))
    assert {row[1]: cell["clip_norm"] for row, cell in best["flat"].items()} == {1.0: 0.1, 2.0: 1.0}
    assert average(best, "flat") == (0.75, 2)


def test_a_rule_with_only_its_easy_levels_done_is_not_first_for_that() -> None:
    runs = [make_run(noise, 1.0, 1, accuracy) for noise, accuracy in ((1.0, 0.95), (9.0, 0.5))]
    runs.append(make_run(1.0, 1.0, 1, 0.94, clipping="psac"))
    assert list(best_cells(summarise(make_config(seeds=[1]), runs))) == ["flat", "psac"]


@pytest.mark.parametrize(
    ("values", "text"),
    [([2.0, 2.0], "2"), ([2.69128111, 2.70211111], "2.69128-2.70212"), ([1, 2, 1.5], "1-2")],
)
def test_a_range_of_noise_multipliers_is_rounded_outwards(values: list[float], text: str) -> None:
    assert noise_text(values) == text


@pytest.mark.parametrize(
    ("means", "std", "sentence"),
    [
        ({"a": 0.9, "b": 0.8, "c": 0.7}, 0.01, "Of 3 clipping rules a is first at ε ≤ 28.4: 0.900, then b with 0.800"),
        ({"a": 0.9, "b": 0.895, "c": 0.7}, 0.01, "a (0.900) does not lead clearly at ε ≤ 28.4: 1 of the other 2 "
         "clipping rules is within its spread"),
        ({"a": 0.9, "b": 0.895}, 0.01, "No clipping rule leads at ε ≤ 28.4: all 2 are within the spread of a, 0.900"),
        ({"a": 0.9, "b": 0.8}, 0.0, "Of 2 clipping rules a is first at ε ≤ 28.4: 0.900, then b with 0.800 "
         "(one seed: may be chance)"),
    ],
)  # fmt: skip
def test_the_title_states_the_finding(means: dict[str, float], std: float, sentence: str) -> None:
    summary = one_level(means, std)
    assert clippings.finding(summary, best_cells(summary)) == sentence
    assert sentence in words_of(summary).replace("\n", " ")


def test_what_the_picture_says() -> None:
    words = words_of(rules_sweep(RULES, TARGETS))
    for text in ("target epsilon 3", "ε ≤ 3.00", "delta = 1e-5, zero-out, fixed-order", "clip norm 10",
                 "without privacy (0.980)", "no epsilon here covers that choice", *RULES):  # fmt: skip
        assert text in words, text
    assert words.count("noise 8.08") == 1  # quantile's own
    given = words_of(rules_sweep(["flat", "nsgd", "quantile"], [1.0], targets=False))
    assert "noise 1, ε ≤ 13.4\n(ε ≤ 13.0 where no other is given)" in given


def test_a_rule_far_below_is_marked_and_its_number_kept() -> None:
    means = {"a": 0.99, "b": 0.98, "c": 0.97, "d": 0.2}
    words = words_of(one_level(means))
    assert "◂" in words
    assert "0.200" in words
    assert "◂" not in words_of(one_level({**means, "d": 0.95}))


@pytest.mark.parametrize("rules", [1, 2, 16])
@pytest.mark.parametrize("levels", [1, 5, 7])
def test_any_number_of_rules_and_levels_can_be_drawn(rules: int, levels: int) -> None:
    names = [f"rule-{i}" for i in range(rules)]
    figure = clippings.draw(rules_sweep(names, [float(2**i) for i in range(levels)]))
    assert png(figure).startswith(b"\x89PNG")
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert len(shown) == levels
    assert [tick.get_text() for tick in shown[0].get_yticklabels()] == list(
        best_cells(rules_sweep(names, [float(2**i) for i in range(levels)]))
    )


def test_it_is_drawn_where_there_are_rules_to_compare() -> None:
    assert "clippings.png" in pictures_of({"clippings": ["flat", "psac"]})
    assert "clippings.png" not in pictures_of({"clippings": ["flat"]})


def test_a_schedule_is_in_the_setting_unless_it_is_constant() -> None:
    run = make_run(1.0, 1.0, 1, 0.9)
    texts = {
        schedule: plain_table(summarise(make_config(seeds=[1], schedule=schedule), [run]))
        for schedule in ("constant", "cosine:amplitude=0.5")
    }
    assert "fixed-order, schedule cosine:amplitude=0.5" in texts["cosine:amplitude=0.5"]
    assert "schedule" not in texts["constant"]
