"""Acting on the CPU while a GPU learns: a game's few agents leave a GPU waiting."""

from __future__ import annotations

import copy
from typing import Any


def acting_copy(mac: Any) -> Any:
    """A copy of a controller on the CPU, which follows it before each rollout.

    To be made before the controller is moved to the GPU.
    """
    acting = copy.deepcopy(mac)
    begin = acting.init_hidden

    def init_hidden(batch_size: int) -> None:
        acting.load_state(mac)
        begin(batch_size)

    acting.init_hidden = init_hidden
    return acting
