"""The accountant stands alone: standard library, numpy, scipy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import refdp.accounting

_PROBE = """
import sys
import refdp.accounting as acc
from refdp.accounting import GaussianEvent, Ledger, Sampling
ledger = Ledger("add-remove", (GaussianEvent(1.0, Sampling("poisson", 0.01), 100),))
bounds = acc.epsilon(ledger, 1e-5)
assert 0 < bounds.lower < bounds.upper < 5
assert acc.calibrate_noise_multiplier(3.0, 1e-5, 0.01, 100).epsilon.upper <= 3.0
print(acc.__file__)
names = sorted(n for n in sys.modules if n == "refdp" or n.startswith("refdp."))
import os, sysconfig, numpy, scipy
files = {n: m.__file__ for n, m in sys.modules.items() if getattr(m, "__file__", None)}
paths = sysconfig.get_paths()
inside = [os.path.dirname(m.__file__) for m in (numpy, scipy)] + [os.path.dirname(os.path.dirname(acc.__file__))]
def foreign(file):
    if any(file.startswith(folder + os.sep) for folder in inside):
        return False
    return "site-packages" in file or not file.startswith((paths["stdlib"], paths["platstdlib"]))
extra = sorted({n.split(".")[0] for n, f in files.items() if foreign(f)})
print(" ".join(n for n in names if n != "refdp" and not n.startswith("refdp.accounting")) or "-")
print(" ".join(e for e in extra if e not in BEFORE) or "-")
"""


def _run(root: Path) -> list[str]:
    before = "import sys; BEFORE = {n.split('.')[0] for n in sys.modules}\n"  # what site-packages hooks load
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", before + _PROBE],
        env=environment | {"PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_loads_only_numpy_and_scipy() -> None:
    root = Path(refdp.accounting.__file__).parents[2]
    _, inside, outside = _run(root)
    assert inside == "-"
    assert outside == "-"


def test_the_folder_works_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "refdp").mkdir()
    (tmp_path / "refdp" / "__init__.py").write_text("")
    source = Path(refdp.accounting.__file__).parent
    shutil.copytree(source, tmp_path / "refdp" / "accounting", ignore=shutil.ignore_patterns("__pycache__"))
    where, inside, outside = _run(tmp_path)
    assert Path(where).is_relative_to(tmp_path)
    assert (inside, outside) == ("-", "-")
