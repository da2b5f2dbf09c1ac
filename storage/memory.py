"""How much memory episodes take, and how much there is: known before any is asked for.

A scheme, groups and preprocessing are a host's (`EpisodeBatch`).
"""

from __future__ import annotations

import os
from typing import Any, Mapping, Optional

import torch

from .files import open_regular

Scheme = Mapping[str, Mapping[str, Any]]
_CGROUPS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)

_EXHAUSTED = (  # as PyTorch words it: on a device, on the CPU, of sizes past counting
    "out of memory",
    "can't allocate memory",
    "Storage size calculation overflowed",
    "numel: integer multiplication overflow",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed; PyTorch before 1.13 has no class for it."""
    said = isinstance(error, RuntimeError) and any(x in str(error) for x in _EXHAUSTED)
    return said or isinstance(error, MemoryError)


def bytes_per_slot(scheme: Scheme, groups: Mapping[str, int], preprocess: Any) -> int:
    """Bytes of one time slot of one episode, of its mask too."""
    fields = dict(scheme)
    for key, (new_key, transforms) in (preprocess or {}).items():
        vshape, dtype = fields[key]["vshape"], fields[key].get("dtype", torch.float32)
        for transform in transforms:
            vshape, dtype = transform.infer_output_info(vshape, dtype)
        fields[new_key] = {**fields[key], "vshape": vshape, "dtype": dtype}
    fields.setdefault("filled", {"vshape": (1,), "dtype": torch.long})
    return sum(_bytes(field, groups) for field in fields.values())


def _bytes(field: Mapping[str, Any], groups: Mapping[str, int]) -> int:
    vshape = field["vshape"]
    size = torch.empty(0, dtype=field.get("dtype", torch.float32)).element_size()
    if field.get("group"):
        size *= groups[field["group"]]
    for length in (vshape,) if isinstance(vshape, int) else vshape:
        size *= int(length)
    return size


def of_this_machine() -> Optional[int]:
    """Bytes of main memory that this process may have at most; None if unknown."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, OSError, ValueError):  # Windows
        return None
    for path in _CGROUPS:  # of a container or a batch job
        try:
            with open_regular(path) as stream:
                found.append(int(stream.read(100)))
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return min(found)


def told(size: float) -> str:
    """A number of bytes, for people."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB" if size < 1000 else f"{size:,.0f} TB"


def too_much(
    episode_bytes: int, buffer_size: int, others: int, there_is: Optional[int]
) -> str:
    """Why a replay buffer does not fit, and what would; "" if it fits.

    Args:
        episode_bytes: of one episode.
        buffer_size: in episodes.
        others: episodes beside it, of what is played and of what is learned from.
        there_is: bytes, or None.
    """
    if there_is is None or (buffer_size + others) * episode_bytes <= there_is:
        return ""
    fits = there_is // episode_bytes - others
    offer = f"buffer_size={fits} would fit" if fits > 0 else "not one episode would fit"
    return (
        f"buffer_size={buffer_size} needs {told(buffer_size * episode_bytes)} of "
        f"memory ({told(episode_bytes)} an episode), this machine has "
        f"{told(there_is)}: {offer}"
    )
