"""A user's own environment, found by the name of its class."""

import importlib
import inspect
import os
import sys
import traceback

from ..errors import ConfigError, unknown
from ..utils.foreign import is_file_spec, load_class, pymarl_names


def custom(entry_point, options, seed):
    """An object with PyMARL's methods, made by `entry_point(**options, seed=seed)`.

    Args:
        entry_point: `package.module:Class`, or `path/to/file.py:Class`.
        options: for its constructor.
        seed: handed over where the constructor takes one.

    Raises:
        ConfigError: it cannot be found or made.
    """
    factory = find(entry_point)
    if takes(factory, "seed"):
        options = {**options, "seed": seed}
    try:
        return factory(**options)
    except ConfigError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigError(
            f"env_args.entry_point {entry_point!r}: making it raised "
            f"{type(error).__name__}: {error} ({os.path.basename(place.filename)}, "
            f"line {place.lineno})"
        ) from error


def find(entry_point):
    """The class or function that `entry_point` names."""
    if is_file_spec(entry_point):
        return load_class(entry_point, "environment")
    module_name, _, name = str(entry_point or "").partition(":")
    if not module_name or not name:
        raise ConfigError(
            f"env_args.entry_point is {entry_point!r}: package.module:Class or "
            "path/to/file.py:Class is needed"
        )
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # as `python -m` does, for the command `wqmix` too
    try:
        with pymarl_names():
            module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f"env_args.entry_point {entry_point!r} does not import: {error} (looked in "
            f"{os.getcwd()} and where Python's packages are)"
        ) from None
    if not hasattr(module, name):
        classes = [key for key, value in vars(module).items() if callable(value)]
        raise unknown(f"class in {module_name}", name, classes)
    return getattr(module, name)


def takes(factory, name):
    """Whether a keyword argument can be handed to `factory`."""
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return False
    kinds = [parameter.kind for parameter in parameters.values()]
    return name in parameters or inspect.Parameter.VAR_KEYWORD in kinds
