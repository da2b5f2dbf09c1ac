"""Any multi-agent environment that is registered with gymnasium, by EPyMARL's keys."""

import difflib
from functools import partial

from ..errors import ConfigError
from .checks import whole
from .packages import build, load
from .spaces import SpacesEnv, check_reward_settings, team_reward

# Packages that register environments, and the extra that installs each.
EXTRAS = {"lbforaging": "lbf", "rware": "rware"}
_N_OFFERED = 3


class GymmaEnv(SpacesEnv):
    """`gymnasium.make(key)`, where both spaces are a Tuple, an entry for each agent.

    Action masks are taken from `info["action_mask"]`, one for each agent, or from the
    environment's own `get_avail_actions()`.

    Args:
        key: `id`, or `package:id` where the package registers it when imported.
        time_limit: steps after which an episode ends.
        pretrained_wrapper: EPyMARL's; only null here.
        common_reward, reward_scalarisation: how agents' rewards become the team's.
        options: for the environment's own constructor.
        seed: of the episodes' seeds.

    Raises:
        ConfigError: a package that is missing, an unknown id, an environment for a
            single agent, or a value that cannot be.
    """

    def __init__(
        self,
        key,
        time_limit,
        pretrained_wrapper,
        common_reward,
        reward_scalarisation,
        options,
        seed,
    ):
        check_reward_settings(common_reward, reward_scalarisation)
        if pretrained_wrapper is not None:
            raise ConfigError(
                f"env_args.pretrained_wrapper is {pretrained_wrapper!r}: it is "
                "EPyMARL's own; null is needed here"
            )
        self._scalarisation = reward_scalarisation
        self._env = _make(key, options)
        unwrapped = self._env.unwrapped
        self._own_masks = getattr(unwrapped, "get_avail_actions", None)
        obs_spaces, action_spaces = _of_agents(key, self._env)
        limit = whole("time_limit", time_limit, 1)
        super().__init__(obs_spaces, action_spaces, limit, seed)

    def _begin(self, seed):
        observations, info = self._env.reset(seed=seed)
        return observations, self._masks(info)

    def _play(self, actions):
        observations, rewards, ended, truncated, info = self._env.step(actions)
        if hasattr(rewards, "__len__"):
            rewards = team_reward(rewards, self._scalarisation)
        ended, truncated = _all(ended), _all(truncated)
        return observations, self._masks(info), rewards, ended, truncated, info

    def _masks(self, info):
        if "action_mask" in info:
            return info["action_mask"]
        return None if self._own_masks is None else self._own_masks()

    def render(self):
        return self._env.render()

    def close(self):
        self._env.close()


def _make(key, options):
    gymnasium = load("gymnasium", "gymma", "gymma")
    if not isinstance(key, str) or not key:
        raise ConfigError(
            f"env_args.key is {key!r}: a gymnasium id is needed, such as "
            "lbforaging:Foraging-8x8-2p-3f-v3"
        )
    package, colon, name = key.rpartition(":")
    if colon:
        load(package, "gymma", EXTRAS.get(package), EXTRAS)
    if name not in gymnasium.registry:
        hint = "" if colon else "; write package:id for a package's own"
        reason = _not_registered(gymnasium, name)
        raise ConfigError(f"env_args.key {key!r}: {reason}{hint}")
    # Its checker knows only environments for one agent.
    make = partial(gymnasium.make, name, disable_env_checker=True)
    return build(make, options)


def _not_registered(gymnasium, name):
    near = difflib.get_close_matches(name, gymnasium.registry, n=_N_OFFERED)
    offer = f"the nearest are {', '.join(near)}" if near else "none has a name like it"
    return f"gymnasium knows no id {name!r}; {offer}"


def _of_agents(key, env):
    """Observation and action spaces, one for each agent."""
    both = env.observation_space, env.action_space
    for space in both:
        if not hasattr(space, "spaces") or isinstance(space.spaces, dict):
            raise ConfigError(
                f"env_args.key {key!r} is for one agent: its space is a "
                f"{type(space).__name__}, not a Tuple with a space for each agent"
            )
    return both


def _all(flags):
    return all(flags) if hasattr(flags, "__len__") else bool(flags)
