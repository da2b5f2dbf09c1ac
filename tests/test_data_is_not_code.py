"""No code path executes what a file contains, and nothing listens on a network."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = "src plugin host config storage theory analysis benchmarks".split()
FORBIDDEN = {  # dotted names, called or mentioned
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load"),
    *("yaml.Loader", "yaml.FullLoader", "yaml.UnsafeLoader", "yaml.CLoader"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "shelve.open"),
    *("os.system", "os.popen", "eval", "exec", "jsonpickle.decode"),
    *("socket.create_server", "http.server", "socketserver"),
}
METHODS = {"bind", "listen"}  # of sockets
ALLOWED = {
    # Whether a learner's `train` takes weights: a signature's, no socket's.
    ("host/run.py", "bind"),
    # The user's own script, which it was asked to run.
    ("plugin/launcher.py", "exec"),
    # Of a signature.
    ("host/run.py", "bind"),
    # Looks at a host's `yaml.load(f)`, and gives it the safe loader.
    ("plugin/shims/pyyaml.py", "yaml.load"),
    # Builds tensors and refuses all else, for PyTorch before `weights_only`.
    ("storage/tensors.py", "pickle.Unpickler"),
    ("storage/tensors.py", "torch.load"),
}


def dotted(node):
    """`a.b.c` for such an expression, or ""."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        below = dotted(node.value)
        return f"{below}.{node.attr}" if below else ""
    return ""


def aliases(tree):
    """Names in a file that stand for modules or what is in them."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update({a.asname: a.name for a in node.names if a.asname})
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for a in node.names:
                found[a.asname or a.name] = f"{node.module}.{a.name}"
    return found


def offences(text):
    """The forbidden things in a file's text."""
    tree = ast.parse(text)
    names = aliases(tree)

    def full(node):
        first, _, rest = dotted(node).partition(".")
        name = names.get(first, first)
        return f"{name}.{rest}" if rest else name

    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and full(node) in FORBIDDEN:
            yield full(node)
        if not isinstance(node, ast.Call):
            continue
        said = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
        name = full(node.func)
        if name == "torch.load" and said.get("weights_only") is not True:
            yield name
        if name == "numpy.load" and said.get("allow_pickle") is not False:
            yield name
        if said.get("shell") is True:
            yield "shell=True"
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            yield node.func.attr


FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_read_as_data(path):
    relative = path.relative_to(ROOT).as_posix()
    found = set(offences(path.read_text(encoding="utf-8")))
    assert {(relative, what) for what in found} <= ALLOWED


@pytest.mark.parametrize(
    "text, offence",
    [
        ("import yaml\nyaml.load(f)", "yaml.load"),
        ("from yaml import load as l\nl(f)", "yaml.load"),
        ("import yaml as y\ny.load(f, Loader=y.SafeLoader)", "yaml.load"),
        ("from pickle import loads\nloads(b)", "pickle.loads"),
        ("import torch as th\nth.load(f)", "torch.load"),
        ("import torch\ntorch.load(f, weights_only=False)", "torch.load"),
        ("import numpy as np\nnp.load(f)", "numpy.load"),
        ("import numpy as np\nnp.load(f, allow_pickle=True)", "numpy.load"),
        ("import subprocess\nsubprocess.run(c, shell=True)", "shell=True"),
        ("eval(text)", "eval"),
        ("server.bind(('', 80))", "bind"),
    ],
)
def test_the_rules_can_fail(text, offence):
    assert offence in set(offences(text))


def test_what_is_safe_is_let_through():
    text = (
        "import ast, numpy as np, torch, yaml\nyaml.safe_load(f)\nast.literal_eval(t)\n"
        "np.load(f, allow_pickle=False)\ntorch.load(f, weights_only=True)\nnet.eval()\n"
    )
    assert not list(offences(text))
