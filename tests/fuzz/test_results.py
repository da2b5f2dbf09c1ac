"""Sacred's folders with anything in them: read, or told of in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wqmix.analysis.compare.scores import compare
from wqmix.analysis.plot import medians, text
from wqmix.analysis.runs import read_all
from wqmix.analysis.salvage import salvage
from wqmix.analysis.sweep import plan
from wqmix.analysis.sweep.ledger import Ledger
from wqmix.config.reading import ReadingError
from wqmix.errors import ConfigError

from .tools import NUMBERS, damaged, fuzzed, harmless, plain
from .tools import text as strange

METRIC = "test_return_mean"
INFO = {METRIC: [1.0, {"dtype": "float64", "value": 2.5}], f"{METRIC}_T": [0, 100]}
METRICS = {
    METRIC: {"steps": [0, 9], "values": [1, 2], "timestamps": ["2026-01-01"] * 2}
}
CONFIG = {"name": "qmix", "env": "sc2", "env_args": {"map_name": "3s5z"}, "seed": 1}
RUN = {"status": "RUNNING", "start_time": "2026-01-01T10:00:00", "heartbeat": None}
CLOCK = b"[INFO 23:59:59] t_env: 5 / 9\n[INFO 00:00:01] t_env: 9 / 9\n"
WHOLE = {"config": CONFIG, "run": RUN, "info": INFO, "metrics": METRICS}
BYTES = [json.dumps(each).encode() for each in WHOLE.values()]


def as_json(value):
    try:
        return json.dumps(value).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError):
        return repr(value).encode("utf-8", "surrogatepass")


numbers = st.one_of(
    NUMBERS, plain, NUMBERS.map(lambda x: {"value": x}), strange, st.none()
)
columns = st.lists(numbers, max_size=5)
infos = st.fixed_dictionaries({METRIC: columns, f"{METRIC}_T": columns})
tables = st.fixed_dictionaries(
    {
        METRIC: st.fixed_dictionaries(
            dict(steps=columns, values=columns, timestamps=columns)
        )
    }
)
configs = st.fixed_dictionaries(
    {key: st.one_of(st.just(value), plain) for key, value in CONFIG.items()}
)
facts = st.fixed_dictionaries({key: st.one_of(strange, plain) for key in RUN})
ANY = st.one_of(damaged(BYTES), st.binary(max_size=60), plain.map(as_json))


def contents(values):
    return st.one_of(ANY, values.map(as_json))


FILES = st.fixed_dictionaries(
    {
        "config.json": contents(configs),
        "run.json": contents(facts),
        "info.json": contents(infos),
        "metrics.json": contents(tables),
        "cout.txt": st.one_of(st.binary(max_size=60), damaged([CLOCK])),
    }
)


@fuzzed
@given(st.lists(FILES, min_size=1, max_size=3))
def test_run_folders(own_folder, runs):
    """What can be read can be compared and drawn, without a word of other errors."""
    root = Path(own_folder, "runs")
    shutil.rmtree(root, ignore_errors=True)
    for number, files in enumerate(runs):
        folder = root / str(number)
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    with harmless(ConfigError):
        records = read_all([str(root)], METRIC)
        found = compare(records, METRIC, 5)
        assert found.algorithms and found.tasks
        assert text(medians(records), METRIC, 60)
    with harmless():
        assert Ledger(Path(own_folder), ["x"]).completed() == set()


@fuzzed
@given(ANY)
def test_broken_json(own_folder, content):
    with harmless(ReadingError):
        found = salvage(content.decode("utf-8", "replace"))
        assert isinstance(found, (dict, list))


KEYS = st.sampled_from([*plan.KEYS, *plan.ENTRY_KEYS, "lr", "seed"])
SWEEPS = st.dictionaries(
    st.one_of(KEYS, strange), st.one_of(plain, strange), max_size=5
)


@fuzzed
@given(SWEEPS, st.booleans())
def test_sweep_files(own_folder, values, is_almost_right):
    if is_almost_right:
        values = {"algorithms": ["qmix"], "environments": ["matrix_game"], **values}
    with harmless(ConfigError):
        found = plan.plan(values, "fuzz")
        assert 0 < len(found.runs) <= plan.MAX_RUNS
        assert len({run.label for run in found.runs}) == len(found.runs)
