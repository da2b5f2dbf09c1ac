"""Recipes: laid under the command line, over every algorithm, in every host."""

from __future__ import annotations

from pathlib import Path

import pytest

import wqmix
from wqmix.__main__ import main
from wqmix.errors import ConfigError
from wqmix.plugin import recipes
from wqmix.plugin.command_line import Update, rewrite
from wqmix.plugin.configs import ConfigFiles
from wqmix.plugin.detect import detect
from wqmix.plugin.hosts import EMBEDDED_ROOT, HOSTS
from wqmix.plugin.hosts.base import merged
from wqmix.plugin.registration import learner_keys

from .fakes import make_host

PREY = "--env-config=predator_prey"


def updates(argv: list) -> dict:
    """The settings after `with`."""
    read = map(Update.read, argv[argv.index("with") + 1 :])
    return {update.name: update.value for update in read}


def embedded() -> ConfigFiles:
    return ConfigFiles(HOSTS["embedded"], EMBEDDED_ROOT, learner_keys(EMBEDDED_ROOT))


def words(argv: list) -> dict:
    return updates(rewrite(embedded(), argv).argv)


@pytest.mark.parametrize("algorithm", ["iql", "vdn", "qmix", "cw_qmix", "ow_qmix"])
def test_the_same_settings_for_every_algorithm(algorithm: str) -> None:
    found = words([f"--config={algorithm}", PREY, "--recipe", "pymarl2/smac"])
    assert (found["lr"], found["batch_size"], found["runner"]) == (0.001, 128, "vector")
    assert found.get("alpha") == {"cw_qmix": 0.75, "ow_qmix": 0.5}.get(algorithm)
    assert ("mixing_embed_dim" in found) == ("qmix" in algorithm)


def test_alpha_goes_by_the_weighting_that_is_used() -> None:
    line = ["--config=cw_qmix", PREY, "--recipe=paper/smac", "with"]
    assert words([*line, "weighting=ow"])["alpha"] == 0.5
    assert "alpha" not in words([*line, "weighting=uniform"])


def test_what_a_recipe_says_wins_over_all_that_it_inherits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over what that says for a weighting or a host, too: alpha, runner."""
    monkeypatch.chdir(tmp_path)
    text = "inherit: pymarl2/smac\nsettings: {alpha: 0.3, runner: episode}\n"
    Path("mine.yaml").write_text(text)
    found = words(["--config=cw_qmix", PREY, "--recipe=mine.yaml"])
    assert (found["alpha"], found["runner"], found["lr"]) == (0.3, "episode", 0.001)


def test_the_command_line_wins(tmp_path: Path) -> None:
    line = ["--config=cw_qmix", PREY, "--recipe=pymarl2/smac", "with", "lr=0.5"]
    command = rewrite(embedded(), line).argv
    assert [word for word in command if word.startswith("lr=")] == ["lr=0.5"]


def test_keys_that_a_host_lacks_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    root = make_host(tmp_path)
    files = ConfigFiles(detect(root), root, {"wqmix_learner": "wqmix_learner"})
    line = ["--config=qmix", "--env-config=own_game", "--recipe=paper/smac"]
    assert updates(rewrite(files, line).argv) == {
        "lr": 0.0005,
        "gamma": 0.99,
        "grad_norm_clip": 10,
        "target_update_interval": 200,
        "mixing_embed_dim": 32,
    }
    said = capfd.readouterr().err
    assert "recipe paper/smac: left out, as PyMARL has no such setting" in said
    assert "batch_size, buffer_size, epsilon_start" in said


def test_epymarl_takes_its_own_names() -> None:
    found = recipes.settings("pymarl2/3s5z_vs_3s6z", "epymarl", "cw")
    assert (found["hidden_dim"], found["target_update_interval_or_tau"]) == (256, 50)
    assert (found["batch_size_run"], found["td_lambda"]) == (
        4,
        0.6,
    )  # the second: below


@pytest.mark.parametrize("name", recipes.names())
def test_each_recipe_has_a_source_and_only_known_keys(name: str) -> None:
    """A key of no host's is a misspelt one: all that some algorithm of ours knows."""
    first = recipes.locate(name).read_text(encoding="utf-8").split("\n", 1)[0]
    assert first.startswith("# ") and len(first) > 30
    files = embedded()
    layers = [files.resolve(files.locate("algs", each)) for each in files.ours()]
    known = {*merged(files.defaults(), *layers), *OF_OTHER_HOSTS}
    recipe = merged(*recipes.lineage(name))
    parts = [recipe["settings"], *recipe.get("weightings", {}).values()]
    parts += recipe.get("hosts", {}).values()
    assert {key for part in parts for key in part} <= known
    assert set(recipe.get("hosts", {})) <= set(HOSTS)


def test_all_recipes_are_listed_and_described(capsys: pytest.CaptureFixture) -> None:
    """`wqmix list recipes`; those that are ours, tuned, say so; the page has all."""
    assert main(["list", "recipes"]) == 0
    listed = dict(
        line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:]
    )
    assert list(listed) == recipes.names()
    ours = {name for name, about in listed.items() if about.startswith("Ours, tuned")}
    assert ours == {"lbf", "predator_prey", "smax"}
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
    assert [name for name in listed if f"`{name}`" not in page] == []


def test_ours_for_predator_prey_differs_in_alpha_alone() -> None:
    qmix, cw_qmix = (
        words([f"--config={name}", PREY, "--recipe=predator_prey"])
        for name in ("qmix", "cw_qmix")
    )
    assert {key for key in cw_qmix if cw_qmix[key] != qmix.get(key)} == {"alpha"}
    assert (qmix["lr"], qmix["batch_size"], qmix["batch_size_run"]) == (0.002, 128, 8)
    assert cw_qmix["alpha"] == 0.1


OF_OTHER_HOSTS = {"hidden_dim", "use_rnn", "target_update_interval_or_tau"}
OF_OTHER_HOSTS |= {"standardise_rewards", "standardise_returns", "td_lambda"}


@pytest.mark.parametrize(
    "text, message",
    [
        ("setings: {lr: 1}\n", "setings: not one of .*did you mean 'settings'"),
        ("settings: 3\n", "`key: value` lines are needed"),
        ("hosts: {embedded: 3}\n", "`key: value` lines are needed"),
        ("inherit: ../mine\n", "the name of a recipe is needed"),
        ("inherit: mine\n", "inherits from itself"),
    ],
)
def test_a_recipe_of_ones_own_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        words(["--config=qmix", PREY, "--recipe=mine"])


@pytest.mark.parametrize(
    "line", [["--recipe"], ["--recipe", "with"], ["--recipe="], ["--recipe=a"] * 2]
)
def test_the_option_needs_one_name(line: list) -> None:
    with pytest.raises(ConfigError, match="write --recipe=NAME, once"):
        recipes.taken(line)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'paper/smac'"):
        words(["--config=qmix", PREY, "--recipe=paper/smax"])


def test_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"recipe": "pymarl2/smac", "buffer_size": 256, "t_max": 10}
    with wqmix.get_runner("qmix", "matrix_game", **given) as runner:
        assert (runner.args.batch_size, runner.args.buffer_size) == (128, 256)
