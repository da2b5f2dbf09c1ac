"""Where runs are executed: processes here, Ray's workers, Slurm's jobs.

An engine has `room`, how many runs it would take now; `start(run, log)`; `ended()`, the
runs that have ended since the last call, each with an `End`; `cancel(run)`, which ends
soon then; and `stop()`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from wqmix.config.extras import command
from wqmix.errors import ConfigError

from . import processes
from .plan import Plan, Run

SECONDS_TO_SAVE = 60  # of a run that is asked to end
SECONDS_TO_CONNECT = 5
SECONDS_TO_ANSWER = 30


@dataclass(frozen=True)
class End:
    """How a run ended.

    Attributes:
        code: its exit code; None if the worker that ran it is lost.
        reason: why, then.
    """

    code: Optional[int]
    reason: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether the run was ended from outside, and may be tried again."""
        return self.code is None or processes.is_lost(self.code)


Ended = List[Tuple[Run, End]]


class Local:
    """Processes on this machine, `jobs` at once."""

    def __init__(self, jobs: int, threads: int) -> None:
        self.jobs, self.threads = jobs, threads
        self._running: Dict[subprocess.Popen[bytes], Run] = {}

    @property
    def room(self) -> int:
        """Return how many more runs can be started."""
        return self.jobs - len(self._running)

    def start(self, run: Run, log: Path) -> None:
        """Start a run."""
        process = processes.start(run.command[1:], str(log), self.threads)
        self._running[process] = run

    def ended(self) -> Ended:
        """Return the runs that have ended."""
        done = [process for process in self._running if process.poll() is not None]
        return [(self._running.pop(each), End(each.returncode)) for each in done]

    def cancel(self, run: Run) -> None:
        """Ask a run to end."""
        for process in place_of(run, self._running):
            process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask all runs to end: those that can save a checkpoint before."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + SECONDS_TO_SAVE
        for process in self._running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


class Ray:
    """Ray's workers, on this machine or in the cluster at `address`."""

    room = 1_000_000  # Ray has a queue of its own

    def __init__(self, address: Optional[str], threads: int, gpus: float) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise missing("ray", "--engine ray") from None
        self._ray = ray
        self._connect(address)
        # A run that is lost is started again by the sweep, which counts; not by Ray.
        resources = {"num_cpus": threads, "num_gpus": gpus, "max_retries": 0}
        self._function = ray.remote(**resources)(processes.run)
        self._threads = threads
        self._running: Dict[Any, Run] = {}

    def _connect(self, address: Optional[str]) -> None:
        if address is not None:
            reach(address)
        options: Dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if address is None:
            options["include_dashboard"] = False
        try:
            self._ray.init(address=address, **options)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            where = f"--address {address}" if address else "--engine ray"
            raise ConfigError(f"{where}: Ray cannot be reached ({reason})") from None

    def start(self, run: Run, log: Path) -> None:
        """Hand a run to Ray."""
        place = (str(log.resolve()), self._threads, os.getcwd())
        self._running[self._function.remote(run.command[1:], *place)] = run

    def ended(self) -> Ended:
        """Return the runs that have ended, or whose worker is lost."""
        refs = list(self._running)
        if not refs:
            return []
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        return [(self._running.pop(ref), self._end(ref)) for ref in done]

    def _end(self, ref: Any) -> End:
        exceptions = self._ray.exceptions
        try:
            return End(self._ray.get(ref))
        except exceptions.RayTaskError as error:
            return End(1, str(error).strip().splitlines()[-1])
        except exceptions.RayError as error:
            return End(None, type(error).__name__)

    def cancel(self, run: Run) -> None:
        """End a run's worker, and the run with it."""
        for ref in place_of(run, self._running):
            self._ray.cancel(ref, force=True)

    def stop(self) -> None:
        """Leave Ray, which ends the runs."""
        self._ray.shutdown()


class Slurm:
    """Slurm's jobs, one for each run."""

    room = 1_000_000  # Slurm has a queue of its own

    def __init__(self, plan: Plan, threads: int) -> None:
        try:
            import submitit
        except ImportError:
            raise missing("slurm", "--engine slurm") from None
        self._submitit = submitit
        settings = {"name": plan.name, "cpus_per_task": threads, **plan.slurm}
        cluster = settings.pop("cluster", "slurm")
        if cluster == "slurm" and not shutil.which("sbatch"):
            raise ConfigError("--engine slurm: no sbatch here; run it on a login node")
        try:
            self._executor = submitit.AutoExecutor(plan.folder / "slurm", cluster)
            self._executor.update_parameters(**settings)
        except (NameError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"slurm: submitit refuses these ({reason})") from None
        self._threads = threads
        self._running: Dict[Any, Run] = {}

    def start(self, run: Run, log: Path) -> None:
        """Submit a run."""
        place = (str(log.resolve()), self._threads, os.getcwd())
        job = self._executor.submit(processes.run, run.command[1:], *place)
        self._running[job] = run

    def ended(self) -> Ended:
        """Return the runs that have ended, or whose job is lost."""
        done = [job for job in self._running if job.done()]
        return [(self._running.pop(job), self._end(job)) for job in done]

    def _end(self, job: Any) -> End:
        try:
            return End(job.result())
        except self._submitit.core.utils.FailedJobError as error:
            return End(1, str(error).strip().splitlines()[-1])
        except self._submitit.core.utils.UncompletedJobError:
            return End(None, f"Slurm: {job.state}")

    def cancel(self, run: Run) -> None:
        """Cancel a run's job."""
        for job in place_of(run, self._running):
            job.cancel()

    def stop(self) -> None:
        """Cancel all jobs."""
        for job in self._running:
            job.cancel()


def place_of(run: Run, running: Dict[Any, Run]) -> List[Any]:
    """Return where a run is at work: one place, or none if it has ended."""
    return [place for place, each in running.items() if each.label == run.label]


def reach(address: str) -> None:
    """Refuse an address at which no Ray answers; Ray itself would try for minutes."""
    if address == "auto":
        return
    is_client = address.startswith("ray://")
    host, _, port = address[len("ray://") if is_client else 0 :].rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"--address {address}: HOST:PORT, ray://HOST:PORT or auto")
    try:
        socket.create_connection((host, int(port)), SECONDS_TO_CONNECT).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        line = f"--address {address}: cannot be reached ({reason})"
        raise ConfigError(line) from None
    if not is_client and not is_ray(address):
        raise ConfigError(f"--address {address}: what answers there is no Ray")


def is_ray(address: str) -> bool:
    """Whether a head node of Ray's answers at an address."""
    check = ["-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(
            [sys.executable, *check], capture_output=True, timeout=SECONDS_TO_ANSWER
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def missing(extra: str, what: str) -> ConfigError:
    """Return the error for a package that an extra would install."""
    return ConfigError(f"{what} needs more: {command(extra)}")
