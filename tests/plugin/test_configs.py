"""Inheritance `fallbacks < host's qmix.yaml < ours`, names, paths, overrides."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from wqmix.errors import ConfigError
from wqmix.plugin.command_line import Update, rewrite, translated
from wqmix.plugin.configs import ConfigFiles, our_learners, our_names
from wqmix.plugin.detect import detect
from wqmix.plugin.hosts import EMBEDDED_ROOT, HOSTS

from .fakes import files_in, make_host

KEYS = {name: name for name in our_learners()}
OURS = ("--config=cw_qmix", "--env-config=own_game")


@pytest.fixture
def files(tmp_path: Path) -> ConfigFiles:
    root = make_host(tmp_path / "host")
    return ConfigFiles(detect(root), root, KEYS)


def written(argument: str) -> dict:
    """Return what is in the file that `--config=` names, read as a host reads it."""
    path = argument.partition("=")[2]
    assert "=" not in path
    return yaml.safe_load(Path(f"{path}.yaml").read_text(encoding="utf-8"))


def test_ours_over_the_hosts_over_fallbacks(files: ConfigFiles) -> None:
    files.host.fallbacks = {"mixing_embed_dim": 99, "only_a_fallback": 1}
    settings = written(rewrite(files, list(OURS)).argv[0])
    assert settings["only_a_fallback"] == 1
    assert settings["mixing_embed_dim"] == 17  # the host's, over the fallback
    assert settings["name"] == "cw_qmix"  # ours, over the host's
    assert settings["alpha"] == 0.1  # ours alone
    assert "inherit" not in settings


def test_ow_inherits_from_cw_and_so_from_the_host(files: ConfigFiles) -> None:
    settings = written(rewrite(files, ["--config=ow_qmix", OURS[1]]).argv[0])
    assert (settings["weighting"], settings["name"]) == ("ow", "ow_qmix")
    assert settings["central_mixing_embed_dim"] == 256
    assert settings["mixing_embed_dim"] == 17


def test_the_hosts_own_configs_pass_as_they_are(files: ConfigFiles) -> None:
    argv = ["--config=qmix", "--env-config=own_game", "with", "w=0.5"]
    assert rewrite(files, argv).argv == argv


def test_nothing_is_written_into_the_checkout(files: ConfigFiles) -> None:
    before = files_in(files.root.parent)
    rewrite(files, list(OURS))
    assert files_in(files.root.parent) == before


def test_our_name_wins_and_host_colon_gives_the_hosts(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    root = make_host(tmp_path, {"config/algs/cw_qmix.yaml": "name: theirs\n"})
    files = ConfigFiles(detect(root), root, KEYS)
    assert written(rewrite(files, list(OURS)).argv[0])["name"] == "cw_qmix"
    assert "--config=host:cw_qmix" in capfd.readouterr().err
    assert rewrite(files, ["--config=host:cw_qmix"]).argv == ["--config=cw_qmix"]


def test_a_host_that_names_its_qmix_otherwise(tmp_path: Path) -> None:
    changes = {
        "config/algs/qmix.yaml": None,
        "config/algs/qmix_smac.yaml": "mixing_embed_dim: 21\n",
        "learners/max_q_learner.py": "\n",
    }
    root = make_host(tmp_path, changes)
    files = ConfigFiles(detect(root), root, KEYS)
    settings = files.resolve(files.locate("algs", "cw_qmix"))
    assert settings["mixing_embed_dim"] == 21


def test_the_learner_goes_by_the_name_it_has_there(files: ConfigFiles) -> None:
    files.learners = {**KEYS, "wqmix_learner": "plugin_wqmix_learner"}
    settings = files.resolve(files.locate("algs", "ow_qmix"))
    assert settings["learner"] == "plugin_wqmix_learner"


@pytest.mark.parametrize("folder", ["plain", "with space", "with=sign"])
def test_a_users_own_yaml_by_its_path(
    files: ConfigFiles, tmp_path: Path, folder: str
) -> None:
    (tmp_path / folder).mkdir()
    mine = tmp_path / folder / "mine.yaml"
    mine.write_text("inherit: cw_qmix\nalpha: 0.75\n")
    for name in (mine, mine.with_suffix("")):
        settings = written(rewrite(files, [f"--config={name}", OURS[1]]).argv[0])
        assert (settings["alpha"], settings["mixing_embed_dim"]) == (0.75, 17)
    plain = tmp_path / folder / "plain.yaml"
    plain.write_text("name: plain\n")
    for option in ("--config", "--env-config"):
        assert written(rewrite(files, [f"{option}={plain}"]).argv[0]) == {
            "name": "plain"
        }


@pytest.mark.parametrize(
    "text, message",
    [
        ("inherit: mine.yaml\n", "inherits from itself (mine.yaml → mine.yaml)"),
        ("inherit: qmux\n", "inherits 'qmux', but PyMARL has no"),
        ("inherit: [qmix\n", "not valid YAML"),
        ("- a\n- b\n", "no 'key: value' settings"),
        ("a: !!python/object/apply:os.system ['true']\n", "is no plain data"),
        ("inherit: ../algs/qmix\n", "inherits '../algs/qmix': a name is needed"),
    ],
)
def test_a_yaml_that_cannot_be_is_refused(
    files: ConfigFiles, tmp_path: Path, text: str, message: str
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    with pytest.raises(ConfigError) as error:
        rewrite(files, [f"--config={mine}", OURS[1]])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_malformed_qmix_yaml_of_the_hosts_is_named(files: ConfigFiles) -> None:
    path = files.root / "config/algs/qmix.yaml"
    path.write_text("lr: [0.1\n")
    with pytest.raises(ConfigError, match=f"{path}: not valid YAML"):
        rewrite(files, list(OURS))


def test_our_yamls_name_each_learner_of_ours() -> None:
    from wqmix.learners import LEARNERS

    assert our_learners() == sorted(LEARNERS)


def test_a_loop_of_inheritance_is_refused(files: ConfigFiles) -> None:
    (files.root / "config/algs/qmix.yaml").write_text("inherit: qmix\n")
    with pytest.raises(ConfigError, match="inherits from itself"):
        rewrite(files, list(OURS))


@pytest.mark.parametrize("kind", ["algs", "envs"])
def test_a_name_does_not_lead_out_of_the_hosts_folder(
    files: ConfigFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outside = files.root / "config" / "outside.yaml"
    outside.write_text("name: outside\n")
    with pytest.raises(ConfigError, match="neither a file nor one of"):
        files.locate(kind, "../outside")
    # A path from where the user is, is the user's own.
    assert files.locate(kind, "host/src/config/outside") == outside.resolve()


@pytest.mark.parametrize(
    "words",
    [
        ["with", "name=../../x"],
        ["with", "name=/tmp/x"],
        ["with", "env_args.map_name=a/../../b"],
        ["--id=../x", "with"],
        ["-i", "/x", "with"],
    ],
)
def test_names_that_lead_elsewhere_are_refused(files: ConfigFiles, words: list) -> None:
    with pytest.raises(ConfigError, match="cannot lead elsewhere"):
        rewrite(files, [*OURS, *words])


# Overrides, checked before the host starts --------------------------------------------


def test_overrides_are_read_as_sacred_reads_them() -> None:
    words = ["alpha=0.5", "name=cw", "env_args.a=[1, 2]", "b=None"]
    assert [(u.name, u.value) for u in map(Update.read, words)] == [
        ("alpha", 0.5),
        ("name", "cw"),
        ("env_args.a", [1, 2]),
        ("b", None),
    ]


@pytest.mark.parametrize(
    "word, message",
    [
        ("alpha=0", "cw_qmix: alpha is 0: a number within (0, 1] is needed"),
        ("alhpa=0.5", "alhpa: PyMARL has no such setting"),
        ("alhpa=0.5", "did you mean 'alpha'?"),
        ("env_args.nap_name=3m", "did you mean 'env_args.map_name'?"),
        ("td_lambda=0.6", "td_lambda: PyMARL has no such setting"),
        ("weighting=cv", "did you mean 'cw'?"),
        ("mixer=None", "PyMARL: mixer=None"),
        ("mixer=qmux", "did you mean 'qmix'?"),
        ("lr=fast", "PyMARL: lr is 'fast': a number > 0 is needed"),
        ("hysteretic_qmix=maybe", "accepted are True (ow) and False (cw)"),
        ("double_q=1", "double_q is 1: True or False is needed"),
    ],
)
def test_a_wrong_override_is_one_message(
    files: ConfigFiles, word: str, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        rewrite(files, [*OURS, "with", word])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_environment_is_named(files: ConfigFiles) -> None:
    with pytest.raises(ConfigError, match="--env-config=NAME is missing.*own_game"):
        rewrite(files, ["--config=cw_qmix"])


def test_known_overrides_pass(files: ConfigFiles) -> None:
    words = ["with", "seed=3", "alpha=1", "env_args.map_name=3s5z", "env_args.seed=1"]
    assert rewrite(files, [*OURS, *words]).argv[2:] == words


def test_sacreds_force_lets_unknown_keys_pass(files: ConfigFiles) -> None:
    words = ["--force", "with", "something_new=1"]
    assert rewrite(files, [*OURS, *words]).argv[2:] == words


@pytest.mark.parametrize(
    "old, new",
    [
        ("w=0.5", ["alpha=0.5"]),
        ("hysteretic_qmix=True", ["weighting=ow"]),
        ("hysteretic_qmix=False", ["weighting=cw"]),
        ("central_mac=basic_central_mac", []),
        ("central_mixer=atten", ["central_mixer=atten"]),
        ("alpha=0.5", ["alpha=0.5"]),
    ],
)
def test_published_names_are_translated(
    old: str, new: list, capfd: pytest.CaptureFixture
) -> None:
    assert [each.spelt() for each in translated(Update.read(old))] == new
    said = capfd.readouterr().err.splitlines()
    assert len(said) == (0 if new == [old] else 1)


def test_a_published_command_line_works(files: ConfigFiles) -> None:
    old = ["with", "w=0.5", "hysteretic_qmix=True", "central_mixer=atten"]
    new = ["with", "alpha=0.5", "weighting=ow", "central_mixer=atten"]
    assert rewrite(files, [*OURS, *old]).argv[2:] == new


# The embedded host, treated as any other ----------------------------------------------


def test_the_embedded_hosts_files_lie_beside_ours() -> None:
    files = ConfigFiles(HOSTS["embedded"], EMBEDDED_ROOT, KEYS)
    game = "--env-config=matrix_game"
    settings = written(rewrite(files, ["--config=cw_qmix", game]).argv[0])
    assert (settings["name"], settings["mixer"]) == ("cw_qmix", "qmix")
    assert rewrite(files, ["--config=qmix"]).argv == ["--config=qmix"]
    assert rewrite(files, [game]).argv == [game]
    assert rewrite(files, [game]).game is None


def test_all_of_ours_resolve_on_the_embedded_host() -> None:
    files = ConfigFiles(HOSTS["embedded"], EMBEDDED_ROOT, KEYS)
    for name in files.ours():
        rewrite(files, [f"--config={name}", "--env-config=matrix_game"])
    assert {"cw_qmix", "ow_qmix"} <= set(files.ours())
    assert "cw_qmix_ns" in set(our_names()) - set(files.ours())


def test_unshared_parameters_come_from_the_hosts_qmix_ns(tmp_path: Path) -> None:
    text = "name: qmix_ns\nlearner: q_learner\nmac: non_shared_mac\nmixer: qmix\n"
    root = make_host(tmp_path, {"config/algs/qmix_ns.yaml": text})
    files = ConfigFiles(detect(root), root, KEYS)
    settings = written(rewrite(files, ["--config=ow_qmix_ns", OURS[1]]).argv[0])
    assert (settings["mac"], settings["weighting"]) == ("non_shared_mac", "ow")
    assert settings["learner"] == "wqmix_learner"
    assert settings["central_agent"] == "central_rnn_ns"


def test_a_host_without_qmix_ns_says_so(files: ConfigFiles) -> None:
    with pytest.raises(ConfigError, match="inherits 'qmix_ns', but PyMARL has no"):
        rewrite(files, ["--config=cw_qmix_ns", OURS[1]])


def test_an_heir_of_the_hosts_own_is_the_hosts(
    files: ConfigFiles, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("inherit: qmix\nlr: 0.1\n")
    argv = rewrite(files, [f"--config={mine}", OURS[1], "with", "w=1"]).argv
    assert written(argv[0])["lr"] == 0.1
    assert argv[2:] == ["with", "w=1"]  # not ours to check or translate


def test_a_game_of_ours_reads_as_the_hosts_mains_need(files: ConfigFiles) -> None:
    line = rewrite(files, ["--env-config=predator_prey"])
    assert line.game == "predator_prey"
    settings = written(line.argv[0])
    assert settings["env"] == "wqmix_predator_prey"
    assert settings["env_args"]["map_name"] == "predator_prey"
    assert settings["env_args"]["n_agents"] == 8
