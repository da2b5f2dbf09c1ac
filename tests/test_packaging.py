"""What is published: the page of an index, and what the archives hold."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "https://example.org/me/wqmix"


@pytest.fixture(scope="module")
def setup():
    """What setup.py defines, without its call."""
    text = (ROOT / "setup.py").read_text("utf-8").partition("\nsetup(\n")[0]
    defined = {"__file__": str(ROOT / "setup.py")}
    exec(compile(text, "setup.py", "exec"), defined)
    return defined


def test_an_index_can_follow_all_links_of_its_page(setup):
    readme = (ROOT / "README.md").read_text("utf-8")
    relative = re.compile(r"\]\((?!https?://|#)")
    assert len(relative.findall(readme)) > 10
    for address in (ADDRESS, ""):
        page = setup["description"](readme, address)
        assert not relative.search(page)
    text = "[a](docs/a.md#x) [b](https://c.d) [e](#f) `x[i](j)`"
    found = setup["description"](text, ADDRESS)
    assert found.startswith(
        f"[a]({ADDRESS}/blob/main/docs/a.md#x) [b](https://c.d) [e]"
    )
    assert setup["description"](text, "").startswith("a [b](https://c.d) [e](#f)")


def test_links_of_the_readme_lead_to_files():
    readme = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", readme):
        assert (ROOT / target).exists(), target


def test_nobody_s_setuptools_is_changed():
    """Sacred needs what setuptools 82 removed: see config/sacred.py."""
    text = (ROOT / "setup.py").read_text("utf-8")
    needed = text[text.index("install_requires") : text.index("extras_require")]
    assert '"setuptools' not in needed


def tracked():
    """The files of the checkout, where there is one."""
    if not (ROOT / ".git").exists():
        pytest.skip("not in a checkout")
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name for name in done.stdout.splitlines() if not name.startswith(".")}


@pytest.mark.slow
def test_the_archives_hold_everything(tmp_path):
    """The sdist: all that a checkout has, tests too. The wheel: packages and YAMLs."""
    files = tracked()
    source = tmp_path / "source"
    for name in files:
        if (ROOT / name).exists():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    for kind in ("sdist", "bdist_wheel"):
        done = subprocess.run(
            [sys.executable, "setup.py", "-q", kind, "-d", str(tmp_path / "dist")],
            cwd=source,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert files <= inside, sorted(files - inside)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    folders = {"src": "wqmix"}
    for folder in ("plugin", "host", "storage", "config", "theory", "analysis"):
        folders[folder] = f"wqmix/{folder}"
    for name in files:
        top, _, rest = name.partition("/")
        if top in folders and rest.endswith(
            (".py", ".yaml", ".npz", ".typed", ".html")
        ):
            assert f"{folders[top]}/{rest}" in inside, name
    assert "wqmix/py.typed" in inside  # else type checkers do not look into it
    assert not any("/tests/" in name or name.startswith("tests") for name in inside)


def test_one_version_everywhere():
    text = (ROOT / "setup.py").read_text("utf-8")
    version = re.search(r'version="([\d.]+)"', text)[1]
    assert f"\n## {version} (" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
