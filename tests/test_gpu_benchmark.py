"""`python -m benchmarks.gpu` goes through all of its sections, here on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu

ROOT = Path(__file__).resolve().parent.parent
NEEDS_A_GPU = {"captured", "nothing_is_waited_for", "smax_on_the_device"}


def run(folder, *words):
    command = [sys.executable, "-m", "benchmarks.gpu", "--small", "--device", "cpu"]
    command += ["--out", str(folder), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    report = json.loads((folder / "gpu.json").read_text(encoding="utf-8"))
    return done, report["sections"]


@pytest.mark.exhaustive
def test_all_of_it(tmp_path):
    done, sections = run(tmp_path, "--seconds", "900")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(sections) > 10
    for name, section in sections.items():
        assert "error" not in section, section["error"]
        assert section["rows"] or "skipped" in section, name
        assert all(row.get("passed", True) for row in section["rows"]), section
        assert not any("error" in row for row in section["rows"]), section
    skipped = {name for name, section in sections.items() if "skipped" in section}
    assert NEEDS_A_GPU <= skipped and "update" not in skipped
    assert (tmp_path / "gpu.md").read_text(encoding="utf-8").count("## ") == len(
        sections
    )


def test_without_time_each_section_says_so(tmp_path):
    done, sections = run(tmp_path, "--seconds", "1")
    assert done.returncode == 0, done.stderr
    assert {each["skipped"] for each in sections.values()} == {"no time was left"}


@pytest.mark.parametrize(
    "section, failed",
    [
        ({"rows": [{"passed": True}, {"steps/s": 1}]}, False),
        ({"rows": [], "skipped": "there is no GPU"}, False),
        ({"rows": [{"passed": False}]}, True),
        ({"rows": [{"error": "out of memory"}]}, True),
        ({"rows": [{"passed": True}], "error": "stopped: it took too long"}, True),
    ],
)
def test_what_has_failed(section, failed):
    assert gpu.has_failed(section) is failed
