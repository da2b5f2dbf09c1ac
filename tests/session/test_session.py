"""`wqmix.get_runner`: training, testing, saving and loading from Python."""

from __future__ import annotations

import importlib.util
import logging
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import wqmix
from wqmix.errors import ConfigError, WQMixError
from wqmix.host import envs
from wqmix.host.errors import HostError
from wqmix.host.main import main as host_main
from wqmix.session.tables import Table

SHORT = {"batch_size": 8, "learner_log_interval": 50, "use_cuda": False, "seed": 1}


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("pymarl").setLevel(logging.ERROR)


def runner(env="matrix_game", method="cw_qmix", **settings):
    return wqmix.get_runner(method, env, **{**SHORT, "t_max": 100, **settings})


class Meet:
    """Two agents choose 0 or 1, three times; 1 for the same, 0 otherwise."""

    n_agents, episode_limit = 2, 3

    def __init__(self, bonus=0.0, seed=None):
        self.bonus = bonus

    def reset(self):
        self.t = 0

    def step(self, actions):
        self.t += 1
        reward = float(actions[0] == actions[1]) + self.bonus
        return reward, self.t == 3, {"episode_limit": False}

    def get_obs(self):
        return np.full((2, 1), self.t)

    def get_state(self):
        return np.full(1, self.t)

    def get_avail_actions(self):
        return np.ones((2, 2))

    def get_env_info(self):
        return {
            "n_agents": 2,
            "n_actions": 2,
            "obs_shape": 1,
            "state_shape": 1,
            "episode_limit": 3,
        }

    def close(self):
        pass


# Settings -----------------------------------------------------------------------------


def test_where_settings_come_from_and_which_win(tmp_path: Path) -> None:
    """The method's < config_path < keywords; env_id is the environment's own key."""
    file = tmp_path / "my.yaml"
    file.write_text("t_max: 70\nalpha: 0.3\nenv_args: {game: mild}\nlabel: 'no'\n")
    with runner(config_path=str(file), t_max=80) as made:
        args = made.args
        assert (args.t_max, args.alpha, args.env_args["game"]) == (80, 0.3, "mild")
        assert args.label == "no"
    with runner(config_path=str(file), env_id="strong", label="12") as made:
        assert made.args.env_args["game"] == "strong"
        assert made.args.label == "12", "text stays text"


def test_files_are_named_by_paths_too(tmp_path: Path) -> None:
    method, env = tmp_path / "mine.yaml", tmp_path / "game.yaml"
    method.write_text("inherit: cw_qmix\nalpha: 0.3\n")
    env.write_text("env: matrix_game\nenv_args: {game: mild}\n")
    with runner(env, method) as made:
        assert (made.args.alpha, made.args.env_args["game"]) == (0.3, "mild")


@pytest.mark.parametrize(
    "settings, part",
    [
        ({"env": "matrix_gam"}, "did you mean 'matrix_game'?"),
        ({"method": "cw_qmx"}, "did you mean 'cw_qmix'?"),
        ({"alhpa": 0.5}, "did you mean 'alpha'?"),
        ({"alpha": 2}, "alpha"),
        ({"env": "predator_prey", "env_id": "x"}, "env_id: predator_prey is one game"),
        ({"env_id": "papper"}, "did you mean 'paper'?"),
        ({"config_path": "nowhere.yaml"}, "nowhere.yaml: cannot be read"),
        ({"method": None}, "method is None: a name or a YAML's path"),
        ({"env": None}, "env is of type NoneType: hand over the class or its name"),
        ({"env": 3}, "env is of type int"),
    ],
)
def test_a_mistake_is_one_clear_line(settings: dict, part: str) -> None:
    with pytest.raises((WQMixError, HostError)) as error:
        runner(**settings)
    assert part in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("method", ["qmix", "cw_qmix"])
@pytest.mark.parametrize("text", ["lrr: 1\n", "env_args: {gane: mild}\n"])
def test_a_misspelt_key_in_a_file_names_the_file(
    tmp_path: Path, method: str, text: str
) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="did you mean '(lr|env_args.game)'") as error:
        runner(method=method, config_path=str(file), t_max=5)
    assert str(error.value).startswith(f"{file}: ")


def test_an_object_is_no_class() -> None:
    with pytest.raises(ConfigError, match="env is of type Meet: hand over the class"):
        runner(Meet())


def test_a_class_of_ones_own() -> None:
    with runner(Meet, "qmix", env_args={"bonus": 1.0}) as made:
        assert made.evaluate(2)["ep_length_mean"] == 3
        assert 3 <= made.evaluate()["return_mean"] <= 6


def test_a_registered_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    wqmix.host.register_env("meet", Meet)
    registered = envs.REGISTRY.pop("meet")
    monkeypatch.setitem(envs.REGISTRY, "meet", registered)  # and gone afterwards
    with runner("meet", "qmix", runner="vector", batch_size_run=2) as made:
        assert made.play(4) == 12
        assert made.episodes == 4


def test_a_registered_name_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(envs.REGISTRY, "rendezvous", Meet)
    with pytest.raises(ConfigError, match=r"registered are .*'rendezvous'\?\)"):
        runner("rendezvos")


@pytest.mark.parametrize("arguments", [("x", 3), (3, dict), ("x", Meet, 3)])
def test_what_cannot_be_registered(arguments: tuple) -> None:
    with pytest.raises(HostError, match="class or function"):
        wqmix.host.register_env(*arguments)
    assert not {"x", 3} & set(envs.REGISTRY)


def test_a_broken_class_is_refused_before_training() -> None:
    broken = type("Broken", (Meet,), {"get_state": lambda self: [1.0, 2.0]})
    with pytest.raises(HostError, match=r"get_state returned shape \(2,\)"):
        runner(broken, "qmix")


# Random numbers -----------------------------------------------------------------------

SHARED = {"t_max": 40, "test_interval": 20, "test_nepisode": 2, "epsilon_finish": 1.0}


def parts_of_a_run(made, between=lambda: None) -> list:
    """What each kind of call of one runner gives, with other code in between."""
    found = []
    for call in (
        lambda: made.rollout(test_mode=False)["actions"].flatten().tolist(),
        lambda: made.play(10),
        lambda: made.evaluate(4),
        lambda: dict(made.run()),
        lambda: torch.cat([p.flatten() for p in made.learner.params]).tolist(),
    ):
        between()
        found.append(call())
    return found


@pytest.mark.parametrize("method", ["qmix", "cw_qmix"])
def test_a_seed_gives_the_same_beside_others(method: str) -> None:
    """Nothing that draws meanwhile, another runner among it, changes what it gives."""
    with runner(method=method, **SHARED) as alone:
        expected = parts_of_a_run(alone)
    with runner(method=method, **SHARED) as made, runner(seed=2, **SHARED) as other:

        def between() -> None:
            np.random.rand(3)
            torch.rand(3)
            other.play(1)

        assert parts_of_a_run(made, between) == expected
    with runner(method=method, **{**SHARED, "seed": 2}) as second:
        assert parts_of_a_run(second) != expected


def test_the_user_s_random_numbers_stay_the_user_s() -> None:
    def drawn(work) -> list:
        random.seed(7)
        np.random.seed(7)
        torch.manual_seed(7)
        work()
        return [random.random(), np.random.rand(), torch.rand(1).item()]

    def work() -> None:
        with runner(**SHARED) as made:
            made.play(9)
            made.run()

    assert drawn(work) == drawn(lambda: None)


def test_what_was_saved_between_other_work_goes_on_exactly(tmp_path: Path) -> None:
    """A checkpoint holds the runner's own random numbers, not the user's."""
    settings = {"method": "qmix", "save_buffer": True, "epsilon_finish": 1.0}
    with runner(t_max=20, **settings) as first:
        first.run()
        torch.manual_seed(99)
        first.save(tmp_path)
        expected = first.rollout(test_mode=False)["actions"]
    place = {"checkpoint_path": str(tmp_path), "resume": True}
    with runner(t_max=20, **settings, **place) as second:
        assert torch.equal(second.rollout(test_mode=False)["actions"], expected)


# Training and testing -----------------------------------------------------------------


class Hump(Meet):
    """Pays the more the nearer its episode is to its 5th, whatever is done."""

    episode = 0

    def reset(self):
        super().reset()
        self.episode += 1

    def step(self, actions):
        return (-abs(self.episode - 5.0), *super().step(actions)[1:])


def test_a_benchmark_keeps_the_best(tmp_path: Path) -> None:
    """Its table has each test, and what is left are the networks of the best one."""
    schedule = {"t_max": 300, "test_interval": 90, "test_nepisode": 2}
    with runner(Hump, "qmix", **schedule) as made:
        table = made.benchmark(str(tmp_path / "best"))
        returns = [row["test_return_mean"] for row in table]
        best = table[int(np.argmax(returns))]["t_env"]
        assert len(table) == 5 and table[0]["t_env"] < best < table[-1]["t_env"]
        assert made.best_path == str(tmp_path / "best" / str(best))
        kept = [p.name for p in (tmp_path / "best").iterdir() if p.name.isdigit()]
        assert kept == [str(best)]
        trained = [p.detach().clone() for p in made.learner.params]
        made.load(made.best_path)
        assert all(torch.equal(p, q) for p, q in zip(trained, made.learner.params))


def test_what_benchmark_keeps_for_itself_goes_in_the_end() -> None:
    made = runner(t_max=5)
    made.benchmark()
    path = Path(made.best_path)
    assert path.is_dir()
    made.finish()
    assert not path.exists()


def test_two_benchmarks_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with runner(t_max=5) as made:
        made.benchmark()
        first = made.best_path
        made.benchmark()
        assert made.best_path == first, "the best of all tests so far"
    folders = [p for p in tmp_path.iterdir() if list(p.rglob("*.th"))]
    assert folders == []


def test_a_benchmark_that_comes_too_late_says_so() -> None:
    with runner(t_max=5) as made:
        made.run()
        with pytest.raises(WQMixError, match=r"call it instead of run\(\)"):
            made.benchmark()


@pytest.mark.parametrize("method", ["play", "evaluate"])
@pytest.mark.parametrize("episodes", [0, -1, 2.5, "5", True])
def test_episodes_are_counted_in_whole_numbers(method: str, episodes: object) -> None:
    with runner() as made, pytest.raises(ConfigError, match="whole number >= 1") as e:
        getattr(made, method)(episodes)
    assert repr(episodes) in str(e.value)


def test_episodes_are_rounded_up_to_whole_rollouts() -> None:
    with runner(Meet, "qmix", runner="vector", batch_size_run=4) as made:
        assert (made.play(1), made.episodes) == (4 * 3, 4)
        assert (made.play(5), made.episodes) == (8 * 3, 12)


CALLS = {
    "run": (),
    "benchmark": (),
    "evaluate": (1,),
    "play": (1,),
    "rollout": (),
    "save": ("here",),
    "load": ("here",),
}


@pytest.mark.parametrize("method", CALLS)
def test_nothing_runs_after_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made = runner(t_max=5)
    made.run()
    made.finish()
    with pytest.raises(WQMixError, match=rf"{method}\(\) after finish\(\)"):
        getattr(made, method)(*CALLS[method])
    made.finish()  # once more does no harm
    assert list(tmp_path.iterdir()) == [] and made.table()


def test_evaluating_leaves_no_trace(tmp_path: Path) -> None:
    with runner() as made:
        made.run()
        before = {key: list(pairs) for key, pairs in made.stats.items()}
        result = made.evaluate(3)
        assert made.stats == before
        assert set(result) >= {"return_mean", "return_std", "ep_length_mean"}
        assert result["return_mean"] == made.stats["test_return_mean"][-1][1]


def test_save_and_load_carry_the_networks_over(tmp_path: Path) -> None:
    with runner() as first, runner(seed=2) as second:
        first.run()
        path = first.save(tmp_path / "kept")  # a Path will do, and text
        assert Path(path) == tmp_path / "kept" / "101"
        second.load(tmp_path / "kept")
        pairs = zip(first.learner.params, second.learner.params)
        assert all(torch.equal(p, q) for p, q in pairs)
        assert second.evaluate() == first.evaluate()
        second.load(path)


def test_the_command_line_goes_on_from_what_was_saved(tmp_path: Path) -> None:
    settings = {"save_buffer": True, "t_max": 40}
    with runner(method="qmix", **settings) as made:
        made.run()
        made.save(str(tmp_path / "kept"))
    words = ["--config=qmix", "--env-config=matrix_game", "with", "resume=True"]
    words += [f"checkpoint_path={tmp_path / 'kept'}", "t_max=60", "batch_size=8"]
    words += [f"local_results_path={tmp_path / 'results'}", "save_model=True"]
    assert host_main([*words, "save_buffer=True", "use_cuda=False"]) == 0
    assert (tmp_path / "kept" / "61").is_dir()


@pytest.mark.parametrize("missing", ["nowhere", "empty"])
def test_nothing_to_load_is_one_line(tmp_path: Path, missing: str) -> None:
    (tmp_path / "empty").mkdir()
    with runner() as made, pytest.raises(HostError) as error:
        made.load(str(tmp_path / missing))
    assert missing in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "method, kind", [("cw_qmix", WQMixError), ("qmix", HostError), ("iql", HostError)]
)
def test_another_network_s_checkpoint_is_one_line(
    tmp_path: Path, method: str, kind: type
) -> None:
    with runner(method=method, rnn_hidden_dim=8) as made:
        path = made.save(tmp_path)
    with runner(method=method) as made, pytest.raises(kind, match="other") as error:
        made.load(path)
    assert path in str(error.value) and "\n" not in str(error.value)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with runner() as made, pytest.raises(WQMixError, match="file"):
        made.save(str(tmp_path / "file" / "below"))


# Tables -------------------------------------------------------------------------------

STATS = {"a": [(1, 0.5), (3, 2.0)], "test_b": [(1, 4.0)], "test_<": [(2, 7.0)]}


def test_a_table_has_a_row_for_each_step() -> None:
    rows = [{"t_env": 1, "a": 0.5, "test_b": 4.0}, {"t_env": 2, "test_<": 7.0}]
    assert Table.of_stats(STATS) == [*rows, {"t_env": 3, "a": 2.0}]
    assert Table.of_stats(STATS, "test_") == [{"t_env": 1, "test_b": 4.0}, rows[1]]


def test_a_table_reads_well_in_a_terminal_and_a_notebook() -> None:
    table = Table.of_stats(STATS, "test_")
    assert repr(table).splitlines() == [
        "t_env  test_b  test_<",
        "    1       4        ",
        "    2               7",
    ]
    assert "<th>test_&lt;</th>" in table._repr_html_()
    assert "<tr><td>1</td><td>4</td><td></td></tr>" in table._repr_html_()


@pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas")
def test_a_data_frame_where_there_is_pandas() -> None:
    frame = Table.of_stats(STATS).frame()
    assert list(frame.columns) == ["t_env", "a", "test_b", "test_<"]
    assert frame["a"].tolist()[::2] == [0.5, 2.0]


def test_no_data_frame_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match="pip install pandas"):
        Table.of_stats(STATS).frame()
