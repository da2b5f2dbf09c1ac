"""`yaml.load(stream)`, an error since PyYAML 6."""

from __future__ import annotations

import inspect
from typing import Any

import yaml


def yaml_has_default_loader() -> bool:
    """Whether `yaml.load(stream)` works, as before PyYAML 6."""
    loader = inspect.signature(yaml.load).parameters["Loader"]
    return loader.default is not inspect.Parameter.empty


def give_yaml_a_default_loader() -> None:
    """Let `yaml.load(stream)` read with the safe loader."""
    load = yaml.load

    def load_safely(stream: Any, Loader: Any = yaml.SafeLoader) -> Any:
        return load(stream, Loader)

    yaml.load = load_safely
