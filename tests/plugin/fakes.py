"""A small host, written into a folder: PyMARL's layout, and a main that reports.

It imports no torch, so that launching it takes a fraction of a second. Its main writes
what it sees (`report.json` beside `src/`): a run of the launcher and a direct run can
be compared, and so can what either hands the host.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, Dict, List, Optional

MAIN = """
import json, os, random, sys
from os.path import abspath, dirname, join
import yaml
from run import run

def option(params, name, folder):
    for i, param in enumerate(params):
        if param.split("=")[0] == name:
            del params[i]
            path = join(dirname(__file__), "config", folder, param.split("=")[1])
            with open(path + ".yaml") as f:
                return yaml.safe_load(f)

if __name__ == "__main__":
    random.seed(7)
    params = list(sys.argv)
    with open(join(dirname(__file__), "config", "default.yaml")) as f:
        config = yaml.safe_load(f)
    env = option(params, "--env-config", "envs")
    alg = option(params, "--config", "algs")
    config.update(env or {})
    config.update(alg or {})
    run(config, params, abspath(__file__))
"""

RUN = """
import json, os, random, sys
from learners import REGISTRY as learners
from controllers import REGISTRY as controllers
from envs import REGISTRY as envs

WATCHED = ("run", "learners", "envs", "learners.own")

def run(config, params, main):
    report = {
        "argv": params,
        "full_argv": sys.argv,
        "config": config,
        "learners": sorted(learners),
        "envs": sorted(envs),
        "path0": sys.path[0],
        "name": sys.modules["__main__"].__name__,
        "file": sys.modules["__main__"].__file__,
        "draw": random.random(),
        "order": [name for name in sys.modules if name in WATCHED],
    }
    checkout = os.path.dirname(os.path.dirname(main))
    with open(os.path.join(checkout, "report.json"), "w") as f:
        json.dump(report, f)
    if "crash" in params:
        raise KeyError("a mistake in the host")
    if "leave" in params:
        sys.exit(5)
    if "interrupt" in params:
        raise KeyboardInterrupt
    if "_exit" in params:
        EXIT
"""

FILES = {
    "main.py": MAIN,
    "run.py": RUN.replace("EXIT", "os._exit(3)\n        print('after the end')"),
    "learners/__init__.py": """
        import random
        from .own import Own
        DRAWN_AT_IMPORT = random.random()
        REGISTRY = {"q_learner": Own}
        """,
    "learners/own.py": """
        class Own:
            def __init__(self, mac, scheme, logger, args):
                if args.mixer == "vdn":
                    self.mixer = VDNMixer()
                elif args.mixer == "qmix":
                    self.mixer = QMixer(args)
                self.optimiser = RMSprop(params=[], lr=args.lr)
        """,
    "learners/q_learner.py": """
        from modules.mixers.vdn import VDNMixer
        from modules.mixers.qmix import QMixer
        # RMSprop
        """,
    "controllers/__init__.py": "REGISTRY = {}\n",
    "envs/__init__.py": "REGISTRY = {'own_game': dict}\n",
    "config/default.yaml": """
        lr: 0.0005
        optim_alpha: 0.99
        optim_eps: 0.00001
        grad_norm_clip: 10
        gamma: 0.99
        env_args: {}
        t_max: 10
        """,
    "config/algs/qmix.yaml": """
        name: qmix
        learner: q_learner
        mixer: qmix
        mixing_embed_dim: 17
        target_update_interval: 200
        double_q: True
        """,
    "config/envs/own_game.yaml": """
        env: own_game
        env_args: {map_name: 3m, seed: null}
        """,
}


def make_host(folder: Path, changes: Optional[Dict[str, Optional[str]]] = None) -> Path:
    """Write the host into `folder/src` and return that.

    Args:
        folder: of the checkout.
        changes: path → text instead of the usual one, or None for no such file.
    """
    root = folder / "src"
    for name, text in {**FILES, **(changes or {})}.items():
        if text is not None:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return root


def python(*words: str, cwd: Path, **environment: str) -> Any:
    """Run `python …` in a folder and return the completed process."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=str(cwd),
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def launch(checkout: Path, *words: str, **environment: str) -> Any:
    """Run `python -m wqmix …` in a checkout."""
    return python("-m", "wqmix", *words, cwd=checkout, **environment)


def report(checkout: Path) -> Dict[str, Any]:
    """Return what the host's main saw."""
    return json.loads((checkout / "report.json").read_text(encoding="utf-8"))


def files_in(folder: Path) -> List[str]:
    """Return the paths under a folder, byte-compiled files aside."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts and path.is_file()
    )
