"""`wqmix.get_runner`: from a method, an environment and settings to a runner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Union

from ..config.layers import leaves
from ..config.names import nearest
from ..config.reading import ReadingError, in_home, plain
from ..errors import ConfigError
from ..host.config import load_config, parse_command_line
from ..host.envs import REGISTRY
from ..host.errors import HostError
from ..plugin import command_line, registration
from ..plugin.command_line import Update
from ..plugin.configs import ConfigFiles, read_yaml
from ..plugin.hosts.embedded import EMBEDDED_ROOT, Embedded
from .runner import Runner

# The key of an environment's settings that names which game it is.
ID_KEYS = ("key", "map_name", "game", "entry_point")


def get_runner(
    method: Union[str, os.PathLike[str]],
    env: Union[str, os.PathLike[str], Callable[..., Any]],
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
    method = os.fspath(method) if isinstance(method, os.PathLike) else method
    env = os.fspath(env) if isinstance(env, os.PathLike) else env
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
    updates = _updates(read_yaml(Path(in_home(os.fspath(path)))))
    known = _command(command_line.settle(files, options, []))
    known.updates = [(update.path, update.value) for update in updates]
    try:
        load_config(known)
    except HostError as error:
        raise ConfigError(f"{path}: {error}") from None
    return updates


def _command(line: command_line.CommandLine) -> Any:
    """Return what the host's own reader makes of a command line."""
    command = parse_command_line(line.options)
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
    registered = sorted(set(REGISTRY).difference(files.names("envs")))
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
        REGISTRY[name] = env
    return files.write({"env": name, "env_args": {}}, "own_env")


def _id_key(files: ConfigFiles, env: str) -> str:
    """Return the key of `env_args` that says which game is played."""
    known = files.read(files.locate("envs", env)).get("env_args") or {}
    for key in ID_KEYS:
        if key in known:
            return key
    raise ConfigError(f"env_id: {env} is one game; its settings go into env_args")
