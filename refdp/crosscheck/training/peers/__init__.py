"""Frameworks that train, one file a package: found by themselves, read without running them.

A file here runs under the interpreter in which its package lives, where refdp is not installed: it imports the standard
library, its package inside its functions, and by path what lies in ``shared``. It has

    PACKAGE      name of the package, as it is installed
    METHODS      {name: {"grad_sample": whether it makes per-sample gradients, "modules": whether it takes a user's
                 own torch module}} as a literal
    load()       import the package; return its version
    answer(method, case)    take the steps, write a trace, return {"trace": where}

and raises NotImplementedError, with the reason, for what the package cannot do. ``case`` is

    {"inputs": a trace (docs/traces.md) with x and y of every step, the weights before the first, and the settings,
     "out": where to write, "steps": how many to take, "stages": kinds of arrays to record,
     "model": a registered model's specification, or "module": "FILE.py:NAME" of a user's torch module}

Noise is drawn from ``seed``, which is the run's, as ``refdp.replay.step_noise`` says: so refdp can draw it again.

``probes`` holds questions about an installed package that no such step answers; see its docstring.
"""
