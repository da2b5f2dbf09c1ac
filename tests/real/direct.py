"""Run an old host's main on today's Python without wqmix's launcher: what a run through
the launcher is compared with.

    python direct.py src/main.py …

What the host lacks is mocked, and the matrix game entered into its registry.
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

from benchmarks.published import ABSENT
from wqmix.plugin.environments import HostEnv

script = sys.argv[1]
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(os.path.abspath(script))
collections.Mapping = collections.abc.Mapping
yaml.load = functools.partial(yaml.load, Loader=yaml.SafeLoader)
os._exit = lambda code: None
for name in (*ABSENT, "envs.smac_v1", "envs.smac_v2", "tensorboard_logger"):
    file = os.path.join(sys.path[0], *name.split("."))
    if not os.path.exists(f"{file}.py"):
        sys.modules[name] = mock.MagicMock()
build = functools.partial(HostEnv, "matrix_game", False)
importlib.import_module("envs").REGISTRY["wqmix_matrix_game"] = build
runpy.run_path(script, run_name="__main__")
