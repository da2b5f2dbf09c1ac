"""Processes that serve an object each, the lines to them, and their replacement."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import socket
import struct
import time
import traceback
from collections import deque
from functools import partial
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

import numpy as np

from ..errors import HostError, WorkerError

Result = TypeVar("Result")

_SECONDS_TO_CLOSE = 5
_SECONDS_BETWEEN_LINES = 5  # while workers are being started
_WINDOW = 600  # seconds within which restarts are counted


class WorkerLost(Exception):
    """A worker process is gone or does not answer: why, and which one."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"environment worker {number} {reason}")
        self.number = number


class RolloutLost(Exception):
    """Workers were replaced: what the team was playing has to be played again."""


class Limits(NamedTuple):
    """When a worker counts as hung, and how many may be replaced in ten minutes."""

    timeout: float
    restarts: int

    @classmethod
    def of(cls, args: SimpleNamespace) -> Limits:
        return cls(args.worker_timeout, args.worker_restarts)


def worker_context() -> Any:
    """Forked where possible: what was registered in this process is there too."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if "fork" in methods else None)


def seeded(env_args: Dict[str, Any], count: int) -> List[Dict[str, Any]]:
    """`count` copies of `env_args` with distinct seeds."""
    seeds = np.random.SeedSequence(env_args["seed"]).generate_state(count)
    return [{**env_args, "seed": int(seed)} for seed in seeds]


def until_whole(play: Callable[..., Result], *args: Any) -> Result:
    """What `play(*args)` returns, once no worker was lost meanwhile."""
    while True:
        try:
            return play(*args)
        except RolloutLost:
            pass


class Team:
    """Workers with an environment each; a lost one is replaced, its play is not.

    `make(env_args, number)` makes what worker `number` serves. Each has a seed of its
    own, derived from `env_args["seed"]`, its number and how often it was replaced.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        env_args: Dict[str, Any],
        count: int,
        limits: Limits,
        log: logging.Logger,
    ) -> None:
        self.make, self.env_args, self.limits, self.log = make, env_args, limits, log
        self.n_restarts = [0] * count
        self.restart_times: Deque[float] = deque()
        self.workers: List[Worker] = []
        try:
            self._start_all(seeded(env_args, count))
        except OSError as error:
            started, reason = len(self.workers), error.strerror or error
            self.close()
            raise WorkerError(
                f"{started} of {count} environment workers could be started "
                f"({reason}): use a smaller batch_size_run"
            ) from None
        except BaseException:
            self.close()
            raise

    def _start_all(self, all_args: List[Dict[str, Any]]) -> None:
        """One after the other; who waits for long is told how far it is."""
        told = time.monotonic()
        for number, own_args in enumerate(all_args):
            self.workers.append(self._start(number, own_args))
            if time.monotonic() - told >= _SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                self.log.info(
                    "%d of %d environment workers started", number + 1, len(all_args)
                )

    def _start(self, number: int, env_args: Dict[str, Any]) -> Worker:
        others = [w.conn for w in self.workers if w.number != number]
        make = partial(self.make, env_args, number)
        return Worker(make, number, others, self.limits.timeout)

    def ask(
        self,
        numbers: Union[Sequence[int], np.ndarray],
        method: str,
        args: Optional[Sequence[Tuple[Any, ...]]] = None,
    ) -> List[Any]:
        """The results of `method(*args[i])` of the i-th of the workers `numbers`.

        Raises:
            RolloutLost: a worker was lost; it is replaced, and no reply is pending.
            WorkerError: an environment raised an exception, or too many were lost.
        """
        for i, number in enumerate(numbers):
            self.workers[number].send(method, *(args[i] if args else ()))
        try:
            return [self.workers[number].receive() for number in numbers]
        except WorkerLost as lost:
            self._replace(lost)
        self._drain()
        raise RolloutLost

    def insist(
        self, method: str, args: Optional[Sequence[Tuple[Any, ...]]] = None
    ) -> List[Any]:
        """As `ask`, of all and between episodes: asked again of replaced workers."""
        return until_whole(self.ask, range(len(self.workers)), method, args)

    def _drain(self) -> None:
        """Throw away the replies to what was asked together with a lost worker."""
        for number in range(len(self.workers)):
            try:
                while self.workers[number].n_pending:
                    self.workers[number].receive()
            except WorkerLost as lost:
                self._replace(lost)

    def _replace(self, lost: WorkerLost) -> None:
        now = time.monotonic()
        self.restart_times.append(now)
        while now - self.restart_times[0] > _WINDOW:
            self.restart_times.popleft()
        if len(self.restart_times) > self.limits.restarts:
            raise WorkerError(
                f"{lost}; more than worker_restarts={self.limits.restarts} were lost "
                f"within {_WINDOW // 60} minutes"
            )
        number = lost.number
        self.n_restarts[number] += 1
        what = "replaced, the rollout is dropped and played anew"
        self.log.warning("%s: %s", str(lost), what)
        self.workers[number].kill()
        key = [self.env_args["seed"], number, self.n_restarts[number]]
        seed = int(np.random.SeedSequence(key).generate_state(1)[0])
        self.workers[number] = self._start(number, {**self.env_args, "seed": seed})

    def close(self) -> None:
        for worker in self.workers:
            worker.ask_to_close()
        for worker in self.workers:
            worker.close()
        self.workers = []


class Worker:
    """A process with the object that `make()` returns there; it answers to its methods.

    It ends when it is told to, and when this process is gone, however that ended.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        number: int,
        inherited: Sequence[Connection],
        timeout: float,
    ) -> None:
        context = worker_context()
        self.number, self.timeout = number, timeout
        self.n_pending = 0
        self.conn, remote = context.Pipe()
        _limit_waiting(self.conn, timeout)
        if context.get_start_method() == "fork":
            inherited = [*inherited, self.conn]
        else:
            inherited = []
        self.process = context.Process(
            target=_serve, args=(remote, make, inherited), daemon=True
        )
        self.process.start()
        remote.close()

    def send(self, method: str, *args: Any) -> None:
        """Ask for `method(*args)`; its result is fetched by `receive`."""
        self.n_pending += 1
        try:
            self.conn.send((method, args))
        except OSError:
            pass  # it is gone; what it left to be read, `receive` finds

    def receive(self) -> Any:
        """The result; an exception of the worker's is raised here, with its text."""
        self.n_pending -= 1
        try:
            failed, reply = self.conn.recv()
        except BlockingIOError:
            reason = f"did not answer for {self.timeout:g} seconds (worker_timeout)"
            raise WorkerLost(self.number, reason) from None
        except (EOFError, OSError):
            self.process.join(timeout=1)
            reason = f"died (exit code {self.process.exitcode})"
            raise WorkerLost(self.number, reason) from None
        if not failed:
            return reply
        error, text = reply
        failure = WorkerError(f"environment worker {self.number} failed:\n{text}")
        if error is not None:
            raise error from failure
        raise failure

    def ask_to_close(self) -> None:
        try:
            self.conn.send(("close", ()))
        except OSError:
            pass  # it is gone already

    def close(self) -> None:
        if self.conn.closed:
            return  # killed
        # Unread replies could block it: a closed line ends it in any case.
        self.conn.close()
        self.process.join(timeout=_SECONDS_TO_CLOSE)
        if self.process.is_alive():
            self.kill()

    def kill(self) -> None:
        """End it at once, also one that is stopped, and free what it held here."""
        self.conn.close()
        self.process.kill()
        self.process.join()
        self.process.close()


def _limit_waiting(conn: Connection, seconds: float) -> None:
    """No read or write waits longer, within a message either (not on Windows)."""
    if not hasattr(socket, "AF_UNIX"):
        return
    whole, part = divmod(seconds, 1)
    limit = struct.pack("ll", int(whole), int(part * 1e6))
    family = socket.AF_UNIX, socket.SOCK_STREAM
    line = socket.socket(*family, fileno=conn.fileno())
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        line.setsockopt(socket.SOL_SOCKET, option, limit)
    line.detach()  # the descriptor stays the connection's


def _serve(
    conn: Connection, make: Callable[[], Any], inherited: Sequence[Connection]
) -> None:
    """The worker's life: make the object, answer for it, close it."""
    # The parent decides when to stop; a terminal sends its Ctrl-C to all processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for other in inherited:  # else a line would stay open after the parent's death
        other.close()
    served = None
    try:
        served = make()
        while True:
            method, args = _next_request(conn)
            if method == "close":
                break
            _reply(conn, False, getattr(served, method)(*args))
    except Exception as error:
        told = error if isinstance(error, HostError) else None  # in one line
        _reply(conn, True, (told, traceback.format_exc().rstrip()))
    finally:
        if served is not None:
            served.close()
        conn.close()


def _next_request(conn: Connection) -> Any:
    try:
        return conn.recv()
    except (EOFError, OSError):
        return "close", ()  # the parent is gone


def _reply(conn: Connection, failed: bool, content: Any) -> None:
    try:
        conn.send((failed, content))
    except OSError:
        pass  # nobody is left to be told
