"""One DP-SGD training step of the five models in refdp and in its peers, for ``benchmarks/peers.py``.

A module here whose name ends in ``_step`` is one peer: ``make(mode, inputs)`` gives a ``Step``. It runs in that peer's
own interpreter (``worker.py``), which need not have refdp; the rest runs in refdp's.
"""
