"""`wqmix.load_policy`: trained agents that act on arrays, with no environment."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np
import torch as th

from .components.action_selectors import REGISTRY as action_selectors
from .components.episode_buffer import EpisodeBatch, Layout
from .config import over_defaults
from .controllers import REGISTRY as macs
from .envs.contract import SIZES
from .errors import CheckpointError, ConfigError, unknown
from .modules.agents import REGISTRY as agents
from .playing import trained_mac
from .run import make_args
from .utils.checkpoints import find, load_tensors
from .utils.logging import get_logger

REGISTRIES: Dict[str, Mapping[str, Any]] = {
    "mac": macs,
    "agent": agents,
    "action_selector": action_selectors,
}
_NOW, _BEFORE = 1, 0  # slots of the batch: a controller looks back by one


def load_policy(path: Any) -> Policy:
    """The greedy policy of a checkpoint; nothing but its folder is needed.

    Args:
        path: `results/models/<run>/<step>`, or `<run>`: its last step. Of another host,
            where its agent is PyMARL's `rnn` and its controller gives it PyMARL's
            inputs.

    Raises:
        CheckpointError: it is missing, damaged, or of agents that are not known here.
    """
    path, facts = find(os.fspath(path))
    config = over_defaults(facts["config"], f"in the checkpoint {path}")
    sizes = facts.get("sizes")
    if sizes is None:
        config, sizes = _of_another_host(facts["config"], config, path)
    if not isinstance(sizes, dict) or not all(_is_size(sizes.get(k)) for k in SIZES):
        raise CheckpointError(f"{path}: its manifest gives no sizes that can be")
    for key, registry in REGISTRIES.items():
        if config[key] not in registry:
            raise unknown(f"{key} of the checkpoint {path}", config[key], registry)
    config.update(test_greedy=True, use_cuda=False)
    args = make_args(config, get_logger(), run_id="policy")
    return Policy(*trained_mac(args, sizes, path), sizes)


class Policy:
    """Agents that choose greedily, in one game or in many copies of it at once.

    Shapes: `B` copies, `A` agents, `U` actions, `O` observation.

    Attributes:
        n_agents, n_actions, obs_size: `A`, `U` and `O`.
    """

    def __init__(self, mac: Any, layout: Layout, sizes: Dict[str, int]) -> None:
        self.n_agents, self.n_actions = sizes["n_agents"], sizes["n_actions"]
        self.obs_size = sizes["obs_shape"]
        self._mac, self._layout = mac, layout
        self._batch: Optional[EpisodeBatch] = None

    def reset(self, copies: Any = None) -> None:
        """Forget the episode: of the copies that an index or mask names, or of all.

        To be called before each episode but the first. After a reset of all, there may
        be another number of copies.
        """
        if copies is None or self._batch is None:
            self._batch = None
            return
        self._batch["actions_onehot"][copies] = 0
        hidden = self._mac.hidden_states
        by_copy = hidden.reshape(self._batch.batch_size, self.n_agents, -1).clone()
        self._mac.init_hidden(self._batch.batch_size)
        by_copy[copies] = self._mac.hidden_states.reshape(by_copy.shape)[copies]
        self._mac.hidden_states = by_copy.reshape(hidden.shape)

    def act(self, obs: Any, avail: Any = None) -> np.ndarray:
        """The actions for the next step.

        Args:
            obs: observations `[A, O]`, or `[B, A, O]` of many copies.
            avail: 0 or 1 for each action, `[A, U]` or `[B, A, U]`; None: all can be
                taken.

        Returns:
            Integers `[A]` or `[B, A]`.

        Raises:
            ConfigError: other shapes, or an agent without an action to take.
        """
        is_single = np.ndim(obs) == 2
        obs = self._batched("obs", obs, self.obs_size, is_single)
        if avail is None:
            avail = np.ones((*obs.shape[:2], self.n_actions))
        else:
            avail = self._batched("avail", avail, self.n_actions, is_single)
            _check_masks(avail)
        batch = self._see(obs, avail)
        with th.no_grad():
            actions = self._mac.select_actions(
                batch, t_ep=_NOW, t_env=0, test_mode=True
            )
        batch.update({"actions": actions}, ts=_BEFORE)
        actions = actions.numpy()
        return actions[0] if is_single else actions

    def _batched(
        self, name: str, values: Any, size: int, is_single: bool
    ) -> np.ndarray:
        """`values` as an array `[B, A, size]` of finite numbers."""
        try:
            array = np.asarray(values, dtype=np.float32)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{name}: {error}") from None
        array = array[None] if is_single else array
        if array.shape[1:] != (self.n_agents, size) or not len(array):
            found = array.shape[1:] if is_single else array.shape
            wanted = (self.n_agents, size)
            raise ConfigError(
                f"{name} of shape {found}: {wanted} is needed, or (copies, "
                f"{self.n_agents}, {size})"
            )
        if not np.isfinite(array).all():
            raise ConfigError(f"{name} holds NaN or infinity")
        return array

    def _see(self, obs: np.ndarray, avail: np.ndarray) -> EpisodeBatch:
        """Put what is seen now into the batch, which an episode's first step makes."""
        if self._batch is None:
            scheme, groups, preprocess = self._layout
            sizes = len(obs), 2
            self._batch = EpisodeBatch(scheme, groups, *sizes, preprocess=preprocess)
            self._mac.init_hidden(len(obs))
        for name, array in (("obs", obs), ("avail", avail)):
            if len(array) != self._batch.batch_size:
                raise ConfigError(
                    f"{name} of {len(array)} copies, of {self._batch.batch_size} "
                    "before: reset() comes between"
                )
        self._batch.update({"obs": obs, "avail_actions": avail}, ts=_NOW)
        return self._batch


def _check_masks(avail: np.ndarray) -> None:
    if not np.isin(avail, (0, 1)).all():
        raise ConfigError("avail holds other values than 0 and 1")
    if not avail.any(axis=-1).all():
        raise ConfigError("avail leaves an agent without an action")


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _of_another_host(
    found: Dict[str, Any], config: Dict[str, Any], path: str
) -> Tuple[Dict[str, Any], Dict[str, int]]:
    """Settings and sizes of a checkpoint that another host's run has saved.

    Its manifest has what the learner was told, and the network says the rest.
    """
    state = load_tensors(os.path.join(path, "agent.th"))
    try:
        hidden, inputs = state["fc1.weight"].shape
        n_agents, n_actions = found["n_agents"], found["n_actions"]
        obs = inputs - found["obs_last_action"] * n_actions
        obs -= found["obs_agent_id"] * n_agents
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CheckpointError(
            f"{path}: neither its manifest nor its network says how many agents and "
            "observations there are; a later version's or another host's is needed"
        ) from None
    sizes = dict.fromkeys(SIZES, 1)
    sizes.update(n_agents=n_agents, n_actions=n_actions, obs_shape=obs)
    own = {"mac": "basic_mac", "agent": "rnn", "rnn_hidden_dim": hidden}
    return {**config, **own}, sizes
