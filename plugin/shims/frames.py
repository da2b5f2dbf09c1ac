"""The outermost frame of a run."""

from __future__ import annotations

import inspect
import os
import runpy
from pathlib import Path
from typing import List


def hide_callers(main: Path, as_module: bool) -> None:
    """End `inspect.stack()` as a direct run does: PyMARLzoo+ writes beside its end."""
    stack = inspect.stack
    file = os.path.abspath(str(main))

    def of_a_direct_run(context: int = 1) -> List[inspect.FrameInfo]:
        frames = stack(context)[1:]
        mains = [
            position
            for position, frame in enumerate(frames)
            if frame.function == "<module>" and os.path.abspath(frame.filename) == file
        ]
        if not mains:
            return frames
        frames = frames[: mains[-1] + 1]
        if as_module:  # `python -m` runs a module from runpy's frames
            outermost = os.path.abspath(runpy.run_module.__code__.co_filename)
            frames.append(frames[-1]._replace(filename=outermost))
        return frames

    inspect.stack = of_a_direct_run
