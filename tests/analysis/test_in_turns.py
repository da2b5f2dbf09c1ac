"""Many trainings at once: all results in order, and nothing left when it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wqmix.analysis.demos.demo import in_turns

SLEEPS = """
import time
from wqmix.analysis.demos.demo import in_turns
if __name__ == "__main__":
    in_turns(time.sleep, [(600,), (600,)], 2, "sleeping")
"""


def group(leader: int) -> list:
    """The living processes of a process group, as commands."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, pgid = (
                (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            )
            command = (folder / "cmdline").read_text()
        except OSError:  # it has just ended
            continue
        if int(pgid) == leader and state != "Z":
            found.append(command)
    return found


def heed_ctrl_c() -> None:
    """A shell has what it starts in the background ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def within(seconds: float, condition) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not condition():
        time.sleep(0.05)
    return condition()


def test_results_are_in_the_order_of_the_calls():
    assert in_turns(divmod, [(7, 2), (9, 4), (8, 8)], 2, "x") == [
        (3, 1),
        (2, 1),
        (1, 0),
    ]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    "number, code",
    [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_however_it_is_ended_no_worker_is_left(number, code, tmp_path):
    script = tmp_path / "sleeps.py"
    script.write_text(SLEEPS)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
    )

    def workers() -> int:
        return sum("spawn_main" in command for command in group(process.pid))

    assert within(60, lambda: workers() == 2)
    os.kill(process.pid, number)
    assert process.wait(30) == code
    assert within(30, lambda: not group(process.pid)), group(process.pid)
