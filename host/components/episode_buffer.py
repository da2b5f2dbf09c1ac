"""Episodes as tensors `[episodes, time, ...]`, and the replay buffer made of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    overload,
)

import numpy as np
import torch as th

from ..utils import random_state
from .transforms import Transform

# Field -> its form; field -> (new field, transforms); and both with the groups.
Scheme = Dict[str, Dict[str, Any]]
Preprocess = Dict[str, Tuple[str, Sequence[Transform]]]
Layout = Tuple[Scheme, Dict[str, int], Preprocess]


class EpisodeBatch:
    """A batch of episodes, padded to `max_seq_length` time slots.

    Args:
        scheme: field name -> {"vshape": int or tuple, "dtype": torch dtype (float32),
            "group": name of a group (adds its axis), "episode_const": True for one
            value per episode instead of one per step}.
        groups: group name -> number of members.
        preprocess: field name -> (new field name, [Transform, ...]); the new field is
            written whenever the old one is.
        data: the storage of another batch, to be shared instead of allocated.

    The field "filled" `[B, T, 1]` marks the time slots that hold data.
    """

    def __init__(
        self,
        scheme: Scheme,
        groups: Dict[str, int],
        batch_size: int,
        max_seq_length: int,
        data: Optional[SimpleNamespace] = None,
        preprocess: Optional[Preprocess] = None,
        device: Any = "cpu",
    ) -> None:
        self.scheme = dict(scheme)
        self.groups = groups
        self.batch_size = batch_size
        self.max_seq_length = max_seq_length
        self.preprocess = preprocess or {}
        self.device = device
        if data is not None:
            self.data = data
            return
        if "filled" in self.scheme:
            raise ValueError('"filled" is a reserved key for masking')
        self.data = SimpleNamespace(transition_data={}, episode_data={})
        self._add_preprocessed_fields()
        self.scheme["filled"] = {"vshape": (1,), "dtype": th.long}
        self._allocate(self.scheme)

    def _add_preprocessed_fields(self) -> None:
        for key, (new_key, transforms) in self.preprocess.items():
            field = dict(self.scheme[key])
            vshape, dtype = field["vshape"], field.get("dtype", th.float32)
            for transform in transforms:
                vshape, dtype = transform.infer_output_info(vshape, dtype)
            self.scheme[new_key] = {**field, "vshape": vshape, "dtype": dtype}

    def _allocate(self, scheme: Scheme) -> None:
        for key, field in scheme.items():
            vshape = field["vshape"]
            shape = (vshape,) if isinstance(vshape, int) else tuple(vshape)
            if field.get("group"):
                shape = (self.groups[field["group"]],) + shape
            lead: Tuple[int, ...] = (self.batch_size,)
            store = self.data.episode_data
            if not field.get("episode_const", False):
                store = self.data.transition_data
                lead = (self.batch_size, self.max_seq_length)
            dtype = field.get("dtype", th.float32)
            store[key] = _zeros(lead + shape, dtype, self.device)

    def extend(self, scheme: Scheme, groups: Optional[Dict[str, int]] = None) -> None:
        """Add zero-filled fields."""
        self.groups = {**self.groups, **(groups or {})}
        self.scheme.update(scheme)
        self._allocate(scheme)

    def to(self, device: Any) -> None:
        """Move in place."""
        for store in (self.data.transition_data, self.data.episode_data):
            for key, value in store.items():
                store[key] = value.to(device)
        self.device = device

    def update(
        self,
        data: Mapping[str, Any],
        bs: Any = slice(None),
        ts: Any = slice(None),
        mark_filled: bool = True,
    ) -> None:
        """Write fields (tensors, arrays or nested lists) at episodes `bs`, steps `ts`.

        Raises:
            KeyError: a field that the scheme does not know.
            ValueError: a value that fits its place only by a reshape that is more than
                adding or dropping axes of length one.
        """
        index = self._parse_slices((bs, ts))
        for key, value in data.items():
            if key in self.data.transition_data:
                if mark_filled:
                    self.data.transition_data["filled"][index] = 1
                    mark_filled = False
                self._write(self.data.transition_data, key, index, value)
            elif key in self.data.episode_data:
                self._write(self.data.episode_data, key, index[:1], value)
            else:
                raise KeyError(f"{key} not found in transition or episode data")

    def _write(
        self, store: Dict[str, th.Tensor], key: str, index: Tuple[Any, ...], value: Any
    ) -> None:
        target = store[key]
        if not isinstance(value, th.Tensor):
            # Through one array: torch reads a list of arrays element by element.
            value = th.as_tensor(np.asarray(value))
        value = value.to(dtype=target.dtype, device=self.device)
        shape = _shape_at(target, index)
        if _without_ones(value.shape) != _without_ones(shape):
            raise ValueError(
                f"Unsafe reshape of {tuple(value.shape)} to {tuple(shape)} for {key}"
            )
        value = value.reshape(shape)
        target[index] = value
        if key in self.preprocess:
            new_key, transforms = self.preprocess[key]
            for transform in transforms:
                value = transform.transform(value)
            store[new_key][index] = value

    @overload
    def __getitem__(self, item: str) -> th.Tensor: ...

    @overload
    def __getitem__(self, item: Any) -> EpisodeBatch: ...

    def __getitem__(self, item: Any) -> Any:
        """A field by name, a batch of some fields by names, or a batch by index.

        `batch["obs"]`, `batch["obs", "state"]`, `batch[3]`, `batch[1:4]`,
        `batch[[0, 2]]`, `batch[:, :7]`. Slices share memory with this batch.
        """
        if isinstance(item, str):
            if item in self.data.episode_data:
                return self.data.episode_data[item]
            if item in self.data.transition_data:
                return self.data.transition_data[item]
            raise KeyError(f"Unrecognised key {item}")
        if isinstance(item, tuple) and all(isinstance(key, str) for key in item):
            return self._select_fields(item)
        index = self._parse_slices(item)
        data = SimpleNamespace(
            transition_data={k: v[index] for k, v in self.data.transition_data.items()},
            episode_data={k: v[index[0]] for k, v in self.data.episode_data.items()},
        )
        return EpisodeBatch(
            self.scheme,
            self.groups,
            _length(index[0], self.batch_size),
            _length(index[1], self.max_seq_length),
            data=data,
            device=self.device,
        )

    def _select_fields(self, keys: Tuple[str, ...]) -> EpisodeBatch:
        for key in keys:
            if key not in self.scheme:
                raise KeyError(f"Unrecognised key {key}")
        scheme = {key: self.scheme[key] for key in keys}
        names = {field["group"] for field in scheme.values() if "group" in field}
        data = SimpleNamespace(
            transition_data=_subset(self.data.transition_data, keys),
            episode_data=_subset(self.data.episode_data, keys),
        )
        return EpisodeBatch(
            scheme,
            _subset(self.groups, names),
            self.batch_size,
            self.max_seq_length,
            data=data,
            device=self.device,
        )

    @staticmethod
    def _parse_slices(items: Any) -> Tuple[Any, ...]:
        """Normalise an index to (episodes, time), where an int keeps its axis."""
        if not isinstance(items, tuple):
            items = (items, slice(None))
        if not isinstance(items[1], (int, np.integer, slice)):
            raise IndexError("Indexing across Time must be contiguous")
        return tuple(
            slice(int(item), int(item) + 1)
            if isinstance(item, (int, np.integer))
            else item
            for item in items
        )

    def fields(self) -> Dict[str, th.Tensor]:
        """Field name -> tensor, of the steps and of the episodes."""
        return {**self.data.transition_data, **self.data.episode_data}

    def max_t_filled(self) -> int:
        """The number of time slots of the longest episode."""
        return int(self.data.transition_data["filled"].sum(1).max())

    def __repr__(self) -> str:
        return (
            f"EpisodeBatch. Batch Size:{self.batch_size} "
            f"Max_seq_len:{self.max_seq_length} Keys:{self.scheme.keys()} "
            f"Groups:{self.groups.keys()}"
        )


def _zeros(shape: Tuple[int, ...], dtype: th.dtype, device: Any) -> th.Tensor:
    """Zeros whose memory, on the CPU, is claimed page by page as it is written.

    torch.zeros writes them all at once: tens of seconds for a large replay buffer,
    and memory for episodes that are never played.
    """
    if th.device(device).type != "cpu":
        return th.zeros(shape, dtype=dtype, device=device)
    return th.from_numpy(np.zeros(shape, dtype=th.empty(0, dtype=dtype).numpy().dtype))


def _subset(mapping: Mapping[str, Any], keys: Collection[str]) -> Dict[str, Any]:
    return {key: mapping[key] for key in mapping if key in keys}


def _without_ones(shape: Iterable[int]) -> List[int]:
    return [size for size in shape if size != 1]


def _length(index: Any, size: int) -> int:
    return len(range(*index.indices(size))) if isinstance(index, slice) else len(index)


def _shape_at(tensor: th.Tensor, index: Tuple[Any, ...]) -> Tuple[int, ...]:
    """The shape of `tensor[index]`, without the copy that a list index would make."""
    if isinstance(index[0], slice):
        return tensor[index].shape
    one_episode = tensor[(slice(0, 1),) + index[1:]]
    return (len(index[0]),) + tuple(one_episode.shape[1:])


class ReplayBuffer(EpisodeBatch):
    """The latest `buffer_size` episodes, oldest overwritten first.

    Episode number `n`, counted since the beginning, lies at `n % buffer_size`. Episodes
    are drawn with a generator of its own, seeded with `seed`.
    """

    def __init__(
        self,
        scheme: Scheme,
        groups: Dict[str, int],
        buffer_size: int,
        max_seq_length: int,
        preprocess: Optional[Preprocess] = None,
        device: Any = "cpu",
        seed: int = 0,
    ) -> None:
        super().__init__(
            scheme,
            groups,
            buffer_size,
            max_seq_length,
            preprocess=preprocess,
            device=device,
        )
        self.rng = random_state.generator(seed, "replay")
        self.buffer_size = buffer_size
        self.count(0)

    def count(self, episodes_added: int) -> None:
        """Set how many episodes were ever added."""
        self.episodes_added = episodes_added
        self.buffer_index = episodes_added % self.buffer_size
        self.episodes_in_buffer = min(episodes_added, self.buffer_size)

    def insert_episode_batch(self, ep_batch: EpisodeBatch) -> None:
        """Copy episodes in, wrapping round at the end."""
        room = self.buffer_size - self.buffer_index
        if ep_batch.batch_size > room:
            self.insert_episode_batch(ep_batch[:room])
            self.insert_episode_batch(ep_batch[room:])
            return
        end = self.buffer_index + ep_batch.batch_size
        bs = slice(self.buffer_index, end)
        ts = slice(0, ep_batch.max_seq_length)
        self.update(ep_batch.data.transition_data, bs, ts, mark_filled=False)
        self.update(ep_batch.data.episode_data, bs)
        self.count(self.episodes_added + ep_batch.batch_size)

    def can_sample(self, batch_size: int) -> bool:
        return self.episodes_in_buffer >= batch_size

    def sample(self, batch_size: int) -> EpisodeBatch:
        """Distinct episodes, drawn uniformly."""
        if not self.can_sample(batch_size):
            raise ValueError(
                f"{batch_size} episodes asked of {self.episodes_in_buffer} stored"
            )
        if self.episodes_in_buffer == batch_size:
            return self[:batch_size]
        chosen = self.rng.choice(self.episodes_in_buffer, batch_size, replace=False)
        return self[chosen]

    def __repr__(self) -> str:
        return (
            f"ReplayBuffer. {self.episodes_in_buffer}/{self.buffer_size} episodes. "
            f"Keys:{self.scheme.keys()} Groups:{self.groups.keys()}"
        )
