"""What a process frees is there when it wants it again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

CODE = """
import resource, sys
import torch
from wqmix.storage.malloc import keep_freed
print(keep_freed() if sys.argv[1] == "keep" else None)
for number in range(6):
    if number == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 * 2**20)  # 64 MiB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(word: str, **environment: str) -> list:
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    words = [sys.executable, "-c", CODE, word]
    return subprocess.run(words, env=env, capture_output=True, text=True).stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_pages_are_taken_once() -> None:
    said, kept = run("keep")
    _, left = run("leave")
    assert said == "True" and 2 * int(kept) < int(left)


@pytest.mark.slow
def test_what_the_user_says_of_malloc_counts() -> None:
    assert run("keep", MALLOC_ARENA_MAX="2")[0] == "False"
