"""Statistics to console, sacred, TensorBoard, W&B; the progress of a run."""

from __future__ import annotations

import logging
import sys
import time
from collections import defaultdict
from typing import Any, Dict, List, Tuple

import torch as th
from tqdm import tqdm

from .timehelper import time_left, time_str

LATEST = 5  # values of which the console shows the mean


class Logger:
    """Collects statistics: `log_stat(key, value, t)` at environment step `t`."""

    def __init__(self, console_logger: logging.Logger) -> None:
        self.console_logger = console_logger
        self.stats: Dict[str, List[Tuple[int, float]]] = defaultdict(list)
        self._sacred_run: Any = None
        self._curves: List[Any] = []

    def also_to(self, curves: Any) -> None:
        """Write to one of storage/curves.py too."""
        self._curves.append(curves)

    def setup_sacred(self, sacred_run: Any) -> None:
        """Write to the run's info.json too, as lists `key` and `key_T`."""
        self._sacred_run = sacred_run

    def log_stat(self, key: str, value: Any, t: int, to_sacred: bool = True) -> None:
        # Plain floats only: a tensor becomes a pickle blob in sacred's info.json.
        value = float(value)
        self.stats[key].append((t, value))
        for each in self._curves:
            each.log(key, value, t)
        if self._sacred_run is not None and to_sacred:
            self._log_to_sacred(key, value, t)

    def _log_to_sacred(self, key: str, value: Any, t: int) -> None:
        info = self._sacred_run.info
        if key not in info:
            # A new dict: sacred's heartbeat thread may be iterating over the old one,
            # and would stop writing for good if that changed its size.
            self._sacred_run.info = {**info, key: [value], f"{key}_T": [t]}
        else:
            info[key].append(value)
            info[f"{key}_T"].append(t)

    def state_dict(self) -> Dict[str, Any]:
        """Everything logged so far: key -> steps and values."""
        return {
            key: [th.tensor(column, dtype=th.float64) for column in zip(*pairs)]
            for key, pairs in self.stats.items()
        }

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Take what `state_dict` returned, for sacred too."""
        info = {}
        for key, (steps, values) in state.items():
            steps, values = [int(t) for t in steps.tolist()], values.tolist()
            self.stats[key] = list(zip(steps, values))
            info[key], info[f"{key}_T"] = values, steps
        if self._sacred_run is not None:
            self._sacred_run.info = info

    def print_recent_stats(self) -> None:
        """The mean of each statistic's latest values, on the console."""
        t_env, episode = self.stats["episode"][-1]
        head = f"Recent Stats | t_env: {t_env:>10} | Episode: {int(episode):>8}"
        lines = [f"{head} | {self._meaning()}\n"]
        keys = sorted(key for key in self.stats if key != "episode")
        for number, key in enumerate(keys, start=1):
            latest = self.stats[key][-1 if key == "epsilon" else -LATEST :]
            mean = f"{sum(value for _, value in latest) / len(latest):.4f}"
            end = "\n" if number % 4 == 0 else "\t"
            lines.append(f"{key + ':':<25}{mean:>8}{end}")
        self.console_logger.info("".join(lines))

    def _meaning(self) -> str:
        """Of how many values, and tests, the numbers are means; the last test's own."""
        meaning = f"means of the latest {LATEST} values"
        tests = self.stats.get("test_return_mean", ())
        if len(tests) < 2:
            return meaning
        count, last = min(len(tests), LATEST), tests[-1][1]
        return f"{meaning} (tests: {count}, the last one's return {last:.4f})"

    def close(self) -> None:
        for each in self._curves:
            each.close()


class _ConsoleHandler(logging.Handler):
    """Writes to standard error, above a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        # sys.stderr is looked up each time: sacred replaces it to record the console.
        with tqdm.external_write_mode(file=sys.__stderr__):
            print(self.format(record), file=sys.stderr, flush=True)


def get_logger() -> logging.Logger:
    """The host's console logger, set up once."""
    logger = logging.getLogger("pymarl")
    if not logger.handlers:
        handler = _ConsoleHandler()
        pattern = "[%(levelname)s %(asctime)s] %(name)s %(message)s"
        handler.setFormatter(logging.Formatter(pattern, "%H:%M:%S"))
        logger.addHandler(handler)
        logger.propagate = False
    if logger.level == logging.NOTSET:  # a level that somebody set stays
        logger.setLevel(logging.INFO)
    return logger


class Progress:
    """How far a run is: a bar on a terminal or in a notebook, else a line at times."""

    SECONDS_BETWEEN_LINES = 30

    def __init__(
        self, t_start: int, t_max: int, console_logger: logging.Logger
    ) -> None:
        self.t_start, self.t_max = t_start, t_max
        self.console_logger = console_logger
        self.start_time = self.last_line = time.monotonic()
        self.bar: Any = None
        if "ipykernel" in sys.modules:
            from tqdm.auto import tqdm as notebook_tqdm

            self.bar = notebook_tqdm(total=t_max, initial=t_start, unit="step")
        # Not sys.stderr, which sacred records: the bar's frames are not worth keeping.
        elif sys.__stderr__ is not None and sys.__stderr__.isatty():
            self.bar = tqdm(
                total=t_max,
                initial=t_start,
                unit="step",
                file=sys.__stderr__,
                dynamic_ncols=True,
            )

    def update(self, t_env: int) -> None:
        if self.bar is not None:
            self.bar.update(min(t_env, self.t_max) - self.bar.n)
        elif time.monotonic() - self.last_line >= self.SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            self._print_line(t_env)

    def _print_line(self, t_env: int) -> None:
        elapsed = max(time.monotonic() - self.start_time, 1e-9)
        left = time_left(self.start_time, self.t_start, t_env, self.t_max)
        self.console_logger.info(
            f"t_env: {t_env} / {self.t_max} | "
            f"{(t_env - self.t_start) / elapsed:.0f} steps/s | "
            f"time left: {left} | time passed: {time_str(elapsed)}"
        )

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
