"""The run's folder as sacred writes it, at a bounded cost and never half a file."""

import os
import time

from sacred.observers import FileStorageObserver

from .logging import get_logger


class ResultsObserver(FileStorageObserver):
    """Sacred's files, but info.json is written less often as it grows.

    Sacred rewrites info.json, all statistics so far, at each heartbeat: a cost that
    grows with the square of a run's length. Here writing it takes at most `SHARE` of
    the time; the end of a run, however it comes, always writes it. Every JSON file is
    replaced at once, so that a reader, or a run that is killed, never sees half of one.
    """

    SHARE = 1 / 500
    _info_cost, _info_time, _info_is_pending = 0.0, 0.0, False
    _has_failed = False

    def heartbeat_event(self, info, captured_out, beat_time, result):
        try:
            self._beat(info, captured_out, beat_time, result)
        except OSError as error:
            self._info_is_pending = True
            self._complain(error)
        finally:
            self.info = info

    def _complain(self, error):
        """Say once what sacred would say, with a traceback, at each event."""
        if not self._has_failed:
            get_logger().error(
                "cannot write the results in %s (%s): training goes on, and so does "
                "trying",
                self.dir,
                error,
            )
        self._has_failed = True

    def _beat(self, info, captured_out, beat_time, result):
        since = time.monotonic() - self._info_time
        is_due = since * self.SHARE >= self._info_cost
        self._info_is_pending = bool(info) and not is_due
        super().heartbeat_event(info if is_due else {}, captured_out, beat_time, result)

    def save_json(self, obj, filename):
        started = time.thread_time()
        super().save_json(obj, f"{filename}.partial")
        path = os.path.join(self.dir, filename)
        os.replace(f"{path}.partial", path)
        if filename == "info.json":
            self._info_cost = time.thread_time() - started
            self._info_time, self._info_is_pending = time.monotonic(), False

    def _end(self, event, *args, **kwargs):
        """Write what is pending, then what sacred writes at the end."""
        try:
            if self._info_is_pending:
                self.save_json(self.info, "info.json")
            event(*args, **kwargs)
        except OSError as error:
            self._complain(error)

    def completed_event(self, *args, **kwargs):
        self._end(super().completed_event, *args, **kwargs)

    def interrupted_event(self, *args, **kwargs):
        self._end(super().interrupted_event, *args, **kwargs)

    def failed_event(self, *args, **kwargs):
        self._end(super().failed_event, *args, **kwargs)
