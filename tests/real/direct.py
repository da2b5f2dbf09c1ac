"""Run an old host's main on today's Python without wqmix's launcher: what a run through
the launcher is compared with.

    python direct.py src/main.py …

What the host's own games do without is mocked; our matrix game is entered beside them.
"""

import collections
import collections.abc
import functools
import importlib
import os
import runpy
import sys
from unittest import mock

import yaml

from wqmix.plugin.environments import HostEnv

NOT_NEEDED = (
    "absl",
    "envs.matrix_game.matrix_game",
    "envs.smac_v1",
    "envs.smac_v2",
    "envs.starcraft",
    "modules.mixers.qmix_ablations",
    "pygame",
    "smac",
    "smac.env",
    "smaclite",
    "tensorboard_logger",
)

script = sys.argv[1]
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(os.path.abspath(script))
collections.Mapping = collections.abc.Mapping
yaml.load = lambda stream, Loader=yaml.SafeLoader, load=yaml.load: load(stream, Loader)
os._exit = lambda code: None
sys.modules.update({name: mock.MagicMock() for name in NOT_NEEDED})
build = functools.partial(HostEnv, "matrix_game", False)
importlib.import_module("envs").REGISTRY["wqmix_matrix_game"] = build
runpy.run_path(script, run_name="__main__")
