"""The two functions of `tensorboard_logger` that hosts call, on a writer that lives."""

from __future__ import annotations

import sys
from typing import Any, List

from wqmix.storage.curves import TensorBoard, writer_class

_writers: List[TensorBoard] = []


def configure(directory: str) -> None:
    """Write from now on into a folder."""
    if writer_class() is None:
        print(
            "wqmix: use_tensorboard=True writes nothing: pip install tensorboardX",
            file=sys.stderr,
        )
    else:
        _writers[:] = [TensorBoard(directory)]


def log_value(name: str, value: Any, step: int) -> None:
    """Write one number."""
    for writer in _writers:
        writer.log(name, value, step)
