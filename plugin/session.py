"""Weighted QMIX from Python, on the embedded host: `wqmix.get_runner`."""

from __future__ import annotations

import importlib
import math
import numbers
import os
import random
import shutil
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
)

from ..config.layers import leaves
from ..config.names import nearest
from ..config.reading import ReadingError, in_home, plain
from ..errors import CheckpointError, ConfigError, WQMixError
from . import command_line, registration
from .command_line import Update
from .configs import ConfigFiles, read_yaml, temporary_folder
from .hosts.embedded import EMBEDDED_ROOT, Embedded
from .tables import Table

Stats = Dict[str, List[Tuple[int, float]]]
# The key of an environment's settings that names which game it is.
ID_KEYS = ("key", "map_name", "game", "entry_point")
TEST = "test_"


class Runner:
    """One experiment on the embedded host, in this process and without sacred.

    Use it in a `with` block, or call `finish` in the end; after that its methods raise
    a `WQMixError`. Its random numbers are its own: what else draws some, other runners
    among them, neither changes them nor is changed by them.

    Attributes:
        args: all settings, as the host and the learner read them.
        learner: the host's baseline or `WQMixLearner`, with its networks.
        buffer: the replay buffer.
        stats: logged values by key, as (t_env, value) pairs.
        best_path: the checkpoint that `benchmark` kept; None before.
    """

    def __init__(self, command: Any) -> None:
        host = _host_modules()
        self._run, self._checkpoints = host["run"], host["utils.checkpoints"]
        self._random, self._own_random = host["utils.random_state"], None
        self._is_finished = False
        with self._at_work("get_runner"):
            config = host["validation"].validate(host["config"].load_config(command))
            seed_everything(config["seed"])
            self._build(host, config)

    def _build(self, host: Dict[str, Any], config: Dict[str, Any]) -> None:
        self._log = host["utils.logging"].get_logger()
        self.args = self._run.make_args(config, self._log, run_id="python")
        self._new_logger = host["utils.logging"].Logger
        self._logger = self._new_logger(self._log)
        self.stats: Stats = self._logger.stats
        self.best_path: Optional[str] = None
        self._best = -math.inf
        self._temporary: Optional[str] = None
        for each in self._run.curves_asked_for(self.args, config):
            self._logger.also_to(each)
        make_runner = host["runners"].REGISTRY[self.args.runner]
        self._episodes = make_runner(args=self.args, logger=self._logger)
        parts = self._run.build(self.args, self._logger, self._episodes)
        self.buffer, self.learner = parts
        parts = (self.args, self._logger, self._episodes)
        if self.args.checkpoint_path:
            self._run.load_checkpoint(*parts, self.learner)
        self._training = self._run.Training(*parts, self.buffer, self.learner)

    @contextmanager
    def _at_work(self, method: str) -> Iterator[None]:
        """In the `with` block the global generators are in this runner's state."""
        if self._is_finished:
            raise WQMixError(f"{method}() after finish(): make another runner")
        theirs = self._random.state_dict()
        if self._own_random is not None:
            self._random.load_state_dict(self._own_random)
        try:
            yield
        except SystemExit as ended:  # what the learner makes of an error of ours
            error = ended.__context__
            raise (error if isinstance(error, WQMixError) else ended) from None
        finally:
            self._own_random = self._random.state_dict()
            self._random.load_state_dict(theirs)

    # Training -------------------------------------------------------------------------

    def run(self) -> Stats:
        """Train until `t_max`, testing as the schedule says.

        Returns:
            `stats`.
        """
        with self._at_work("run"):
            self._training.run()
        return self.stats

    def benchmark(self, path: Optional[str] = None) -> Table:
        """Train as `run`; then the networks are those of the best test.

        Args:
            path: a folder to keep that checkpoint in; else it goes with `finish`.

        Returns:
            A row for each test.

        Raises:
            WQMixError: training is over, and none of its tests was kept.
        """
        with self._at_work("benchmark"):
            if path is None:
                self._temporary = self._temporary or str(temporary_folder())
            self._keep_best(in_home(os.fspath(path or self._temporary)))
        return Table.of_stats(self.stats, TEST)

    def _keep_best(self, path: str) -> None:
        if self.best_path is None and self._episodes.t_env > self.args.t_max:
            raise WQMixError(
                "benchmark(): there are no more tests to choose from, t_max="
                f"{self.args.t_max} is reached; call it instead of run()"
            )

        def keep_if_best() -> None:
            tested = self.stats[f"{TEST}return_mean"][-1][1]
            if tested > self._best:
                self._best, self.best_path = tested, self._save(path, keep=1)

        self._training.after_test = keep_if_best
        try:
            self._training.run()
        finally:
            self._training.after_test = None
        if self.best_path is not None:
            self.learner.load_models(self.best_path)

    def evaluate(self, episodes: Optional[int] = None) -> Dict[str, float]:
        """Play test episodes; nothing is learned from them.

        Args:
            episodes: how many; otherwise `test_nepisode`.

        Returns:
            Means over the episodes, `return_mean` among them, and `return_std`.
        """
        logger = self._new_logger(self._log)
        if episodes is not None:
            self._rollouts(episodes)  # refuses what is no number of episodes
        with self._at_work("evaluate"), self._episodes.aside(logger, episodes):
            self._episodes.test()
        return {k[len(TEST) :]: pairs[-1][1] for k, pairs in logger.stats.items()}

    def play(self, episodes: int, train: bool = True) -> int:
        """Play episodes, and store and learn from them if asked to.

        Args:
            episodes: how many, rounded up to a multiple of `batch_size_run`.

        Returns:
            The environment steps made.
        """
        before = self._episodes.t_env
        rollouts = self._rollouts(episodes)
        with self._at_work("play"):
            for _ in range(rollouts):
                self._play_once(train)
        return self._episodes.t_env - before

    def _play_once(self, train: bool) -> None:
        batch = self._episodes.run(test_mode=False)
        if train:
            self.buffer.insert_episode_batch(batch)
            parts = (self.buffer, self.learner, self._episodes, self.episodes)
            self._run.update(self.args, *parts)
        self._training.episode += self.args.batch_size_run

    def rollout(self, test_mode: bool = True) -> Any:
        """Play `batch_size_run` episodes; return the host's EpisodeBatch of them."""
        aside = self._episodes.aside(self._new_logger(self._log))
        with self._at_work("rollout"), aside if test_mode else nullcontext():
            return self._episodes.run(test_mode=test_mode)

    def _rollouts(self, episodes: int) -> int:
        """Return how many rollouts have at least so many episodes."""
        is_whole = isinstance(episodes, numbers.Integral) and episodes is not True
        if not is_whole or episodes < 1:
            needed = "a whole number >= 1 is needed"
            raise ConfigError(f"episodes is {episodes!r}: {needed}")
        return math.ceil(episodes / self.args.batch_size_run)

    @property
    def episodes(self) -> int:
        """Episodes of training so far."""
        return self._training.episode

    def table(self) -> Table:
        """Return all of `stats`, a row for each step at which something was logged."""
        return Table.of_stats(self.stats)

    # Checkpoints ----------------------------------------------------------------------

    def save(self, path: Union[str, os.PathLike]) -> str:
        """Write a checkpoint, as training does: into `path/<steps so far>/`.

        The command line can go on from it (`resume=True checkpoint_path=path`), test it
        (`evaluate=True`), and draw it (`wqmix replay path`).

        Returns:
            Its folder.

        Raises:
            CheckpointError: it cannot be written.
        """
        with self._at_work("save"):
            return self._save(in_home(os.fspath(path)), keep=0)

    def _save(self, path: str, keep: int) -> str:
        saves_buffer = self.args.save_buffer
        folder = self._checkpoints.RunFolder(path, keep, saves_buffer, self._log)
        target = os.path.join(path, str(self._episodes.t_env))
        try:
            self._training.save_into(folder)
        except OSError as error:
            raise CheckpointError(f"{path}: {error.strerror}") from None
        if not os.path.isdir(target):
            raise CheckpointError(f"{target}: nothing could be written there")
        return target

    def load(self, path: Union[str, os.PathLike]) -> None:
        """Load networks, optimiser and step count from what `save` or training wrote.

        Args:
            path: a checkpoint, or the folder of a run, of which the last one is taken.

        Raises:
            CheckpointError: it is missing, damaged, or of other networks; or the
                host's own error that says so.
        """
        with self._at_work("load"):
            self._load(in_home(os.fspath(path)))

    def _load(self, path: str) -> None:
        if not os.path.basename(os.path.abspath(path)).isdigit():
            step = self._checkpoints.nearest_step(path, 0)
            path = os.path.join(path, str(step))
        facts = self._checkpoints.verify(path) or {}
        self.learner.load_models(path)
        if "t_env" in facts:
            self._episodes.t_env = facts["t_env"]

    # The end --------------------------------------------------------------------------

    def finish(self) -> None:
        """Close the environments; remove what `benchmark` kept for itself."""
        if self._is_finished:
            return
        self._is_finished = True
        self._episodes.close_env()
        self._logger.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.finish()


def get_runner(
    method: Union[str, os.PathLike],
    env: Union[str, os.PathLike, Callable[..., Any]],
    env_id: Optional[str] = None,
    config_path: Optional[str] = None,
    seed: Optional[int] = None,
    recipe: Optional[str] = None,
    **settings: Any,
) -> Runner:
    """Build an experiment on the embedded host, as the command line would.

    Args:
        method: what `--config` takes: a name (`cw_qmix`, `qmix`, ...) or a YAML's path.
        env: what `--env-config` takes; or the name of a registered environment
            (`wqmix.host.register_env`); or a class or function that makes one.
        env_id: which of its games, such as gymma's `key` or SMAX's `map_name`.
        config_path: a YAML of settings that go over those of `method` and `env`.
        seed: for everything random; None draws one.
        recipe: named settings (docs/recipes.md), under those of `config_path`.
        settings: what follows `with`; `env_args` as a dict of its keys.

    Raises:
        ConfigError: a mistake in our settings; the host's own error for one in its.
    """
    method, env = (
        os.fspath(value) if isinstance(value, os.PathLike) else value
        for value in (method, env)
    )
    if not isinstance(method, str):
        raise ConfigError(f"method is {method!r}: a name or a YAML's path is needed")
    host = Embedded()
    keys = registration.learner_keys(EMBEDDED_ROOT)
    files = ConfigFiles(host, EMBEDDED_ROOT, keys)
    if callable(env) or _is_registered_only(env, files):
        env = _written(files, env)
    options = [f"--config={method}", f"--env-config={env}"]
    updates = _own_settings(files, options, config_path) + _updates(settings)
    if env_id is not None:
        updates.append(Update(("env_args", _id_key(files, env)), env_id))
    updates += [] if seed is None else [Update(("seed",), seed)]
    registration.register_on_import(host, keys)
    return Runner(_command(command_line.settle(files, options, updates, recipe)))


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and PyTorch's generators, as the host's main does."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _updates(settings: Mapping[str, Any]) -> List[Update]:
    """Return nested settings from Python, arrays as lists.

    Raises:
        ConfigError: a value that no settings file can hold.
    """
    try:
        values = {key: plain(value, key) for key, value in settings.items()}
    except ReadingError as error:
        raise ConfigError(str(error)) from None
    return [Update(path, value) for path, value in leaves(values)]


def _own_settings(
    files: ConfigFiles, options: List[str], path: Optional[str]
) -> List[Update]:
    """Read a file of settings; refuse a key that nothing knows, naming the file."""
    if path is None:
        return []
    config = importlib.import_module("wqmix.host.config")
    errors = importlib.import_module("wqmix.host.errors")
    updates = _updates(read_yaml(Path(in_home(os.fspath(path)))))
    known = _command(command_line.settle(files, options, []))
    known.updates = [(update.path, update.value) for update in updates]
    try:
        config.load_config(known)
    except errors.HostError as error:
        raise ConfigError(f"{path}: {error}") from None
    return updates


def _command(line: command_line.CommandLine) -> Any:
    """Return what the host's own reader makes of a command line."""
    config = importlib.import_module("wqmix.host.config")
    command = config.parse_command_line(line.options)
    command.updates = line.updates
    return command


def _is_registered_only(env: Any, files: ConfigFiles) -> bool:
    """Whether an environment has a name in the host's registry and no YAML.

    Raises:
        ConfigError: it is neither such a name nor one that `--env-config` takes.
    """
    if not isinstance(env, str):
        kind = type(env).__name__
        raise ConfigError(f"env is of type {kind}: hand over the class or its name")
    registry = importlib.import_module("wqmix.host.envs").REGISTRY
    registered = sorted(set(registry).difference(files.names("envs")))
    try:
        files.locate("envs", env)
    except ConfigError as error:
        if env not in registered and registered:
            near = nearest(env, registered)
            offer = f"; registered are {', '.join(registered)}{near}"
            raise ConfigError(f"{error}{offer}") from None
    return env in registered


def _written(files: ConfigFiles, env: Any) -> str:
    """Write a YAML for an environment that has none; return its path."""
    name = env
    if callable(env):
        name = f"{env.__module__}.{env.__qualname__}"
        # Not refused if there already: in a notebook a class is defined many times.
        importlib.import_module("wqmix.host.envs").REGISTRY[name] = env
    return files.write({"env": name, "env_args": {}}, "own_env")


def _id_key(files: ConfigFiles, env: str) -> str:
    """Return the key of `env_args` that says which game is played."""
    known = files.read(files.locate("envs", env)).get("env_args") or {}
    for key in ID_KEYS:
        if key in known:
            return key
    raise ConfigError(f"env_id: {env} is one game; its settings go into env_args")


def _host_modules() -> Dict[str, Any]:
    names = "config validation run runners".split()
    names += "utils.logging utils.checkpoints utils.random_state".split()
    return {name: importlib.import_module(f"wqmix.host.{name}") for name in names}
