"""From a command line to one configuration.

`default.yaml < --env-config < --config < key=value`, merged recursively. Every value
is held against the type of the value that it replaces.
"""

import numbers
import os
from pathlib import Path
from types import SimpleNamespace

from ..config import reading
from .errors import ConfigError, nearest, unknown

CONFIG_DIR = Path(__file__).resolve().parent.parent / "config"
USAGE = """\
usage: python -m wqmix.host --config=<name> --env-config=<name> [with key=value ...]

  python -m wqmix.host --config=qmix --env-config=matrix_game
  python -m wqmix.host --config=vdn --env-config=predator_prey with t_max=200000 seed=1
  python -m wqmix.host --config=my/alg.yaml --env-config=my/env.yaml with \\
      runner=parallel batch_size_run=8 env_args.n_prey=4

A config is a name in the package's `config` folder or the path of a YAML file.
Keys and their meaning: config/default.yaml, config/algs/, config/envs/."""
_WORDS = {"true": True, "false": False, "null": None, "none": None}


def parse_command_line(argv):
    """Split `argv` (without the program's name) into configs and key=value pairs.

    Returns:
        A namespace of `config`, `env_config` (names or paths) and `updates` (dotted
        key -> value).
    """
    options = {"--config": None, "--env-config": None}
    words = list(argv)
    updates = []
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
    for option, value in options.items():
        if not value:
            raise ConfigError(f"{option}=<name> is missing; {_offer(option)}")
    return SimpleNamespace(
        config=options["--config"],
        env_config=options["--env-config"],
        updates=dict(_parse_update(update) for update in updates),
    )


def _parse_update(text):
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ConfigError(f"{text!r} after `with` is not of the form key=value")
    if not reading.is_text(text):
        raise ConfigError(f"{text!r} after `with` is no text that a file can hold")
    if value.lower() in _WORDS:
        return key, _WORDS[value.lower()]
    return key, reading.literal(value)


def _folder(option):
    return CONFIG_DIR / ("algs" if option == "--config" else "envs")


def _names(option):
    return sorted(path.stem for path in _folder(option).glob("*.yaml"))


def _offer(option):
    return f"accepted: {', '.join(_names(option))}, or the path of a YAML file"


def find_config(option, name):
    """The YAML file that `name` means: ours, or any path with or without ".yaml"."""
    if name in _names(option):  # and so no path that leads out of the folder
        return _folder(option) / f"{name}.yaml"
    for path in (Path(f"{name}.yaml"), Path(name)):
        if os.path.isfile(path):
            return path
    near = nearest(name, _names(option))
    raise ConfigError(f"unknown {option} {name!r}{near}; {_offer(option)}")


def read_yaml(path):
    """A YAML file's mapping, read as data only."""
    try:
        return reading.read_yaml(path)
    except reading.ReadingError as error:
        raise ConfigError(f"cannot read {path}: {error}") from None


def flatten(config, prefix=""):
    """Dotted key -> value, for every value that is not a mapping with keys."""
    flat = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def nest(dotted_key, value):
    """("a.b", 1) -> {"a": {"b": 1}}."""
    for part in reversed(dotted_key.split(".")):
        value = {part: value}
    return value


def load_config(command):
    """The merged configuration of a parsed command line.

    Raises:
        ConfigError: an unknown file or key, or a value of the wrong type.
    """
    files = (("--env-config", command.env_config), ("--config", command.config))
    return _merged(files, command.updates)


def load_env_config(name, words):
    """The configuration that an environment's file and `key=value` words come to.

    Raises:
        ConfigError: as `load_config`.
    """
    return _merged((("--env-config", name),), dict(map(_parse_update, words)))


def over_defaults(settings, source):
    """Settings of another source than a YAML, over those of default.yaml."""
    default = read_yaml(CONFIG_DIR / "default.yaml")
    return _overlay(default, settings, source, default)


def updated(config, words):
    """A configuration with the `key=value` words of a command line over it."""
    default = read_yaml(CONFIG_DIR / "default.yaml")
    return _updated(config, dict(map(_parse_update, words)), default)


def _merged(files, updates):
    default = read_yaml(CONFIG_DIR / "default.yaml")
    config = default
    for option, name in files:
        path = find_config(option, name)
        config = _overlay(config, read_yaml(path), f"in {path.name}", default)
    return _updated(config, updates, default)


def _updated(config, updates, default):
    for key, value in updates.items():
        check_known(key, config)
        config = _overlay(config, nest(key, value), "on the command line", default)
    return config


def check_known(dotted_key, config):
    """Refuse a key that `config` does not have."""
    known, prefix = config, ""
    for part in dotted_key.split("."):
        if known == {}:
            return  # an empty mapping, such as env_args.options, takes any key
        if not isinstance(known, dict) or part not in known:
            names = [name for name in flatten(config) if name.startswith(prefix)]
            raise unknown("key", dotted_key, names)
        known, prefix = known[part], f"{prefix}{part}."


def _overlay(config, update, source, default, prefix=""):
    """`config` overlaid with `update`, recursively; neither is changed."""
    merged = dict(config)
    for key, value in update.items():
        name, below = f"{prefix}{key}", merged.get(key)
        if isinstance(value, dict) and (below is None or isinstance(below, dict)):
            value = _overlay(below or {}, value, source, default, f"{name}.")
        elif below is not None:
            nullable = default.get(name) is None
            value = _check_type(name, value, below, source, nullable)
        merged[key] = value
    return merged


def _check_type(name, value, reference, source, nullable):
    """`value` in the type of `reference`, or a ConfigError."""
    if value is None and nullable:
        return value
    error = f"{name} {source} is {value!r}: {{}} is needed"
    if isinstance(reference, numbers.Real) and not isinstance(reference, bool):
        number = _to_number(value)
        if number is None:
            raise ConfigError(error.format("a number"))
        is_whole = isinstance(number, float) and number.is_integer()
        return int(number) if is_whole and isinstance(reference, int) else number
    wanted = {bool: "True or False", str: "text", list: "a list", dict: "a mapping"}
    for kind, description in wanted.items():
        if isinstance(reference, kind) and not isinstance(value, kind):
            raise ConfigError(error.format(description))
    return value


def _to_number(value):
    """A number, also one spelt as text ("1e6", which YAML takes for text), or None."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return value if is_number else None
