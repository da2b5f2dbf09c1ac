"""Run folders as hosts leave them, small."""

from __future__ import annotations

import json


def write_run(
    folder,
    name="qmix",
    task="3s5z",
    seed=1,
    values=(1.0, 2.0),
    steps=(0, 100),
    status="COMPLETED",
    metrics=None,
    env_args=None,
    base_dir="/site-packages/wqmix/host",
    **config,
):
    """Write config.json, run.json, info.json and metrics.json; return the folder."""
    folder.mkdir(parents=True)
    config = {
        "name": name,
        "env": "sc2",
        "env_args": {"map_name": task, "seed": seed, **(env_args or {})},
        "seed": seed,
        "label": "default_label",
        "t_max": 100,
        **config,
    }
    facts = {
        "experiment": {"base_dir": base_dir},
        "status": status,
        "start_time": "2026-01-01T10:00:00.000000",
        "stop_time": "2026-01-01T12:00:00.000000",
        "heartbeat": "2026-01-01T12:00:00.000000",
    }
    info = {"test_return_mean": list(values), "test_return_mean_T": list(steps)}
    contents = dict(config=config, run=facts, info=info, metrics=metrics or {})
    for file, content in contents.items():
        (folder / f"{file}.json").write_text(json.dumps(content))
    return folder
