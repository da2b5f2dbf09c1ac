"""One reader of settings: the same for every algorithm, the command line and Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import wqmix
from wqmix.analysis.sweep.plan import plan
from wqmix.config.reading import ReadingError, read_value, read_word, spelt
from wqmix.errors import ConfigError, WQMixError
from wqmix.host.config import load_config, parse_command_line
from wqmix.host.errors import HostError
from wqmix.plugin.command_line import rewrite
from wqmix.plugin.configs import ConfigFiles, our_learners
from wqmix.plugin.detect import detect
from wqmix.plugin.hosts import EMBEDDED_ROOT, HOSTS
from wqmix.session import building

from .fakes import make_host

KEYS = {name: name for name in our_learners()}
METHODS = ("qmix", "cw_qmix")


def loaded(*words: str, method: str = "qmix", env: str = "matrix_game") -> dict:
    """What the embedded host makes of a command line that the launcher hands it."""
    files = ConfigFiles(HOSTS["embedded"], EMBEDDED_ROOT, KEYS)
    argv = [f"--config={method}", f"--env-config={env}", "with", *words]
    return load_config(parse_command_line(rewrite(files, argv).argv))


def from_python(
    monkeypatch: pytest.MonkeyPatch, method: Any, env: Any = "matrix_game", **settings
) -> dict:
    """What `get_runner` hands the host."""
    found = {}

    def made(command: Any) -> None:
        found.update(load_config(command))

    monkeypatch.setattr(building, "Runner", made)
    wqmix.get_runner(method, env, **settings)
    return found


# Values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, value",
    [
        *[("true", True), ("FALSE", False), ("none", None), ("Null", None)],
        *[("'none'", "none"), ('"true"', "true"), ("1e2", 100.0), ("a b", "a b")],
        *[("[1, 2]", [1, 2]), ("{'a': 'none'}", {"a": "none"}), ("", "")],
    ],
)
def test_bare_words_are_values_and_quoted_ones_text(text: str, value: Any) -> None:
    assert read_value(text) == value and type(read_value(text)) is type(value)


@pytest.mark.parametrize("value", ["none", "True", "null", "12", "1e2", "", "a b", "'"])
def test_text_stays_text_through_a_word(value: str) -> None:
    assert read_word(f"a={spelt(value)}") == (("a",), value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("inf")]])
def test_what_no_word_can_say(value: Any) -> None:
    with pytest.raises(ReadingError, match="cannot be written"):
        spelt(value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "word, key, value",
    [
        *[("double_q=true", "double_q", True), ("double_q=FALSE", "double_q", False)],
        *[("t_max=1e2", "t_max", 100), ("batch_size=8.0", "batch_size", 8)],
        ("rnn_hidden_dim=1e1", "rnn_hidden_dim", 10),
        ("local_results_path='none'", "local_results_path", "none"),
        ("name={a}{0}", "name", "{a}{0}"),
    ],
)
def test_an_odd_spelling_means_the_same(
    method: str, word: str, key: str, value: Any
) -> None:
    found = loaded(word, method=method)[key]
    assert found == value and type(found) is type(value)


def test_whole_numbers_of_ours_too() -> None:
    config = loaded("alpha_anneal_time=1e3", "diagnostics=True", method="cw_qmix")
    assert config["alpha_anneal_time"] == 1000 and config["diagnostics"] is True


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "words, part",
    [
        (["t_max", "=", "50"], "without spaces"),
        (["=50"], "key=value"),
        (["--lr=0.1"], "write 'lr=0.1'"),
        (["lr={'a': 1}"], "lr"),
        (["gamma={0}"], "gamma"),
        (["learning_rate=0.1"], "here it is 'lr'"),
        (["hidden_dim=3"], "here it is 'rnn_hidden_dim'"),
        (["label=none"], "label"),
    ],
)
def test_what_is_refused_is_refused_for_both(
    method: str, words: list, part: str
) -> None:
    with pytest.raises((ConfigError, HostError)) as error:
        loaded(*words, method=method)
    assert part in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["CW-QMIX", "CW_QMIX", "cw-qmix"])
def test_a_name_in_other_letters(name: str) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'cw_qmix'\?"):
        loaded(method=name)


def test_several_options_on_one_line() -> None:
    words = ["env_args.options.size=7", "env_args.options.mode='none'"]
    options = loaded(*words, env="custom")["env_args"]["options"]
    assert options == {"size": 7, "mode": "none"}


def test_more_options_than_the_file_has(tmp_path: Path) -> None:
    env = tmp_path / "mine.yaml"
    env.write_text("env: custom\nenv_args: {entry_point: a.py:B, options: {size: 7}}\n")
    config = loaded("env_args.options.mode={a:bob}", env=str(env))
    assert config["env_args"]["options"] == {"size": 7, "mode": "{a:bob}"}


def test_a_sweeps_text_stays_text() -> None:
    settings = {"env_args": {"options": {"mode": "none", "n": None}}, "label": "x"}
    del settings["label"]
    values = {"algorithms": ["qmix"], "environments": ["custom"], "settings": settings}
    (run,) = plan(values, "x").runs
    words = run.arguments[run.arguments.index("with") + 1 :]
    options = loaded(*words, env="custom")["env_args"]["options"]
    assert options == {"mode": "none", "n": None}


# From Python --------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_dictionary_stays_one(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    options = {"mode": "none", "a.b": 1, "deep": {"x": "True", "empty": {}}}
    config = from_python(
        monkeypatch,
        method,
        "custom",
        env_args={"options": options},
        label="true",
        t_max=np.int64(7),
        double_q=np.bool_(False),
    )
    assert config["env_args"]["options"] == options
    assert (config["label"], config["t_max"]) == ("true", 7)
    assert config["double_q"] is False and type(config["t_max"]) is int


@pytest.mark.parametrize("make", [np.array, torch.tensor, tuple])
def test_arrays_are_payoffs(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    payoff = make([[1, 2], [3, 4]])
    config = from_python(monkeypatch, "qmix", env_args={"payoff": payoff})
    assert config["env_args"]["payoff"] == [[1, 2], [3, 4]]


@pytest.mark.parametrize("value", [object(), {1: 2}, b"x", {1, 2}, "\ud800"])
def test_what_no_file_can_hold(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    with pytest.raises(WQMixError, match="env_args.payoff") as error:
        from_python(monkeypatch, "qmix", env_args={"payoff": value})
    assert "\n" not in str(error.value)


def test_a_path_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("inherit: cw_qmix\nalpha: 0.25\n")
    config = loaded("checkpoint_path=~/kept", method="~/mine.yaml")
    assert (config["alpha"], config["checkpoint_path"]) == (0.25, f"{tmp_path}/kept")
    assert from_python(monkeypatch, "~/mine.yaml")["alpha"] == 0.25
    direct = parse_command_line(["--config=qmix", "--env-config=matrix_game"])
    direct.updates = [(("checkpoint_path",), "~/kept")]
    assert load_config(direct)["checkpoint_path"] == f"{tmp_path}/kept"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "words, right",
    [
        (["t_max", "=", "50"], "'t_max = 50' after `with`: write 't_max=50'"),
        (["t_max=", "50"], "'t_max= 50' after `with`: write 't_max=50'"),
        (["t_max", "=50"], "'t_max =50' after `with`: write 't_max=50'"),
        (["lr=1", "t_max", "=", "50"], "'t_max = 50' after `with`: write 't_max=50'"),
        (["=3"], "'=3' after `with` is not of the form key=value"),
    ],
)
def test_spaces_around_the_sign(method: str, words: list, right: str) -> None:
    with pytest.raises((ConfigError, HostError)) as error:
        loaded(*words, method=method)
    assert right in str(error.value)
    command = [f"--config={method}", "--env-config=matrix_game", "with", *words]
    with pytest.raises(HostError) as error:
        parse_command_line(command)
    assert right in str(error.value)


def test_empty_text_is_a_value() -> None:
    assert loaded("label=", "t_max=50", "checkpoint_path=")["label"] == ""


# Environments named by their code -----------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spec", ["my_game.py", "~/my_game.py:Meet", "pack.game:Meet"])
def test_an_environment_is_named_by_its_code(
    method: str, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    expected = spec.replace("~", "/home/me")
    config = loaded("env_args.options.size=7", method=method, env=spec)
    assert config["env"] == "custom"
    assert config["env_args"]["entry_point"] == expected
    assert config["env_args"]["options"] == {"size": 7}
    assert from_python(monkeypatch, method, spec)["env_args"]["options"] == {}
    direct = parse_command_line([f"--config={method}", f"--env-config={spec}"])
    if method == "qmix":
        assert load_config(direct)["env_args"]["entry_point"] == expected


def test_in_another_host_it_is_our_custom(tmp_path: Path) -> None:
    root = make_host(tmp_path)
    files = ConfigFiles(detect(root), root, KEYS)
    for spec in ("my_game.py", "my_game.py:Meet"):
        choice = files.choose("envs", spec)
        assert choice.game == "custom"
        assert choice.settings()["env"] == "wqmix_custom"
        assert choice.settings()["env_args"]["entry_point"] == spec
    with pytest.raises(ConfigError, match="host:sc2: .* has no "):
        files.choose("envs", "host:sc2")


def test_a_path_to_a_game_of_ours_is_that_game() -> None:
    path = EMBEDDED_ROOT.parent / "config" / "envs" / "matrix_game.yaml"
    for method in METHODS:
        assert loaded(method=method, env=str(path))["env"] == "matrix_game"


# What hosts and libraries call the same setting ---------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "theirs, ours",
    [
        ("learning_rate", "lr"),
        ("hidden_dim", "rnn_hidden_dim"),
        ("EPS_START", "epsilon_start"),
        ("TOTAL_TIMESTEPS", "t_max"),
        ("num_envs", "batch_size_run"),
        ("target_update_freq", "target_update_interval"),
        ("tau", "target_update_interval_or_tau"),
    ],
)
def test_a_setting_s_other_names(method: str, theirs: str, ours: str) -> None:
    with pytest.raises((ConfigError, HostError)) as error:
        loaded(f"{theirs}=1", method=method)
    assert f"(here it is {ours!r})" in str(error.value)


@pytest.mark.parametrize("name", ["CW-QMIX", "CW_QMIX", "cw-qmix", "Cw_Qmix"])
def test_an_algorithm_s_other_spellings(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(method=name)
    assert "(did you mean 'cw_qmix'?)" in str(error.value)


# Files of the user's ------------------------------------------------------------------


def refused(file: Path, **arguments: str) -> str:
    with pytest.raises((ConfigError, HostError)) as error:
        loaded(**arguments)
    text = str(error.value)
    assert "\n" not in text and str(file) in text
    return text


@pytest.mark.parametrize("head", ["inherit: cw_qmix\n", "inherit: qmix\n"])
@pytest.mark.parametrize("key, meant", [("tset_interval", "test_interval")])
def test_a_misspelt_key_names_the_file(
    tmp_path: Path, head: str, key: str, meant: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"{head}{key}: 5\n")
    assert f"{key}: " in refused(file, method=str(file))
    assert f"did you mean '{meant}'?" in refused(file, method=str(file))


def test_a_key_that_only_another_algorithm_reads(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("inherit: qmix\nalpha: 0.1\n")
    assert "alpha: " in refused(file, method=str(file))
    file.write_text("inherit: cw_qmix\nalfa: 0.1\n")
    assert "did you mean 'alpha'?" in refused(file, method=str(file))


@pytest.mark.parametrize("method", METHODS)
def test_a_misspelt_key_of_an_environment(tmp_path: Path, method: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("env: matrix_game\nenv_args: {gane: mild}\n")
    text = refused(file, method=method, env=str(file))
    assert "did you mean 'env_args.game'?" in text


def test_a_file_without_inherit(tmp_path: Path) -> None:
    """It works, or one line says what it lacks."""
    file = tmp_path / "mine.yaml"
    file.write_text("mixer: qmix\nlr: 0.1\n")
    text = refused(file, method=str(file))
    assert "epsilon_anneal_time" in text and "`inherit: qmix`" in text
    shipped = (EMBEDDED_ROOT.parent / "config/algs/qmix.yaml").read_text()
    file.write_text(f"{shipped}\nlr: 1e-1\n")
    assert loaded(method=str(file))["lr"] == 0.1
    file.write_text("learner: wqmix_learner\nmixer: qmix\nalpha: 0.5\n")
    assert "`inherit: cw_qmix`" in refused(file, method=str(file))


def test_a_file_inherits_another_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "base.yaml").write_text("inherit: cw_qmix\nalpha: 0.25\nlr: 1e-3\n")
    for name, text in (("a", "inherit: base"), ("b", "inherit: a.yaml")):
        (tmp_path / f"{name}.yaml").write_text(f"{text}\nt_max: 7\n")
    deep = tmp_path / "below" / "c.yaml"
    deep.write_text("inherit: ../b\n")
    config = loaded(method=str(deep))
    assert (config["alpha"], config["lr"], config["t_max"]) == (0.25, 0.001, 7)
    own = tmp_path / "own.yaml"
    own.write_text("env: matrix_game\nenv_args: {game: mild}\n")
    game = tmp_path / "game.yaml"
    game.write_text("inherit: own\nt_max: 9\n")
    config = loaded(env=str(game))
    assert (config["env_args"]["game"], config["t_max"]) == ("mild", 9)


def test_a_learner_of_the_users_has_keys_of_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    learner = tmp_path / "own.py"
    learner.write_text("class Own: pass\n")
    file = tmp_path / "mine.yaml"
    file.write_text(f"inherit: qmix\nlearner: {learner}:Own\nown_key: 3\n")
    assert loaded("own_key=4", method=str(file))["own_key"] == 4


@pytest.mark.parametrize("head", ["inherit: cw_qmix\n", "inherit: qmix\n"])
def test_in_other_hosts_too(tmp_path: Path, head: str) -> None:
    root = make_host(tmp_path / "host")
    files = ConfigFiles(detect(root), root, KEYS)
    mine = tmp_path / "mine.yaml"
    mine.write_text(f"{head}mixing_embed_dm: 5\n")
    with pytest.raises(ConfigError, match="mine.yaml: mixing_embed_dm.*embed_dim'"):
        rewrite(files, [f"--config={mine}", "--env-config=own_game"])


def test_sacred_reads_what_is_meant(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """`double_q=false` would be text to sacred, and so true; alike for both."""
    root = make_host(tmp_path)
    files = ConfigFiles(detect(root), root, KEYS)
    for method in METHODS:
        argv = [f"--config={method}", "--env-config=own_game", "with"]
        assert rewrite(files, [*argv, "double_q=false"]).argv[2:] == [
            "with",
            "double_q=False",
        ]
    assert "double_q=false: read as double_q=False" in capfd.readouterr().err


# A weighting of the user's ------------------------------------------------------------


def test_a_weighting_named_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "mine.py"
    file.write_text("def half(x):\n    return x.target * 0 + 0.5\n")
    for spec in (f"{file}:half", "~/mine.py:half"):
        config = loaded(f"weighting={spec}", method="cw_qmix")
        assert config["weighting"] == f"{file}:half"
    with pytest.raises(ConfigError, match="no such function in it"):
        loaded(f"weighting={file}:hlf", method="cw_qmix")
