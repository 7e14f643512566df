"""A torch checkpoint that holds an Opacus accountant, read without torch and without running its pickle.

``privacy_engine.save_checkpoint(...)``, or ``torch.save`` of the accountant's state_dict, of a dict that holds it, or
of the accountant itself.
"""

from __future__ import annotations

from refdp.audit.importers import opacus
from refdp.audit.importers.archive import read_member
from refdp.audit.importers.binary import SAFE_LINE, refuse_binary
from refdp.audit.importers.format import RecordFormat, formats
from refdp.audit.importers.imported import Imported
from refdp.audit.importers.pickles import read_pickle
from refdp.audit.importers.source import Source
from refdp.errors import RefDPError

_SCHEDULERS = {
    "noise_scheduler_state_dict": (
        "a noise scheduler was used: the history's multipliers are those it had set at each step"
    ),
    "grad_clip_scheduler_state_dict": (
        "a clip norm scheduler was used: multipliers are relative to each step's clip norm, which costs nothing"
    ),
}


@formats.register("opacus-checkpoint")
class OpacusCheckpoint(RecordFormat):
    """A zip archive with ``*/data.pkl``, as torch.save writes since 1.6."""

    name = "opacus-checkpoint"
    reads = "a checkpoint that torch.save or Opacus's save_checkpoint wrote"

    def recognises(self, source: Source) -> bool:
        return source.is_zip

    def read(self, source: Source, neighboring: str | None) -> Imported:
        if not source.is_zip:
            refuse_binary(source.head)
            raise RefDPError("is no torch checkpoint (a zip archive); leave the format out to have it found")
        document = read_pickle(read_member(source.path))
        found = opacus.find_history(document)
        if found is None:
            raise RefDPError(
                f"holds no Opacus accountant (no {opacus.KEY}, no 'history'): save privacy_engine.accountant with it, "
                f"or write {SAFE_LINE}"
            )
        history, mechanism, where = found
        notes = [f"history read from {where or 'the checkpoint itself'}; its code was not run"]
        if isinstance(document, dict):
            notes += [note for key, note in _SCHEDULERS.items() if key in document]
        return opacus.imported(
            history,
            mechanism,
            self.name,
            neighboring,
            notes=tuple(notes),
            claimed=opacus.claim_of(document),
            actual=opacus.facts(document),
        )
