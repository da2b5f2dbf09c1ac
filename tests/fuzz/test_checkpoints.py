"""Files of tensors: nothing in them runs, whatever is wrong is one line."""

from __future__ import annotations

import io
import os
import pickle
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wqmix.checkpoints import read
from wqmix.errors import CheckpointError
from wqmix.host.errors import HostError
from wqmix.host.utils.checkpoints import load_tensors
from wqmix.storage import Refused, manifest

from .tools import damaged, fuzzed, harmless, plain


class Runs:
    """What unpickles by calling a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def saved(content, **options):
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


STATE = {
    "fc.weight": torch.arange(6.0).reshape(2, 3),
    "steps": 7,
    "names": ["a", None, 1.5, True],
}
OPTIMISER = torch.optim.RMSprop([torch.nn.Parameter(torch.ones(2))]).state_dict()
EVIL = Runs(os.mkdir, "made")
SEEDS = [
    saved(STATE),
    saved(STATE, _use_new_zipfile_serialization=False),
    saved(OPTIMISER),
    saved({"w": EVIL}),
    saved(EVIL, _use_new_zipfile_serialization=False),
    pickle.dumps(EVIL),
    pickle.dumps({"w": Runs(eval, "open('made', 'w')")}, protocol=2),
    pickle.dumps(Runs(torch.load, "made")),
    b"",
]
opcodes = st.sampled_from(
    [bytes([code]) for code in range(256)]
    + [b"cos\nsystem\n", b"\x8c\x02os\x8c\x05mkdir\x93", b"S'made'\n", b"I1\n", b"tR."]
)
pickles = st.lists(opcodes, max_size=40).map(b"".join)


@pytest.fixture(params=["the learner's", "the host's"])
def reader(request):
    return {"the learner's": read, "the host's": load_tensors}[request.param]


@fuzzed
@given(
    content=st.one_of(
        damaged(SEEDS),
        st.sampled_from(SEEDS),
        pickles,
        pickles.map(lambda code: b"\x80\x02" + code + b"."),
        plain.map(lambda value: pickle.dumps(value)),
        st.binary(max_size=100),
    )
)
def test_reading(own_folder, reader, content):
    file = Path(own_folder, "fuzz.th")
    file.write_bytes(content)
    with harmless(CheckpointError, HostError):
        reader(str(file))


def sealed():
    """A folder's manifest, as it is written."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "agent.th").write_bytes(b"1234")
        manifest.write(folder, {"config": {"alpha": 0.1, "name": "x"}})
        return Path(folder, manifest.NAME).read_bytes()


SEALED = sealed()
FORGED = [
    b"{}",
    b"[]",
    b"null",
    b"[" * 5000,
    b'{"sha256": NaN}',
    b'{"sha256": "", "files": {"../../x": {"bytes": 1}}}',
    b"9" * 5000,
]


@fuzzed
@given(
    st.one_of(
        damaged([SEALED]),
        st.sampled_from(FORGED),
        plain.map(lambda value: repr(value).encode("utf-8", "surrogatepass")),
        st.binary(max_size=100),
    )
)
def test_manifests(own_folder, content):
    """Whatever differs from what was written is refused."""
    folder = Path(own_folder, "checkpoint")
    folder.mkdir(exist_ok=True)
    (folder / "agent.th").write_bytes(b"1234")
    (folder / manifest.NAME).write_bytes(content)
    with harmless(Refused):
        manifest.verify(str(folder))
        assert content == SEALED, "a manifest that is not as it was written"


def test_the_hostile_ones_would_run(own_folder):
    """Or else the tests above prove nothing."""
    (own_folder / "evil").write_bytes(SEEDS[3])
    torch.load(own_folder / "evil", weights_only=False)
    assert (own_folder / "made").is_dir()
    (own_folder / "made").rmdir()
    (own_folder / "evil").unlink()
