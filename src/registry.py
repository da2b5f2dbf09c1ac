"""Classes by the name that a setting selects."""

from __future__ import annotations

from typing import Callable, Dict

from .errors import ConfigError


class Registry(Dict[str, type]):
    """Name → class, for one setting. To add one::

        from wqmix.modules.mixers import CENTRAL_MIXERS

        @CENTRAL_MIXERS.register("mine")
        class Mine(torch.nn.Module):
            ...  # its docstring's first line is what `wqmix list` says

    Args:
        setting: the key whose values they are.
    """

    def __init__(self, setting: str) -> None:
        super().__init__()
        self._setting = setting

    def register(self, name: str) -> Callable[[type], type]:
        """Decorate a class to make `<setting>: name` select it.

        Raises:
            ConfigError: the name is taken.
        """

        def add(found: type) -> type:
            if name in self:
                raise ConfigError(f"{self._setting} {name!r} is registered already")
            self[name] = found
            return found

        return add


CENTRAL_MIXERS = Registry("central_mixer")
CENTRAL_AGENTS = Registry("central_agent")
OMEGAS = Registry("omega")
