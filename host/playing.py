"""Episodes of a checkpoint: what is read of it, who acts, what comes of each episode.

Nothing is learned, so that neither a learner nor a buffer is made. A checkpoint names
no code: what would be imported for it has to be named on the command line.
"""

import os
import re
from typing import Any, Dict, NamedTuple

import torch as th

from ..config.layers import leaves
from . import envs
from .components.episode_buffer import EpisodeBatch
from .config import over_defaults, read_chosen, updated
from .controllers import REGISTRY as mac_REGISTRY
from .errors import CheckpointError, ConfigError
from .run import layout, make_args
from .runners import REGISTRY as r_REGISTRY
from .utils import random_state
from .utils.checkpoints import same_networks
from .utils.foreign import is_file_spec
from .utils.logging import Logger, get_logger
from .validation import validate_playing

# What only learning reads: a checkpoint's is not looked at.
_OF_LEARNING = ("learner", "mixer", "weighting", "batch_size", "buffer_size")
# What may be set besides env_args, where episodes may be played side by side.
RUNNERS = ("runner", "batch_size_run", "worker_timeout", "worker_restarts")
_CODE = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")  # module:Class


class Episode(NamedTuple):
    """A finished episode; its slots of `batch` are valid until the next is played."""

    number: int  # from 0
    total: float  # the return
    length: int
    is_by_time: bool  # or else by termination
    info: Dict[str, Any]  # of its last step
    batch: EpisodeBatch  # of this episode alone


def settings(facts, path, words=(), env_config=None, settable=(), seed=0, epsilon=0.0):
    """The validated configuration to play a checkpoint's episodes with.

    Args:
        facts: the manifest.
        path: of the checkpoint, for messages.
        words: `key=value`, over the checkpoint's settings of the environment.
        settable: the keys that may be set so, besides those of `env_args`.
        env_config: what `--env-config` takes, instead of the checkpoint's environment.
        seed: of everything random.
        epsilon: the probability of a random action, 0 for greedy ones.

    Raises:
        HostError: a setting that cannot be, or code that only the checkpoint names.
    """
    kept = {k: v for k, v in facts["config"].items() if k not in _OF_LEARNING}
    config = over_defaults(kept, f"in the checkpoint {path}")
    config.update(runner="episode", batch_size_run=1)
    if env_config is not None:
        config.update(_environment(env_config))
    if config["env"] not in envs.REGISTRY:
        raise ConfigError(
            f"{path} was trained on {config['env']!r}, which is not registered here: "
            "name the environment with --env-config"
        )
    config["env_args"] = {**_known_env_args(config["env"]), **config["env_args"]}
    for key in (word.partition("=")[0] for word in words):
        if key not in settable and not key.startswith("env_args."):
            known = ", ".join(("env_args.KEY", *settable))
            raise ConfigError(f"{key!r} cannot be set here; after `with` can: {known}")
    config = updated(config, words)
    if env_config is None:
        _refuse_code(config, words, path)
    config["seed"] = seed
    if not any(word.startswith("env_args.seed=") for word in words):
        config["env_args"]["seed"] = seed
    config.update(test_greedy=epsilon == 0, epsilon_anneal_time=1, use_cuda=False)
    config.update(own_test_env=False)  # nobody trains here
    config.update(epsilon_start=epsilon, epsilon_finish=epsilon)
    config.update(learner="", batch_size=1, buffer_size=config["batch_size_run"])
    validate_playing(config)
    return config


def _environment(name):
    """`env` and `env_args` of a YAML that the command line names."""
    path, found = read_chosen("--env-config", name)
    if not isinstance(found.get("env_args", {}), dict) or "env" not in found:
        raise ConfigError(f"{path}: env and env_args are needed")
    return {"env": found["env"], "env_args": found.get("env_args", {})}


def _known_env_args(name):
    has_yaml = os.path.isfile(os.path.join(envs.CONFIG_FOLDER, f"{name}.yaml"))
    return envs.default_env_args(name) if has_yaml else {}


def _refuse_code(config, words, path):
    """Raise a ConfigError for code that the command line does not name."""
    named = {word.partition("=")[0] for word in words}
    imported = {f"env_args.{key}" for key in envs.imported_keys(config)}
    for setting, value in leaves(config):
        key = ".".join(setting)
        if key not in named and (key in imported or any(map(_is_code, _texts(value)))):
            raise ConfigError(
                f"{path} names code to run, {key}={value!r}, and code is taken from "
                f"the command line only: if you trust it, add `with {key}={value}`"
            )


def _is_code(text):
    return is_file_spec(text) or _CODE.fullmatch(text) is not None


def _texts(value):
    """All texts in a value."""
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def trained_mac(args, sizes, path):
    """The controller of a checkpoint with its networks, and the layout of batches."""
    parts = layout(args, sizes)
    scheme, groups, preprocess = parts
    with same_networks(path):
        batch = EpisodeBatch(scheme, groups, 1, 1, preprocess=preprocess)
        mac = mac_REGISTRY[args.mac](batch.scheme, groups, args)
        mac.load_models(path)
    return mac, parts


class Player:
    """Plays episodes with a checkpoint's agents; to be closed, or used in a `with`.

    Args:
        config: what `settings` returned.
        path: the checkpoint's folder.
        facts: its manifest.
    """

    def __init__(self, config, path, facts):
        random_state.seed_globals(config["seed"])
        log = get_logger()
        args = make_args(config, log, run_id="play")
        self.runner = r_REGISTRY[args.runner](args=args, logger=Logger(log))
        try:
            self._load(args, path, facts)
        except BaseException:
            self.close()
            raise

    def _load(self, args, path, facts):
        sizes, trained = self.runner.get_env_info(), facts.get("sizes", {})
        try:
            self.mac, parts = trained_mac(args, sizes, path)
        except CheckpointError:
            other = [k for k in trained if k in sizes and sizes[k] != trained[k]]
            if not other:
                raise
            told = "; ".join(f"{k} is {sizes[k]}, was {trained[k]}" for k in other)
            raise CheckpointError(
                f"{path} was trained in an environment of other sizes: {told}"
            ) from None
        self.runner.setup(*parts, self.mac)

    def episodes(self, count):
        """Play `count` episodes, whole ones, and yield an `Episode` for each."""
        played = []
        self.runner.after_rollout = lambda *outcome: played.append(outcome)
        for number in range(count):
            row = number % self.runner.batch_size
            if row == 0:
                batch = self.runner.run(test_mode=True)
                returns, lengths, infos = played.pop()
            own = batch[row : row + 1]
            is_by_time = not own["terminated"].any()
            outcome = float(returns[row]), int(lengths[row]), bool(is_by_time)
            yield Episode(number, *outcome, infos[row], own)

    def utilities(self, batch):
        """What the agents think of their actions in an episode's first step [A, U]."""
        with th.no_grad():
            self.mac.init_hidden(1)
            return self.mac.forward(batch, t=0)[0]

    def close(self):
        self.runner.close_env()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
