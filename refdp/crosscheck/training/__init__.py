"""A training step of any framework beside refdp's, stage by stage.

    check.check_trace(trace)     every stage of every step, judged; what differs is explained by a known cause
    stages                       one file a stage: batch, gradients, norms, clipped sum, noise, update
    causes                       one file a known cause: what the numbers would be if it were so

Every stage is judged by what the trace itself recorded of the stage before, so that one fault is found once, where it
is.
"""
