"""A checkpoint's pickle is read, never run: hostile ones are refused by name, bombs are small, damage is said."""

from __future__ import annotations

import io
import pickle
import struct
import time
import zipfile
from pathlib import Path

import pytest
from importers_files import FIXTURES, check_line, checkpoint, read, refusal, write
from importers_pickles import CANARY, HARMLESS, REFUSED, bomb, in_history, nested, text
from importers_watch import nothing_runs

from refdp.audit.importers import pickles, read_record
from refdp.audit.importers.pickles import PICKLE_LIMIT, read_pickle
from refdp.errors import RefDPError


@pytest.fixture(autouse=True)
def no_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_pickle_is_refused_and_does_nothing(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, checkpoint(REFUSED[name]))
    with nothing_runs():
        line = refusal(path)
    assert "refused" in line
    assert not (tmp_path / CANARY).exists()


def test_the_canary_would_have_been_made(tmp_path: Path) -> None:
    """The attack is one: loaded as Python loads pickles, it runs."""
    pickle.loads(REFUSED["system-2"])
    assert (tmp_path / CANARY).exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("system-2", "posix.system"),
        ("eval-4", "builtins.eval"),
        ("inst", "os.system"),
        ("getattr", "builtins.getattr"),
    ],
)
def test_what_is_refused_is_named(name: str, says: str, tmp_path: Path) -> None:
    line = refusal(write(tmp_path, checkpoint(REFUSED[name])))
    assert f"names '{says}', which is no tensor or container: refused, and nothing of it was run" in line
    assert "json.dump(accountant.state_dict(), file)" in line


@pytest.mark.parametrize("name", HARMLESS)
def test_state_and_calls_of_known_names_do_nothing(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, checkpoint(HARMLESS[name]))
    with nothing_runs():
        assert "holds no Opacus accountant" in refusal(path)


def test_real_checkpoints_are_read_without_running_anything() -> None:
    read_record(FIXTURES / "opacus-checkpoint.pt")  # imports what refdp itself needs
    with nothing_runs():
        assert read_record(FIXTURES / "opacus-checkpoint.pt").ledger.events


def test_a_whole_model_and_a_tensor_are_refused() -> None:
    assert "GradSampleModule" in refusal(FIXTURES / "whole-model.pt")
    assert "<tensor, not loaded>" in refusal(FIXTURES / "tensor-history.pt")


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps([(1.0, 0.1, 5)], 2),
        pickle.dumps([(1.0, 0.1, 5)], 5),
        (FIXTURES / "old-format.pt").read_bytes(),
        b"\x1f\x8b\x08" + bytes(20),
        b"x\x9c" + bytes(20),
        b"\x93NUMPY\x01\x00" + bytes(20),
        b"\x89HDF\r\n\x1a\n" + bytes(20),
        bytes(257) + b"ustar" + bytes(250),
        bytes(100),
        "noise_multiplier,sample_rate\n1,0.1\n".encode("utf-16"),
        b"PK\x05\x06" + bytes(18),
    ],
    ids=[
        "pickle-2",
        "pickle-5",
        "torch-old",
        "gzip",
        "zlib",
        "npy",
        "hdf5",
        "tar",
        "zeros",
        "utf-16",
        "empty-zip",
    ],
)
@pytest.mark.parametrize("format", [None, "opacus-checkpoint", "csv"])
def test_other_binary_files_say_what_to_do(content: bytes, format: str | None, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    with nothing_runs():
        refusal(path, format=format)


def test_a_pickle_of_protocol_0_is_no_record(tmp_path: Path) -> None:
    refusal(write(tmp_path, pickle.dumps([(1.0, 0.1, 5)], 0)))


BOMBS = {
    "value": bomb(),
    "key": b"\x80\x02}" + bomb(last=b"")[2:] + b"Ns.",
    "in-history": in_history(bomb(last=b"")[2:]),
    "nested": nested(200_000),
    "in-itself": b"\x80\x02]q\x00h\x00a.",
    "dict-in-itself": b"\x80\x02}q\x00" + text(b"a") + b"h\x00s.",
    "colliding-keys": b"\x80\x02}("
    + b"".join(b"\x8a\x0a" + (k * (2**61 - 1)).to_bytes(10, "little") + b"N" for k in range(1, 60_000))
    + b"u.",
    "colliding-slots": b"N" + b"".join(b"p%d\n" % (k * (2**61 - 1)) for k in range(60_000)) + b".",
    "long": b"\x80\x02\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6 + b".",
    "decimal": b"L" + b"9" * 10**6 + b"L\n.",
    "encodings": b"\x80\x02c_codecs\nencode\nq\x00"
    + b"("
    + text(b"a" * 10**6)
    + text(b"latin1")
    + b"tq\x01"
    + b"h\x00h\x01R0" * 100_000
    + b".",
    "sets": b"\x80\x02c__builtin__\nset\nq\x00(]("
    + b"N" * 10**5
    + b"etq\x01"
    + b"h\x00h\x01R0" * 100_000
    + b".",
    "states": b"\x80\x02cargparse\nNamespace\nq\x00}("
    + b"".join(b"J" + struct.pack("<i", k) + b"N" for k in range(10**5))
    + b"uq\x01"
    + b"h\x00)\x81h\x01b0" * 100_000
    + b".",
    "declares-much": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"a.",
    "opcodes": b"\x80\x02" + b"N0" * 600_000 + b"N.",
    "many-names": b"\x80\x02" + b"ctorch\nSize\n0" * 100_000 + b"N.",
    "paths": b"\x80\x02"
    + b"".join(b"}" + text(b"k" * 40) for _ in range(50_000))
    + b"}"
    + b"s" * 50_000
    + b".",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_go_off_quietly(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, checkpoint(BOMBS[name], method=zipfile.ZIP_DEFLATED))
    start = time.perf_counter()
    with nothing_runs():
        refusal(path)
    assert time.perf_counter() - start < 8  # none over 1.5 s alone on a machine


def test_every_beginning_of_a_pickle_is_refused() -> None:
    with zipfile.ZipFile(FIXTURES / "opacus-checkpoint.pt") as archive:
        whole = archive.read("opacus-checkpoint/data.pkl")
    assert read_pickle(whole)["epoch"] == 2
    for length in range(len(whole)):
        with pytest.raises(RefDPError) as caught:
            read_pickle(whole[:length])
        check_line(str(caught.value))


@pytest.mark.parametrize(
    "data", [b"R.", b"0.", b".", b"t.", b"a.", b"s.", b"(.", b"b.", b"\x85.", b"h\x05.", b"e.", b"\xff."]
)
def test_a_stack_that_runs_out(data: bytes) -> None:
    with pytest.raises(RefDPError, match="damaged"):
        read_pickle(data)


class TestArchives:
    def test_limits_on_the_pickle(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        big = checkpoint(bytes(PICKLE_LIMIT + 1), method=zipfile.ZIP_DEFLATED)
        assert len(big) < 10**5
        assert "declares 33,554,433 bytes" in refusal(write(tmp_path, big))
        monkeypatch.setattr(pickles, "PICKLE_LIMIT", 5)
        with pytest.raises(RefDPError, match="at most 5"):
            read_pickle(b"\x80\x02N.  ")

    def test_a_declared_size_that_lies(self, tmp_path: Path) -> None:
        data = checkpoint(b"\x80\x02]" + b"N0" * 10**6 + b".", method=zipfile.ZIP_DEFLATED)
        size = struct.pack("<I", 2 * 10**6 + 4)
        assert data.count(size) == 2
        refusal(write(tmp_path, data.replace(size, struct.pack("<I", 4))))

    def test_which_member(self, tmp_path: Path) -> None:
        state = pickle.dumps({"history": [(1.0, 0.1, 5)], "mechanism": "rdp"}, 2)
        assert read(tmp_path, checkpoint(state, name="data.pkl")).ledger.events
        assert "without data.pkl" in refusal(write(tmp_path, checkpoint(state, name="weights.npy")))
        assert "without data.pkl" in refusal(write(tmp_path, checkpoint(state, name="a/b/data.pkl")))
        buffer = io.BytesIO(checkpoint(state))
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.writestr("other/data.pkl", state)
        assert "2 data.pkl" in refusal(write(tmp_path, buffer.getvalue()))

    def test_foreign_compression_and_encryption(self, tmp_path: Path) -> None:
        state = pickle.dumps([], 2)
        assert "method 12" in refusal(write(tmp_path, checkpoint(state, method=zipfile.ZIP_BZIP2)))
        data = bytearray(checkpoint(state))
        central = data.find(b"PK\x01\x02")
        data[6] |= 1
        data[central + 8] |= 1
        assert "encrypted" in refusal(write(tmp_path, bytes(data)))

    def test_damage(self, tmp_path: Path) -> None:
        whole = (FIXTURES / "opacus-state.pt").read_bytes()
        for length in range(4, len(whole), 7):
            refusal(write(tmp_path, whole[:length]))
        damaged = whole.replace(b"history", b"hiStory", 1)
        assert "damaged" in refusal(write(tmp_path, damaged))

    def test_a_list_of_members_that_is_too_long(self, tmp_path: Path) -> None:
        data = bytearray(checkpoint(b"\x80\x02N."))
        end = data.rfind(b"PK\x05\x06")
        data[end + 12 : end + 16] = struct.pack("<I", 2**30)
        assert "list of members takes 1,073,741,824 bytes" in refusal(write(tmp_path, bytes(data)))
