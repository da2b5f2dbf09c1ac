"""The two functions of `tensorboard_logger` that hosts call, on a writer that lives."""

from __future__ import annotations

import sys
from typing import Any

_writers = []


def configure(directory: str) -> None:
    """Write from now on into a folder."""
    writer = writer_class()
    if writer is None:
        print(
            "wqmix: use_tensorboard=True writes nothing: pip install tensorboardX",
            file=sys.stderr,
        )
    else:
        _writers[:] = [writer(directory)]


def log_value(name: str, value: Any, step: int) -> None:
    """Write one number."""
    for writer in _writers:
        writer.add_scalar(name, value, step)


def writer_class() -> Any:
    """Return tensorboardX's writer, or PyTorch's, or None."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
    return SummaryWriter
