"""A user's own environment, found by the name of its class."""

from __future__ import annotations

import importlib
import os
from typing import Any, Callable, Dict, Optional

from ..errors import ConfigError, raised, unknown
from ..utils.foreign import (
    does_not_import,
    is_file_spec,
    load_class,
    load_file,
    look_here,
    pymarl_names,
)
from .contract import METHODS
from .outcomes import takes


def custom(entry_point: str, options: Dict[str, Any], seed: Optional[int]) -> Any:
    """An object with PyMARL's methods, made by `entry_point(**options, seed=seed)`.

    Args:
        entry_point: `package.module:Class`, or `path/to/file.py:Class`; without
            `:Class`, where the file has one environment.
        options: for its constructor.
        seed: handed over where the constructor takes one.

    Raises:
        ConfigError: it cannot be found or made, or what it makes is no environment.
    """
    factory = find(entry_point)
    if takes(factory, "seed"):
        options = {**options, "seed": seed}
    named = f"env_args.entry_point {entry_point!r}"
    try:
        env = factory(**options)
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{named}: making it raised {raised(error)}") from error
    if not any(hasattr(env, method) for method in METHODS):
        raise ConfigError(f"{named} makes a {type(env).__name__}, no environment")
    return env


def find(entry_point: Any) -> Callable[..., Any]:
    """The class or function that `entry_point` names."""
    if is_file_spec(entry_point):
        return load_class(entry_point, "environment")
    if str(entry_point).endswith(".py"):
        return only_class(entry_point)
    module_name, _, name = str(entry_point or "").partition(":")
    if not module_name or not name or module_name.startswith("."):
        raise ConfigError(
            f"env_args.entry_point is {entry_point!r}: package.module:Class or "
            "path/to/file.py:Class is needed"
        )
    look_here()
    try:
        with pymarl_names():
            module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f"env_args.entry_point {entry_point!r} does not import: {error} (looked in "
            f"{os.getcwd()} and where Python's packages are)"
        ) from None
    except (Exception, SystemExit) as error:
        raise does_not_import(f"env_args.entry_point {entry_point!r}", error) from error
    if not hasattr(module, name):
        classes = [key for key, value in vars(module).items() if callable(value)]
        raise unknown(f"class in {module_name}", name, classes)
    return getattr(module, name)


def only_class(path: str) -> type:
    """The environment's class in a file that has one.

    Raises:
        ConfigError: the file cannot be loaded, or has none or several.
    """
    module = load_file(path, "environment")
    found = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
        if all(hasattr(value, method) for method in METHODS)
    }
    if len(found) != 1:
        names = ", ".join(found) or f"none with {', '.join(METHODS)}"
        raise ConfigError(
            f"{path}: which class is the environment? Write {path}:ClassName; "
            f"in it: {names}"
        )
    return next(iter(found.values()))
