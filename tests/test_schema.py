"""The one schema of settings: complete, true of the YAMLs, and what the page shows."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from wqmix import learners, schedules
from wqmix.config import schema
from wqmix.config.names import nearest

ROOT = Path(__file__).resolve().parent.parent
FILES = [ROOT / "config" / "default.yaml", *(ROOT / "config" / "algs").glob("*.yaml")]
# What a file says of itself, and what only sacred and environments read.
OTHERS = {"inherit", "env_args", "repeat_id"}


def settings_of(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_value_of_a_yaml_is_one_that_can_be(path):
    values = settings_of(path)
    assert set(values) - OTHERS <= set(schema.SETTINGS)
    nulls = {"env"} if path.stem == "default" else set()  # set by --env-config
    for key in set(values) - OTHERS - nulls:
        assert schema.wrong(key, values[key]) is None


def test_every_setting_is_in_a_yaml_and_in_one_section():
    listed = set().union(*map(settings_of, FILES))
    assert set(schema.SETTINGS) <= listed
    assert sum(map(len, schema.SECTIONS.values())) == len(schema.SETTINGS)


def test_learners_take_the_kinds_that_it_says():
    kinds = {"whole": "int", "number": "float", "flag": "bool", "text": "str"}
    for build in learners.LEARNERS.values():
        for field in fields(build.settings_class):
            setting = schema.SETTINGS[field.name]
            if setting.choices and not isinstance(setting.choices[0], str):
                assert field.type == "int"
            else:
                assert field.type == kinds[setting.kind], field.name
    choices = schema.SETTINGS["alpha_schedule"].choices
    assert set(choices) == set(schedules.SCHEDULES)


@pytest.mark.parametrize(
    "key, good, bad, needed",
    [
        ("alpha", [0, 1, 0.5], [-0.1, 1.1, math.nan, True, "1"], "within [0, 1]"),
        ("target_tau", [1, 1e-9], [0, 1.0001], "a number within (0, 1]"),
        ("lr", [1e-9, 3], [0, math.inf, None], "a number > 0"),
        ("batch_size", [1, 10**9], [0, 1.0, True], "a whole number >= 1"),
        ("seed", [0, None, 2**32 - 1], [-1, 2**32], "within [0, 4294967295]"),
        ("mixer", [None, "qmix"], [0, ["qmix"]], "a name"),
        ("state_norm", [True], [1, "True", None], "True or False"),
        ("hypernet_layers", [1, 2], [0, 3, "1"], "1 or 2"),
        ("unroll", ["auto"], ["Auto", None], "auto or step"),
    ],
)
def test_what_can_be(key, good, bad, needed):
    assert all(schema.wrong(key, value) is None for value in good)
    for value in bad:
        told = schema.wrong(key, value)
        assert (
            told.startswith(f"{key} is {value!r}: ") and f"{needed} is needed" in told
        )


def test_what_is_not_ours_takes_any_value_but_of_a_given_kind():
    assert schema.wrong("their_key", object()) is None
    assert schema.wrong("their_key", -3.5, "number") is None
    assert schema.wrong("their_key", "x" * 999, "flag").endswith(
        "…: True or False is needed"
    )


def test_other_names_of_a_setting_are_known():
    assert (
        nearest("hidden_dim", ["lr", "rnn_hidden_dim"])
        == " (here it is 'rnn_hidden_dim')"
    )
    assert nearest("tau", ["target_update_interval_or_tau"]).startswith(" (here it is")


def test_the_page_is_what_the_schema_says():
    words = [sys.executable, str(ROOT / "tools" / "write_settings.py"), "--check"]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
