"""A process that serves an object, and the line to it."""

import multiprocessing
import signal
import traceback

import numpy as np

from ..errors import WorkerError

_SECONDS_TO_CLOSE = 5


def worker_context():
    """Forked where possible: what was registered in this process is there too."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if "fork" in methods else None)


def seeded(env_args, count):
    """`count` copies of `env_args` with distinct seeds."""
    seeds = np.random.SeedSequence(env_args["seed"]).generate_state(count)
    return [{**env_args, "seed": int(seed)} for seed in seeds]


def start_workers(makers):
    """A worker for each of `makers`; none is left behind if one cannot start."""
    workers = []
    try:
        for make in makers:
            inherited = [worker.conn for worker in workers]
            workers.append(Worker(make, len(workers), inherited))
    except BaseException:
        close_workers(workers)
        raise
    return workers


def close_workers(workers):
    for worker in workers:
        worker.ask_to_close()
    for worker in workers:
        worker.close()


class Worker:
    """A process with the object that `make()` returns there; it answers to its methods.

    It ends when it is told to, and when this process is gone, however that ended.
    """

    def __init__(self, make, number, inherited):
        context = worker_context()
        self.number = number
        self.conn, remote = context.Pipe()
        if context.get_start_method() == "fork":
            inherited = [*inherited, self.conn]
        else:
            inherited = []
        self.process = context.Process(
            target=_serve, args=(remote, make, inherited), daemon=True
        )
        self.process.start()
        remote.close()

    def send(self, method, *args):
        """Ask for `method(*args)`; its result is fetched by `receive`."""
        try:
            self.conn.send((method, args))
        except OSError:
            pass  # it is gone; what it left to be read, `receive` finds

    def receive(self):
        """The result; an exception of the worker's is raised here, with its text."""
        try:
            failed, reply = self.conn.recv()
        except (EOFError, OSError):
            self._died()
        if failed:
            raise WorkerError(
                f"environment worker {self.number} failed:\n{reply.rstrip()}"
            )
        return reply

    def call(self, method, *args):
        self.send(method, *args)
        return self.receive()

    def _died(self):
        self.process.join(timeout=1)
        raise WorkerError(
            f"environment worker {self.number} died (exit code {self.process.exitcode})"
        )

    def ask_to_close(self):
        try:
            self.conn.send(("close", ()))
        except OSError:
            pass  # it is gone already

    def close(self):
        # Unread replies could block it: a closed line ends it in any case.
        self.conn.close()
        self.process.join(timeout=_SECONDS_TO_CLOSE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(conn, make, inherited):
    """The worker's life: make the object, answer for it, close it."""
    # The parent decides when to stop; a terminal sends its Ctrl-C to all processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
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
    except Exception:
        _reply(conn, True, traceback.format_exc())
    finally:
        if served is not None:
            served.close()
        conn.close()


def _next_request(conn):
    try:
        return conn.recv()
    except (EOFError, OSError):
        return "close", ()  # the parent is gone


def _reply(conn, failed, content):
    try:
        conn.send((failed, content))
    except OSError:
        pass  # nobody is left to be told
