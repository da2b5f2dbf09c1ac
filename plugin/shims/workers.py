"""Worker processes that die."""

from __future__ import annotations

import os
import select
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, List

from ..hosts.base import contains


def waits_for_workers(root: Path) -> bool:
    """Whether a host's parallel runner receives from workers that it started."""
    runner = root / "runners" / "parallel_runner.py"
    return hasattr(select, "poll") and contains(runner, "target=env_worker")


class WatchedWorkers:
    """`Connection.recv` that ends with an error once a worker has ended with one.

    Every process of such a host holds an end of each pipe, so none sees the other's end
    close.
    """

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._workers: List[BaseProcess] = []
        self._start = BaseProcess.start
        self._receive = Connection.recv

    @classmethod
    def install(cls) -> None:
        """Watch all workers that this process starts from now on."""
        watch = cls()
        process: Any = BaseProcess  # Any: by its type no method can be replaced
        connection: Any = Connection
        process.start = lambda process: watch.start(process)
        connection.recv = lambda connection: watch.receive(connection)

    def start(self, process: BaseProcess) -> None:
        """Start a worker and remember it."""
        self._start(process)
        self._workers.append(process)

    def receive(self, connection: Connection) -> Any:
        """Receive; while nothing comes, look after the workers each second."""
        if os.getpid() == self._owner:
            ready = select.poll()
            ready.register(connection.fileno(), select.POLLIN | select.POLLHUP)
            while not ready.poll(1000):
                self._check()
        return self._receive(connection)

    def _check(self) -> None:
        for worker in self._workers:
            if worker.exitcode:
                raise RuntimeError(
                    f"worker {worker.name} ended with exit code {worker.exitcode}; "
                    "what it said is above"
                )
