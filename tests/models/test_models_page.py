"""docs/models.md: its example runs, its counts are the models', its lists are complete."""

import re
from pathlib import Path

import pytest

import refdp
from refdp.models import layers, models

PAGE = (Path(refdp.__file__).parent.parent / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_example_runs(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(block, "docs/models.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.splitlines() == [
        "852 ['stem.weight', 'stem.bias', 'block.conv.weight', 'block.gn.weight', 'block.gn.bias', "
        "'fc.weight', 'fc.bias']",
        "(5,) (5,)",
    ]


def test_the_table_of_models():
    rows = re.findall(r"^\| `([\w-]+)` \| ([\dx ]+) \| ([\d,]+) \|", PAGE, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == list(models.names())
    for name, images, count in rows:
        shape = tuple(int(number) for number in images.split(" x "))
        network = models.create(name).build(shape, 5 if name == "mlp" else 10)
        assert network.size == int(count.replace(",", "")), name


@pytest.mark.parametrize("name", sorted(set(layers.__all__) - {"ACTIVATIONS", "Layer"}))
def test_every_layer_is_on_the_page(name):
    assert re.search(rf"^\|.*`{name}`", PAGE, re.MULTILINE)
