"""Where curves can be watched besides a run's record: TensorBoard, Weights & Biases.

Both are for whoever asks for them; neither is imported before.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Mapping

WANDB = "use_wandb"
# Its settings, by the names that EPyMARL has for them.
WANDB_SETTINGS = (WANDB, "wandb_mode", "wandb_project", "wandb_team")


def writer_class() -> Any:
    """Return tensorboardX's writer, or PyTorch's, or None."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
    return SummaryWriter


class TensorBoard:
    """Writes event files into a folder."""

    def __init__(self, folder: str) -> None:
        self._writer = writer_class()(folder)

    def log(self, key: str, value: float, t: int) -> None:
        """Write one number."""
        self._writer.add_scalar(key, value, t)

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()


class Wandb:
    """Writes a run of Weights & Biases: into a folder, or to its server as well.

    Args:
        settings: `wandb_mode`, `wandb_project` and `wandb_team`.
        folder: in which its folder `wandb` is.
        name: of the run.
        config: what the run was started with.
    """

    def __init__(
        self, settings: Mapping[str, Any], folder: str, name: str, config: Any
    ) -> None:
        import wandb

        os.makedirs(folder, exist_ok=True)
        self._run = wandb.init(
            project=settings["wandb_project"],
            entity=settings["wandb_team"],
            mode=settings["wandb_mode"],
            dir=folder,
            name=name,
            config=config,
        )
        # Not its own count of steps, which would have to grow with each number.
        self._run.define_metric("t_env")
        self._run.define_metric("*", step_metric="t_env")

    def log(self, key: str, value: float, t: int) -> None:
        """Write one number, at an environment step."""
        self._run.log({key: value, "t_env": t})

    def close(self) -> None:
        """Write what is still in memory, and whether an exception ends the run."""
        self._run.finish(exit_code=int(sys.exc_info()[0] is not None))
