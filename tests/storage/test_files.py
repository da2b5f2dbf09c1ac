"""Regular files are opened, and nothing else is waited for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from wqmix.checkpoints import read
from wqmix.config.reading import ReadingError, read_bytes
from wqmix.errors import CheckpointError
from wqmix.host.errors import HostError
from wqmix.host.utils import buffer_files
from wqmix.host.utils.checkpoints import load_tensors
from wqmix.storage import Refused, manifest
from wqmix.storage.files import open_regular

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="Linux")


def test_a_file_and_a_link_to_it(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to("a")
    for name in "ab":
        with open_regular(tmp_path / name) as stream:
            assert stream.read() == b"abc" and stream.read() == b""


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def line(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.fixture(params=[fifo, folder, device, line], ids=lambda make: make.__name__)
def odd(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    request.param(Path("odd"))
    return tmp_path / "odd"


def test_anything_else_is_an_error_at_once(odd):
    with pytest.raises(OSError):
        open_regular(odd)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError):
        open_regular(odd)
    assert len(os.listdir("/proc/self/fd")) == before


def test_every_reader_says_so(odd):
    with pytest.raises(CheckpointError, match="cannot be read as tensors"):
        read(str(odd))
    with pytest.raises(HostError, match="cannot be read as tensors"):
        load_tensors(str(odd))
    with pytest.raises(ReadingError, match="cannot be read"):
        read_bytes(odd)
    with pytest.raises(Refused, match="cannot be checked|bytes instead of 0"):
        manifest.check(str(odd), {"bytes": 0, "sha256": ""})


def test_in_the_place_of_a_manifest(odd):
    place = odd.parent / "1"
    place.mkdir()
    odd.rename(place / manifest.NAME)
    with pytest.raises(Refused, match="manifest.json: not a manifest"):
        manifest.verify(str(place))


def test_in_the_place_of_the_buffers_episodes(odd):
    from ..host.doubles import make_scheme
    from ..host.test_components import ReplayBuffer

    scheme, groups, preprocess = make_scheme()
    buffer = ReplayBuffer(scheme, groups, 4, 5, preprocess=preprocess)
    files = buffer_files.BufferFiles(str(odd.parent))
    entry = {"name": "odd", "first": 0, "last": 1, "bytes": 0, "sha256": ""}
    with pytest.raises(HostError, match="not such a buffer"):
        files.load(buffer, [entry], 1)
