"""Questions about an installed package that no recorded step answers: a file a package, as the peers' files are.

A file has PACKAGE, PROBES (a literal: {name: what it measures}), ``load`` and ``answer(probe, case)``; ``case`` is {}.
An answer is numbers that were measured by running the package's own code. refdp judges them
(``refdp.crosscheck.training.findings``): nothing is concluded from a version.
"""
