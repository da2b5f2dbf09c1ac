"""How Weighted QMIX gets into a host: launcher, adapters, registration, configs, shims.

For the owner of a fork, one line in its main file, beside the other imports:

    import wqmix.plugin; wqmix.plugin.register()

and `wqmix export-configs src/config/algs` for the YAMLs; then `python src/main.py
--config=cw_qmix …` needs no launcher.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional


def register(host: Optional[str] = None, root: Optional[str] = None) -> None:
    """Enter our learners into the `learners.REGISTRY` of the host that is running.

    Args:
        host: name of its adapter; otherwise found out by the folder's layout.
        root: its source folder; otherwise the folder of the running main file.

    Raises:
        ConfigError: the folder holds no host, or the registry has a key of ours.
    """
    from . import detect, registration

    main = getattr(sys.modules["__main__"], "__file__", None) or "."
    folder = Path(root) if root is not None else Path(main).resolve().parent
    adapter = detect.detect(folder, host)
    registration.register_on_import(adapter, registration.learner_keys(folder))
