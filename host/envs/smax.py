"""SMAX, JaxMARL's StarCraft-like scenarios: all copies step in one compiled call."""

from __future__ import annotations

import importlib
import inspect
import os
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..errors import ConfigError, unknown
from .checks import number, whole
from .multiagentenv import BatchEnv, Outcomes
from .packages import EpisodeSeeds, load

_NOT_OPTIONS = ("self", "env_kwargs", "scenario", "action_type", "use_self_play_reward")


class SmaxBatch(BatchEnv):
    """`N` copies of a scenario against JaxMARL's scripted enemy.

    Observations are JaxMARL's own; so is the state, but for positions and unit types,
    which are scaled to [0, 1]; and so are rewards, times `reward_scale`: JaxMARL pays
    at most 2 in an episode, 1 for the damage and 1 for the battle won. Not comparable
    with SMAC, whose enemy is another.

    Args:
        n_copies: `N`.
        map_name: a scenario of JaxMARL's, such as 2s3z, 3s5z or smacv2_5_units.
        time_limit: steps after which an episode ends.
        reward_scale: what JaxMARL's rewards are multiplied by, above 0.
        options: for `HeuristicEnemySMAX` and `SMAX`.
        seed: of the episodes' seeds.

    Raises:
        ConfigError: JaxMARL is missing, or a name that it does not have.
    """

    def __init__(
        self,
        n_copies: int,
        map_name: str,
        time_limit: int,
        reward_scale: float,
        options: Dict[str, Any],
        seed: Optional[int],
    ) -> None:
        # Beside PyTorch: on a GPU, JAX would take most of its memory for itself.
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        smax = load("jaxmarl.environments.smax", "smax", "smax")
        scenarios = smax.smax_env.MAP_NAME_TO_SCENARIO
        if map_name not in scenarios:
            raise unknown("env_args.map_name of smax", map_name, scenarios)
        known = _options(smax)
        for key in options:
            if key not in known:
                raise unknown("env_args.options key of smax", key, known)
        limit = whole("time_limit", time_limit, 1)
        scale = number("reward_scale", reward_scale)
        if scale <= 0:
            raise ConfigError(f"env_args.reward_scale is {scale}: above 0 is needed")
        self._reward_scale = scale
        # JaxMARL's games last one step longer than their max_steps.
        game = smax.HeuristicEnemySMAX(
            scenario=scenarios[map_name], max_steps=limit - 1, **options
        )
        self.n_copies, self.n_agents = n_copies, game.num_allies
        self.n_actions, self.obs_size = game.num_ally_actions, game.obs_size
        self.state_size, self.episode_limit = game.state_size, limit
        self._seeds = EpisodeSeeds(seed)
        self.seed = self._seeds.seed
        self._begin, self._advance, self._merge = _compiled(game)
        self._over = np.zeros(n_copies, dtype=bool)
        self._now: Any = None  # nothing is compiled before the first episode

    def _draw(self) -> np.ndarray:
        return self._seeds.draw(self.n_copies).astype(np.uint32)

    def reset(self, copies: Optional[np.ndarray] = None) -> None:
        begun = np.zeros(self.n_copies, dtype=bool)
        begun[slice(None) if copies is None else copies] = True
        self._over &= ~begun
        fresh = self._begin(self._draw())
        is_all = begun.all() or self._now is None
        self._show(fresh if is_all else self._merge(begun, fresh, self._now))

    def step(self, actions: np.ndarray) -> Outcomes:
        actions = np.asarray(actions, dtype=np.int32)
        if (actions < 0).any() or (actions >= self.n_actions).any():
            raise IndexError(f"there are {self.n_actions} actions, counted from 0")
        now, outcome = self._advance(self._now[0], actions)
        self._show(now)
        reward, over, won, by_time = (np.asarray(value) for value in outcome)
        playing = ~self._over
        self._over |= over
        info = {"battle_won": won & playing, "episode_limit": by_time & playing}
        reward = (reward * playing * self._reward_scale).astype(np.float32)
        return reward, self._over.copy(), info

    def _show(self, now: Any) -> None:
        """Keep the copies' states and, where it can be written to, what is seen."""
        self._now = now
        self._obs, self._state, self._avail = (np.array(array) for array in now[1])

    def get_obs(self) -> np.ndarray:
        return self._obs

    def get_state(self) -> np.ndarray:
        return self._state

    def get_avail_actions(self) -> np.ndarray:
        return self._avail

    def render(self, copy: int = 0) -> str:
        """The units' health and positions."""
        units = self._now[0][0].state
        health, places = units.unit_health[copy], units.unit_positions[copy]
        lines = [
            f"{'ally ' if n < self.n_agents else 'enemy'}{n:4} {health[n]:6.1f} at "
            f"{places[n][0]:5.1f}, {places[n][1]:5.1f}"
            for n in range(len(health))
        ]
        return "\n".join(lines)

    def state_dict(self) -> Dict[str, Any]:
        return self._seeds.state_dict()

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._seeds.load_state_dict(state)


def _options(smax: Any) -> List[str]:
    """What the two constructors take, less what is settled here."""
    taken: Dict[str, Any] = {}
    for constructor in (smax.HeuristicEnemySMAX, smax.SMAX):
        taken.update(inspect.signature(constructor.__init__).parameters)
    own = (*_NOT_OPTIONS, "max_steps")
    return [name for name in taken if name not in own]


def _compiled(
    game: Any,
) -> Tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """`begin(seeds)`, `advance(states, actions)` and `merge(which, new, old)`.

    Over all copies. A copy's state is JaxMARL's and a random key; what is seen of it is
    observations, world state and available actions.
    """
    jax = importlib.import_module("jax")
    stack, where = jax.numpy.stack, jax.numpy.where
    scale = _state_scale(game)

    def see(obs: Any, inner: Any) -> Any:
        avail = game.get_avail_actions(inner)
        by_agent = stack([obs[agent] for agent in game.agents])
        masks = stack([avail[agent] for agent in game.agents])
        return by_agent, obs["world_state"] * scale, masks

    def begin(seed: Any) -> Any:
        own, key = jax.random.split(jax.random.PRNGKey(seed))
        obs, inner = game.reset(key)
        # JaxMARL's first state has weak types: the first step would compile again.
        inner = jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), inner)
        return (inner, own), see(obs, inner)

    def advance(state: Any, actions: Any) -> Any:
        inner, own = state
        own, key = jax.random.split(own)
        chosen = {agent: actions[i] for i, agent in enumerate(game.agents)}
        obs, inner, reward, done, _ = game.step_env(key, inner, chosen)
        alive = inner.state.unit_alive
        allies, enemies = alive[: game.num_allies].any(), alive[game.num_allies :].any()
        over = done["__all__"]
        ends = over, allies & ~enemies, over & allies & enemies
        return ((inner, own), see(obs, inner)), (reward[game.agents[0]], *ends)

    def merge(which: Any, new: Any, old: Any) -> Any:
        def pick(x: Any, y: Any) -> Any:
            return where(which.reshape(-1, *[1] * (x.ndim - 1)), x, y)

        return jax.tree.map(pick, new, old)

    return jax.jit(jax.vmap(begin)), jax.jit(jax.vmap(advance)), jax.jit(merge)


def _state_scale(game: Any) -> np.ndarray:
    """What brings the world state's positions and unit types to [0, 1].

    They are up to 32 and 5 there, and QMIX's hypernetworks would multiply them.
    """
    unit = np.ones(len(game.own_features), dtype=np.float32)
    for feature, size in (("x", game.map_width), ("y", game.map_height)):
        unit[game.own_features.index(f"position_{feature}")] = 1 / size
    n_units = game.num_allies + game.num_enemies
    teams = np.ones(n_units, dtype=np.float32)
    types = teams / max(1, game.unit_type_bits - 1)
    return np.concatenate([np.tile(unit, n_units), teams, types])
