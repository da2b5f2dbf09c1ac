"""The run's folder as sacred writes it, at a bounded cost and never half a file."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, cast

from ...config.sacred import importable
from .logging import get_logger

with importable():
    from sacred.observers import FileStorageObserver


class ResultsObserver(FileStorageObserver):
    """Sacred's files, but info.json is written less often as it grows.

    Sacred rewrites info.json, all statistics so far, at each heartbeat: a cost that
    grows with the square of a run's length. Here writing it takes at most `SHARE` of
    the time; the end of a run, however it comes, always writes it. Every JSON file is
    replaced at once, so that a reader, or a run that is killed, never sees half of one.
    A folder that is removed meanwhile is made again.

    Attributes:
        reason: why the last attempt to write failed; empty if it did not.
    """

    SHARE = 1 / 500
    _info_cost, _info_time, _info_is_pending = 0.0, 0.0, False
    _has_failed = False
    reason = ""

    def heartbeat_event(
        self, info: Any, captured_out: Any, beat_time: Any, result: Any
    ) -> None:
        try:
            self._beat(info, captured_out, beat_time, result)
            self.reason = ""
        except OSError as error:
            self._info_is_pending = True
            self._complain(error)
        finally:
            self.info = info

    def _complain(self, error: BaseException) -> None:
        """Say once what sacred would say, with a traceback, at each event."""
        if not self._has_failed:
            get_logger().error(
                "cannot write the results in %s (%s): training goes on, and so does "
                "trying",
                self.dir,
                error,
            )
        self._has_failed, self.reason = True, str(error)

    def _beat(self, info: Any, captured_out: Any, beat_time: Any, result: Any) -> None:
        since = time.monotonic() - self._info_time
        is_due = since * self.SHARE >= self._info_cost
        self._info_is_pending = bool(info) and not is_due
        super().heartbeat_event(info if is_due else {}, captured_out, beat_time, result)

    def save_json(self, obj: Any, filename: str) -> None:
        started = time.thread_time()
        path = os.path.join(cast(str, self.dir), filename)
        self._make_anew()
        super().save_json(obj, f"{filename}.partial")
        os.replace(f"{path}.partial", path)
        if filename == "info.json":
            self._info_cost = time.thread_time() - started
            self._info_time, self._info_is_pending = time.monotonic(), False

    def save_cout(self) -> None:
        self._make_anew()
        super().save_cout()

    def _make_anew(self) -> None:
        """Make a folder again that somebody removed, with what is written once only."""
        if self.dir is None or os.path.isdir(self.dir):  # None: it could not begin
            return
        get_logger().error("%s was removed: it is made anew", self.dir)
        os.makedirs(self.dir, exist_ok=True)
        self.cout_write_cursor, self._info_cost = 0, 0.0
        self.save_json(self.config, "config.json")

    def _lacks_info(self) -> bool:
        path = os.path.join(self.dir or "", "info.json")
        return bool(self.info) and not os.path.exists(path)

    def _end(self, event: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Write what is pending, then what sacred writes at the end."""
        try:
            if self._info_is_pending or self._lacks_info():
                self.save_json(self.info, "info.json")
            event(*args, **kwargs)
            self.reason = ""
        except OSError as error:
            self._complain(error)

    def completed_event(self, *args: Any, **kwargs: Any) -> None:
        self._end(super().completed_event, *args, **kwargs)

    def interrupted_event(self, *args: Any, **kwargs: Any) -> None:
        self._end(super().interrupted_event, *args, **kwargs)

    def failed_event(self, *args: Any, **kwargs: Any) -> None:
        self._end(super().failed_event, *args, **kwargs)
