"""YAML files and command lines, the host's and the launcher's."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wqmix.config import reading, sacred
from wqmix.config.layers import leaves
from wqmix.errors import ConfigError
from wqmix.host.config import CONFIG_DIR, load_config, parse_command_line
from wqmix.host.errors import HostError
from wqmix.host.validation import validate
from wqmix.plugin import launcher
from wqmix.plugin.command_line import rewrite
from wqmix.plugin.configs import ConfigFiles, our_learners
from wqmix.plugin.detect import detect

from ..plugin.fakes import make_host
from .tools import NASTY, NUMBERS, damaged, fuzzed, harmless, plain, text

with sacred.importable():
    from sacred import Experiment

OWN = sorted(CONFIG_DIR.rglob("*.yaml"))
KEYS = sorted(
    {
        ".".join(key)
        for path in OWN
        for key, _ in leaves(yaml.safe_load(path.read_text()))
    }
    | {"inherit", "env_args", "learner", "name", "env_args.map_name", "unique_token"}
)
# Not what only asks for more memory than there is.
SIZES = ("world_shape", "n_agents", "n_prey", "agent_obs", "batch_size", "buffer_size")
keys = st.sampled_from([key for key in KEYS if not key.endswith(SIZES)])
values = st.one_of(text, plain, NUMBERS)
settings = st.dictionaries(st.one_of(keys, text), values, max_size=5)


def as_yaml(content):
    """A mapping as YAML, or as something like it."""
    try:
        return yaml.safe_dump(content).encode("utf-8", "surrogatepass")
    except yaml.YAMLError:
        return repr(content).encode("utf-8", "surrogatepass")


lines = st.lists(st.tuples(st.one_of(keys, text), values).map("{0[0]}: {0[1]}".format))
FILES = st.one_of(
    settings.map(as_yaml),
    lines.map(lambda each: "\n".join(each).encode("utf-8", "surrogatepass")),
    damaged([path.read_bytes() for path in OWN]),
    st.binary(max_size=100),
    st.lists(st.sampled_from("[]{}:,&*a!|>?-#'\"%@ \n\t<")).map(
        lambda parts: "".join(parts).encode()
    ),
    text.map(lambda words: words.encode("utf-8", "surrogatepass")),
)


@fuzzed
@given(FILES)
def test_yaml(own_folder, content):
    """What is read can be written, read again, and is the same."""
    file = Path(own_folder, "fuzz.yaml")
    file.write_bytes(content)
    with harmless(reading.ReadingError):
        values = reading.read_yaml(file)
        again = yaml.safe_load(yaml.safe_dump(values, sort_keys=False))
        assert repr(again) == repr(values)


def word(key_and_value):
    return "{}={}".format(*key_and_value)


WORDS = st.one_of(st.tuples(keys, values).map(word), text)
NAMES = st.sampled_from(
    ["qmix", "vdn", "cw_qmix", "matrix_game", "fuzz", "fuzz.yaml", "./fuzz", *NASTY]
)


@fuzzed
@given(FILES, st.lists(WORDS, max_size=4), st.booleans())
def test_the_hosts_configuration(own_folder, content, words, is_env):
    """What is accepted, sacred accepts too."""
    Path(own_folder, "fuzz.yaml").write_bytes(content)
    names = ("qmix", "fuzz") if is_env else ("fuzz", "matrix_game")
    argv = [f"--config={names[0]}", f"--env-config={names[1]}"]
    with harmless(HostError):
        config = load_config(parse_command_line([*argv, "with", *words]))
        config = validate(config)
        Experiment("fuzz", save_git_info=False).add_config(config)


@fuzzed
@given(st.lists(st.one_of(WORDS, NAMES, st.just("with")), max_size=6), NAMES, NAMES)
def test_the_hosts_command_line(own_folder, words, algorithm, environment):
    Path(own_folder, "fuzz.yaml").write_text("t_max: 5\n")
    argv = [f"--config={algorithm}", f"--env-config={environment}", "with", *words]
    for each in (argv, words):
        with harmless(HostError):
            validate(load_config(parse_command_line(each)))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    root = make_host(tmp_path_factory.mktemp("checkout"))
    learners = {name: name for name in our_learners()}
    return ConfigFiles(detect(root), root, learners)


@fuzzed
@given(
    st.lists(st.one_of(WORDS, NAMES, st.just("with")), max_size=6),
    NAMES,
    st.one_of(NAMES, st.just("own_game")),
)
def test_the_launchers_command_line(own_folder, checkout, words, algorithm, game):
    Path(own_folder, "fuzz.yaml").write_text("inherit: cw_qmix\nalpha: 0.5\n")
    argv = [f"--config={algorithm}", f"--env-config={game}", "with", *words]
    for each in (argv, words, ["--config=cw_qmix", "--env-config=own_game", *words]):
        with harmless(ConfigError):
            rewrite(checkout, each)
            launcher.parse(each)


@fuzzed
@given(FILES, st.booleans())
def test_the_launchers_configuration(own_folder, checkout, content, inherits):
    file = Path(own_folder, "fuzz.yaml")
    file.write_bytes((b"inherit: cw_qmix\n" if inherits else b"") + content)
    with harmless(ConfigError):
        rewritten = rewrite(checkout, [f"--config={file}", "--env-config=own_game"])
        # The host reads what it is handed, and finds a mapping.
        path = Path(rewritten.argv[0].partition("=")[2] + ".yaml")
        assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


@fuzzed
@given(FILES, st.sampled_from(["algs/qmix", "envs/own_game", "default"]))
def test_the_checkouts_own_files(own_folder, checkout, content, name):
    file = checkout.root / "config" / f"{name}.yaml"
    own = file.read_bytes()
    try:
        file.write_bytes(content)
        with harmless(ConfigError):
            rewrite(checkout, ["--config=cw_qmix", "--env-config=own_game"])
    finally:
        file.write_bytes(own)
