"""The site: every page is reached, every link leads somewhere, and it can be built."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .blocks import PAGES, ROOT

DOCS = ROOT / "docs"
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
CODE = re.compile(r"^(```.*?^```|    .*?$)|`[^`\n]*`", re.M | re.S)


def listed(nav):
    """The pages that a nav of mkdocs lists."""
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from [value] if isinstance(value, str) else listed(value)


def anchors(page: Path):
    """What headings are called in links, as GitHub and mkdocs make it."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    for title in re.findall(r"^#+ (.+)$", text, re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        yield re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")


def test_every_page_is_in_the_nav_once():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    assert sorted(listed(nav)) == sorted(pages)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        path = (page.parent / target) if target else page
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in {*anchors(path), *named(path)}, f"{target}#{anchor}"


def named(page: Path):
    """Anchors that a page writes itself."""
    return re.findall(r'<a (?:id|name)="([^"]+)"', page.read_text("utf-8"))


@pytest.mark.exhaustive
@pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed"
)
def test_it_is_built():
    script = str(ROOT / "tools" / "build_site.sh")
    done = subprocess.run([script, sys.executable], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    reference = (ROOT / "build" / "site" / "api" / "index.html").read_text("utf-8")
    assert (
        "How many, rounded up" in reference or "rounded up to a multiple" in reference
    )
