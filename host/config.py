"""From a command line to one configuration.

`default.yaml < --env-config < --config < key=value`, merged recursively. Every value
is held against the type of the value that it replaces, every key of a user's against
those that the shipped files list.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ..config import reading
from ..config.layers import (
    Keys,
    Layers,
    UnknownKey,
    WrongType,
    beside,
    inherited,
    leaves,
    parents,
    put_if_typed,
    same_kind,
)
from ..config.names import nearest
from .errors import ConfigError, unknown
from .utils.foreign import is_file_spec
from .utils.logging import get_logger

Pair = Tuple[Keys, Any]  # a setting's path, and its value

CONFIG_DIR = Path(__file__).resolve().parent.parent / "config"
USAGE = """\
usage: python -m wqmix.host --config=<name> --env-config=<name> [with key=value ...]

  python -m wqmix.host --config=qmix --env-config=matrix_game
  python -m wqmix.host --config=vdn --env-config=predator_prey with t_max=200000 seed=1
  python -m wqmix.host --config=my/alg.yaml --env-config=my/env.yaml with \\
      runner=parallel batch_size_run=8 env_args.n_prey=4

A config is a name in the package's `config` folder or the path of a YAML file.
Keys and their meaning: config/default.yaml, config/algs/, config/envs/."""


def parse_command_line(argv: Sequence[str]) -> SimpleNamespace:
    """Split `argv` (without the program's name) into configs and key=value pairs.

    Returns:
        A namespace of `config`, `env_config` (names or paths) and `updates`, pairs of
        a setting's path, ("env_args", "game") for example, and its value.
    """
    options: Dict[str, Optional[str]] = {"--config": None, "--env-config": None}
    words = list(argv)
    updates: List[str] = []
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word == "with":
            updates, words = words, []
        elif name not in options:
            hint = "; key=value pairs come after the word `with`" if equals else ""
            error = unknown("argument", word, list(options) + ["with", "--help"])
            raise ConfigError(f"{error}{hint}")
        else:
            options[name] = value if equals else (words.pop(0) if words else "")
    for option, chosen in options.items():
        if not chosen:
            raise ConfigError(f"{option}=<name> is missing; {_offer(option)}")
    return SimpleNamespace(
        config=options["--config"],
        env_config=options["--env-config"],
        updates=_read_words(updates),
    )


def _read_words(words: Sequence[str]) -> List[Pair]:
    try:
        reading.check_spaces(words)
        return [reading.read_word(word) for word in words]
    except reading.ReadingError as error:
        raise ConfigError(str(error)) from None


def _folder(option: str) -> Path:
    return CONFIG_DIR / ("algs" if option == "--config" else "envs")


def _names(option: str) -> List[str]:
    return sorted(path.stem for path in _folder(option).glob("*.yaml"))


def _offer(option: str) -> str:
    return f"accepted: {', '.join(_names(option))}, or the path of a YAML file"


def find_config(option: str, name: str) -> Path:
    """The YAML file that `name` means: ours, or any path with or without ".yaml"."""
    if name in _names(option):  # and so no path that leads out of the folder
        return _folder(option) / f"{name}.yaml"
    for path in (Path(reading.in_home(f"{name}.yaml")), Path(reading.in_home(name))):
        if os.path.isfile(path):
            return path
    near = nearest(name, _names(option))
    raise ConfigError(
        f"unknown {option} {reading.quoted(name)}{near}; {_offer(option)}"
    )


def read_chosen(option: str, name: str) -> Tuple[Path, Dict[str, Any]]:
    """The file that `name` means, and its settings over those of all it inherits.

    An environment may be named by its code, as `custom` takes it.
    """
    is_code = option == "--env-config" and reading.names_code(name)
    path = find_config(option, "custom" if is_code else name)
    values = read_config(option, path)
    if is_code:
        values["env_args"]["entry_point"] = name
    return path, values


def read_yaml(path: Path) -> Dict[str, Any]:
    """A YAML file's mapping, read as data only."""
    try:
        return reading.read_yaml(path)
    except reading.ReadingError as error:
        raise ConfigError(f"cannot read {path}: {error}") from None


def read_config(option: str, path: Path) -> Dict[str, Any]:
    """A config's settings over those of all that it inherits."""

    def parent(name: str, heir: Path) -> Path:
        files = [_folder(option) / f"{name}.yaml"] if name in _names(option) else []
        files += beside(name, heir)
        if not files:
            raise ConfigError(
                f"{heir.name} inherits {name!r}: neither a file beside it nor one of "
                f"{', '.join(_names(option))}{nearest(name, _names(option))}"
            )
        return files[0]

    try:
        return inherited(path, read_yaml, parent)
    except reading.ReadingError as error:
        raise ConfigError(str(error)) from None


def load_config(command: SimpleNamespace) -> Dict[str, Any]:
    """The merged configuration of a parsed command line.

    Raises:
        ConfigError: an unknown file or key, or a value of the wrong type.
    """
    files = (("--env-config", command.env_config), ("--config", command.config))
    return _merged(files, command.updates)


def load_env_config(name: str, words: Sequence[str]) -> Dict[str, Any]:
    """The configuration that an environment's file and `key=value` words come to.

    Raises:
        ConfigError: as `load_config`.
    """
    return _merged((("--env-config", name),), _read_words(words))


def over_defaults(settings: Mapping[str, Any], source: str) -> Dict[str, Any]:
    """Settings of another source than a YAML, over those of default.yaml."""
    layers = Layers(read_yaml(CONFIG_DIR / "default.yaml"))
    _lay(layers, settings, source)
    return layers.values


def updated(config: Dict[str, Any], words: Sequence[str]) -> Dict[str, Any]:
    """A configuration with the `key=value` words of a command line over it."""
    layers = Layers(read_yaml(CONFIG_DIR / "default.yaml"))
    known = _shipped_env_args(config["env"]) or config["env_args"]
    layers.lay({"env_args": known}, is_typed=False)
    for setting, value in leaves(config):
        put_if_typed(layers, setting, value)
    return _updated(layers, _read_words(words))


def _merged(
    files: Iterable[Tuple[str, str]], updates: Sequence[Pair]
) -> Dict[str, Any]:
    default = read_yaml(CONFIG_DIR / "default.yaml")
    layers, own = Layers(default), []
    for option, name in files:
        path, values = read_chosen(option, name)
        if option == "--env-config":
            env_args = {"env_args": _shipped_env_args(values.get("env"))}
            layers.lay(env_args, is_typed=False)
        if path.resolve().parent != _folder(option):
            own.append((path, values))
        _lay(layers, values, f"in {path.name}")
    if own:
        _check_own(own, layers.values, default)
    return _updated(layers, updates)


def _updated(layers: Layers, updates: Sequence[Pair]) -> Dict[str, Any]:
    for setting, _ in updates:
        _check_known(layers, setting)
    for setting, value in updates:
        _put(layers, setting, value, "on the command line")
    return layers.values


def _shipped_env_args(env: Any) -> Dict[str, Any]:
    """What this package's file for an environment lists; {}, any, of other ones."""
    names = _names("--env-config")
    path = _folder("--env-config") / f"{env}.yaml"
    return read_yaml(path)["env_args"] if env in names else {}


def _lay(layers: Layers, values: Mapping[str, Any], source: str) -> None:
    for setting, value in leaves(values):
        _put(layers, setting, value, source)


def _put(layers: Layers, setting: Keys, value: Any, source: str) -> None:
    try:
        layers.put(setting, value)
    except WrongType as error:
        given = f"{error.name} {source} is {reading.quoted(error.value)}"
        raise ConfigError(f"{given}: {error.needed} is needed") from None


def _check_known(layers: Layers, setting: Keys) -> None:
    try:
        layers.check_known(setting)
    except UnknownKey as error:
        raise unknown("key", error.name, error.accepted) from None


def _check_own(
    own: Sequence[Tuple[Path, Mapping[str, Any]]],
    config: Dict[str, Any],
    default: Mapping[str, Any],
) -> None:
    """Hold a user's files against the shipped ones of the same kind of algorithm.

    With a learner that the user brings, what it does not know here is its own.
    """
    found = map(read_yaml, map(partial(find_config, "--config"), _names("--config")))
    shipped = [each for each in found if not parents(each)]
    same = same_kind(config, shipped)
    known = Layers(default, *(same or shipped))
    known.lay({"env_args": _shipped_env_args(config["env"])}, is_typed=False)
    for path, values in own:
        for setting, _ in leaves(values):
            _check_own_key(known, setting, path, bool(same), config["learner"])
    absent = {key for each in same for key in each if key not in config}
    lacking = [key for key in absent if all(key in each for each in same)]
    if lacking:
        raise ConfigError(
            f"{own[-1][0]}: without {', '.join(sorted(lacking))}: begin it with "
            f"`inherit: {same[0]['name']}`, or add them"
        )


def _check_own_key(
    known: Layers, setting: Keys, path: Path, is_ours: bool, learner: str
) -> None:
    try:
        known.check_known(setting)
    except UnknownKey as error:
        if is_ours:
            raise ConfigError(f"{path}: {error}") from None
        if is_file_spec(learner):
            log = get_logger()
            log.warning("%s: %s is left to %s%s", path, error.name, learner, error.hint)
