"""The replay buffer on disk: files of episodes, each written once."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO, Dict, Iterable, List, Mapping

import numpy as np
import torch as th

from ...storage import Refused, manifest
from ...storage.files import create, open_regular
from ..errors import CheckpointError

if TYPE_CHECKING:
    from ..components.episode_buffer import ReplayBuffer

EPISODES_PER_FILE = 64
_LEVEL = 3  # of zlib: as fast as 1 on observations, which are mostly zeros


class BufferFiles:
    """The files that hold a buffer's episodes, in a folder of their own.

    A save writes only the episodes that came since the last one. A file is never
    changed; it goes when no checkpoint names it any more (`clean`).

    Attributes:
        files: one entry for each: name, size and checksum, and which episodes it
            holds: from number `first` up to `last`, counted since training began.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.files: List[Dict[str, Any]] = []

    def save(self, buffer: ReplayBuffer) -> List[Dict[str, Any]]:
        """Write what is new in the buffer; returns the entries of all that it needs."""
        self._insist_on_a_folder()
        os.makedirs(self.folder, exist_ok=True)
        oldest = buffer.episodes_added - buffer.episodes_in_buffer
        self.files = [file for file in self.files if file["last"] > oldest]
        saved = self.files[-1]["last"] if self.files else oldest
        for first in range(saved, buffer.episodes_added, EPISODES_PER_FILE):
            last = min(first + EPISODES_PER_FILE, buffer.episodes_added)
            self.files.append(self._write(buffer, first, last))
        manifest.sync_folder(self.folder)
        return list(self.files)

    def _write(self, buffer: ReplayBuffer, first: int, last: int) -> Dict[str, Any]:
        partial = os.path.join(self.folder, "episodes.partial")
        slots = th.arange(first, last) % buffer.buffer_size
        with create(partial) as stream:
            write_arrays(stream, _arrays(buffer, slots))
            stream.flush()
            os.fsync(stream.fileno())
        checksum, size = manifest.sha256(partial), os.path.getsize(partial)
        name = f"{first}-{last}-{checksum[:12]}.npz"
        os.replace(partial, os.path.join(self.folder, name))
        sums = {"bytes": size, "sha256": checksum}
        return {"name": name, "first": first, "last": last, **sums}

    def check(self, files: Iterable[Dict[str, Any]]) -> None:
        """Refused, if one of these is absent or damaged."""
        for file in files:
            manifest.check(os.path.join(self.folder, _checked(file["name"])), file)

    def load(
        self, buffer: ReplayBuffer, files: List[Dict[str, Any]], added: int
    ) -> None:
        """Fill an empty buffer, to which `added` episodes had been added in all."""
        self.files = list(files)
        buffer.count(added)
        oldest = added - buffer.episodes_in_buffer
        self._insist_on_all(files, oldest, added)
        for file in files:
            path = os.path.join(self.folder, _checked(file["name"]))
            numbers = np.arange(file["first"], file["last"])
            kept = numbers >= oldest
            slots = th.from_numpy(numbers[kept] % buffer.buffer_size)
            try:
                with open_regular(path) as stream:
                    _fill(buffer, slots, np.load(stream, allow_pickle=False), kept)
            except Exception as error:  # whatever a forged file makes of the reader
                reason = (str(error) or type(error).__name__).splitlines()[0]
                raise CheckpointError(
                    f"{path}: not such a buffer ({reason})"
                ) from error

    def _insist_on_all(
        self, files: List[Dict[str, Any]], oldest: int, added: int
    ) -> None:
        """Every episode from `oldest` on is in one of the files, and none too many."""
        reached = oldest
        for file in sorted(files, key=lambda file: file["first"]):
            size = file["last"] - file["first"]
            if not 0 < size <= EPISODES_PER_FILE or not 0 <= file["first"] <= reached:
                break
            reached = max(reached, file["last"])
        if reached != added:
            raise CheckpointError(
                f"{self.folder}: the files named do not hold episodes {oldest} to "
                f"{added}"
            )

    def remove(self, names: Iterable[str]) -> None:
        """Delete files of these names: what else is in the folder is somebody's."""
        self._insist_on_a_folder()
        for name in names:
            path = os.path.join(self.folder, _checked(name))
            if os.path.isfile(path):
                os.remove(path)

    def _insist_on_a_folder(self) -> None:
        if os.path.islink(self.folder):
            raise Refused(f"{self.folder}: is a link; nothing is written through it")


def _checked(name: str) -> str:
    """A name from a manifest, if it is that of a file right in the folder."""
    if name != os.path.basename(name) or name in ("", os.curdir, os.pardir):
        raise Refused(f"a manifest names {name!r} in a buffer: no name of a file")
    return name


def _fill(
    buffer: ReplayBuffer,
    slots: th.Tensor,
    arrays: Mapping[str, np.ndarray],
    kept: np.ndarray,
) -> None:
    """Put the episodes that are `kept` of a file's arrays into the buffer's slots."""
    for key, field in buffer.fields().items():
        array = arrays[key]
        expected = (len(kept), *field.shape[1:])
        if array.shape != expected:  # else torch would repeat an axis of one
            raise ValueError(f"{key} has shape {array.shape} instead of {expected}")
        field[slots] = th.from_numpy(array[kept]).to(field.device)


def write_arrays(stream: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """As numpy's savez_compressed, three times as fast."""
    with zipfile.ZipFile(
        stream, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL
    ) as npz:
        for key, array in arrays.items():
            with npz.open(f"{key}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def _arrays(buffer: ReplayBuffer, slots: th.Tensor) -> Dict[str, np.ndarray]:
    return {key: field[slots].cpu().numpy() for key, field in buffer.fields().items()}
