"""Dependencies point one way: each folder imports only what it may."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {  # folder → import name
    "src": "wqmix",
    "plugin": "wqmix.plugin",
    "host": "wqmix.host",
    "theory": "wqmix.theory",
    "analysis": "wqmix.analysis",
    "session": "wqmix.session",
    "config": "wqmix.config",
    "storage": "wqmix.storage",
}
MAY_IMPORT = {  # folder → (folders of ours, libraries)
    "src": ({"storage", "config"}, {"torch", "numpy"}),
    "storage": (set(), {"torch", "numpy", "tensorboardX", "wandb"}),
    "config": ({"storage"}, {"yaml"}),
    "plugin": (
        {"src", "config", "storage"},
        {"torch", "numpy", "yaml", "sacred"},
    ),
    "session": (
        {"src", "plugin", "host", "config", "storage"},
        {"torch", "numpy", "pandas"},
    ),
    "host": (
        {"config", "storage"},
        {"torch", "numpy", "sacred", "tqdm", "gymnasium", "numba", "platformdirs"},
    ),
    "theory": ({"config"}, {"numpy", "scipy", "matplotlib"}),
    "analysis": (
        {"src", "host", "theory", "config", "storage"},
        {
            *("torch", "numpy", "matplotlib", "PIL", "tqdm", "yaml"),
            *("rliable", "pandas", "jinja2", "markupsafe"),
            *("ray", "submitit", "optuna", "sqlalchemy"),
        },
    ),
}
# Inside functions only: the front door reaches the plugin; the plugin offers the
# embedded host's games to other hosts; a sweep is checked as its runs will be.
LAZILY = {
    "src/__init__.py": ("session", "host"),
    "src/__main__.py": ("plugin", "config"),
    "plugin/environments.py": ("host",),
    "analysis/sweep/check.py": ("plugin",),
}
# Modules of ours that are named in text: commands, and the host that is beside us.
NAMED = {
    "src/__init__.py": ("session", "host"),
    "src/__main__.py": ("plugin", "host", "analysis", "theory"),
    "plugin/detect.py": ("host",),
    "plugin/hosts/embedded.py": ("host",),
}
NAME, RELATIVE = re.compile(r"wqmix(\.\w+)*\.?"), re.compile(r"(\.[a-z_]+)+")
STDLIB = getattr(sys, "stdlib_module_names", None)


def folder_of(module: str) -> str:
    """The folder that holds a module of ours."""
    for folder in set(PACKAGES) - {"src"}:
        if module == f"wqmix.{folder}" or module.startswith(f"wqmix.{folder}."):
            return folder
    return "src"


def imports(path: Path, package: str):
    """All (module, is at the top level) that a file imports, names absolute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "wqmix" or node.module is None:
                for alias in node.names:
                    yield f"{module}.{alias.name}", id(node) in top
            else:
                yield module, id(node) in top


def files():
    for folder, name in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            inside = path.relative_to(ROOT / folder).parent.parts
            package = ".".join([name, *inside])
            relative = path.relative_to(ROOT).as_posix()
            yield pytest.param(folder, path, package, id=relative)


@pytest.mark.skipif(STDLIB is None, reason="needs Python 3.10's list of its modules")
@pytest.mark.parametrize("folder, path, package", list(files()))
def test_imports(folder, path, package):
    ours, libraries = MAY_IMPORT[folder]
    lazy = LAZILY.get(path.relative_to(ROOT).as_posix(), ())
    for module, is_top in imports(path, package):
        root = module.split(".")[0]
        if root == "wqmix":
            target = folder_of(module)
            is_lazy = target in lazy and not is_top
            assert target == folder or target in ours or is_lazy, (
                f"{folder}/ imports {module} of {target}/"
            )
        else:
            assert root in STDLIB or root in libraries, f"{folder}/ imports {module}"


def named(path: Path, package: str):
    """All modules of ours that a file names in text, as for `import_module`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and (package == "wqmix" and RELATIVE.fullmatch(text)):
            text = f"wqmix{text}"
        if isinstance(text, str) and NAME.fullmatch(text):
            yield text


@pytest.mark.parametrize("folder, path, package", list(files()))
def test_named_in_text(folder, path, package):
    """So that no import can hide in a string."""
    allowed = {folder, "src", *MAY_IMPORT[folder][0]}
    allowed |= set(NAMED.get(path.relative_to(ROOT).as_posix(), ()))
    for module in named(path, package):
        assert folder_of(module) in allowed, f"{folder}/ names {module}"


def test_the_rules_can_fail(tmp_path):
    """A file of src/ that imports the plugin, relatively, would be seen."""
    file = tmp_path / "bad.py"
    file.write_text("from ..plugin import launcher\nfrom .. import host\n")
    found = [module for module, _ in imports(file, "wqmix.learners")]
    assert found == ["wqmix.plugin", "wqmix.host"]
    assert [folder_of(module) for module in found] == ["plugin", "host"]
    file.write_text("names = ['wqmix.host.run', f'wqmix.host.{name}', '.session']\n")
    found = [*named(file, "wqmix.plugin")]
    assert found == ["wqmix.host.run", "wqmix.host."]
    assert "wqmix.session" in named(file, "wqmix")
