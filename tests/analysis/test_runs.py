"""Sacred's folders as hosts leave them, whole or not, and how runs are grouped."""

from __future__ import annotations

import json

import pytest

from wqmix.analysis.folders import run_folders
from wqmix.analysis.groups import env_of, in_order, name_all
from wqmix.analysis.runs import read_all, read_run
from wqmix.analysis.salvage import salvage
from wqmix.config.reading import ReadingError
from wqmix.errors import ConfigError

from .folders_of_runs import write_run

METRIC = "test_return_mean"


@pytest.mark.parametrize(
    "text, found",
    [
        ('{"a": [1, 2, 3], "b": [4, 5', {"a": [1, 2, 3], "b": [4]}),
        ('{"a": [1, 2], "b": {"value": 3.5', {"a": [1, 2], "b": {}}),
        (
            '{"a": [{"value": 1}, {"value": 2}, {"val',
            {"a": [{"value": 1}, {"value": 2}, {}]},
        ),
        ('{"a": 1, "b', {"a": 1}),
        ('{"a, [": 1, "b": 2, "c": "x, y', {"a, [": 1, "b": 2}),
        ('{"a": "\\"}", "b": 1, ', {"a": '"}', "b": 1}),
        ("{", {}),
        ("[1, 2", [1]),
    ],
)
def test_the_whole_part_of_a_cut_off_file_is_read(text, found):
    assert salvage(text) == found


@pytest.mark.parametrize("text", ["", "x", '"text', "}", "[" * 200])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ReadingError):
        salvage(text)


def test_every_beginning_of_a_file_is_a_beginning_of_its_values(tmp_path):
    whole = {"other": [9.5] * 3, METRIC: [1.5, 2.5, 3.5], f"{METRIC}_T": [0, 10, 20]}
    content = json.dumps(whole, indent=2)
    folder = write_run(tmp_path / "1")
    lengths = []
    for cut in range(len(content)):
        (folder / "info.json").write_text(content[:cut])
        record = read_run(folder, "", METRIC)
        n = len(record.values)
        lengths.append(n)
        assert record.values.tolist() == [1.5, 2.5, 3.5][:n]
        assert record.steps.tolist() == [0, 10, 20][:n]
        assert any("info.json" in said for said in record.remarks)
    assert lengths == sorted(lengths) and set(lengths) == {0, 1, 2, 3}


def test_both_forms_of_numbers(tmp_path):
    forms = [
        1,
        {"dtype": "float64", "py/object": "numpy.float64", "value": 2.5},
        {"dtype": "float32", "value": 3},
        {"py/reduce": [{"py/function": "torch._utils._rebuild_tensor_v2"}]},
        None,
        True,
        "7",
        float("nan"),
        float("inf"),
        10**400,
        4.0,
    ]
    steps = [{"value": 10 * i} for i in range(len(forms))]
    record = read_run(write_run(tmp_path / "1", values=forms, steps=steps), "", METRIC)
    assert record.values.tolist() == [1, 2.5, 3, 4] and record.steps.tolist() == [
        *(0, 10, 20, 100)
    ]
    assert record.remarks == [
        "7 values left out: the value or its step is no number, or out of bounds"
    ]


def test_metrics_json_with_its_time_stamps(tmp_path):
    """EPyMARL writes both files; here info.json is the shorter one."""
    moments = [f"2026-01-01T1{hour}:30:00.000000" for hour in (0, 1, 2)]
    metrics = {METRIC: {"steps": [0, 5, 9], "values": [1, 2, 3], "timestamps": moments}}
    folder = write_run(tmp_path / "1", metrics=metrics, values=[1], steps=[0])
    record = read_run(folder, "", METRIC)
    assert record.values.tolist() == [1, 2, 3]
    assert record.seconds.tolist() == [1800, 5400, 9000]  # from 10:00
    assert record.clock == "time stamps"


def test_time_from_the_console_past_midnight(tmp_path):
    folder = write_run(tmp_path / "1", steps=(0, 200))
    (folder / "cout.txt").write_text(
        "[INFO 23:59:00] my_main Beginning training\n"
        "[INFO 23:59:30] my_main t_env: 100 / 400\nno clock, t_env: 7\n"
        "[INFO 00:00:30] my_main t_env: 200 / 400\n"
    )
    record = read_run(folder, "", METRIC)
    assert record.clock == "log" and record.seconds.tolist() == [0, 90]


def test_time_before_the_console_s_first_step(tmp_path):
    """It goes by from the start on: the first line was written after 40 seconds."""
    folder = write_run(tmp_path / "1", values=[1] * 4, steps=(0, 50, 100, 200))
    (folder / "cout.txt").write_text(
        "[INFO 10:00:00] my_main Beginning training\n"
        "[INFO 10:00:40] my_main t_env: 100 / 400\n"
        "[INFO 10:01:00] my_main t_env: 200 / 400\n"
    )
    assert read_run(folder, "", METRIC).seconds.tolist() == [0, 20, 40, 60]


def test_a_clock_that_is_set_back_is_no_midnight(tmp_path):
    folder = write_run(tmp_path / "1", values=[1] * 4, steps=(0, 100, 200, 300))
    (folder / "cout.txt").write_text(
        "[INFO 23:00:00] my_main Beginning training\n"
        "[INFO 23:10:00] my_main t_env: 100 / 400\n"
        "[INFO 23:00:30] my_main t_env: 200 / 400\n"
        "[INFO 00:10:00] my_main t_env: 300 / 400\n"
    )
    assert read_run(folder, "", METRIC).seconds.tolist() == [0, 600, 600, 4200]


@pytest.mark.parametrize("log", ["", "[INFO 10:00:00] t_env: 90\n[INFO 10:01:00] x\n"])
def test_a_resumed_run_has_no_clock(tmp_path, log):
    """It has the values of all sessions, and the times of the last alone."""
    folder = write_run(tmp_path / "1", resume=True)
    (folder / "cout.txt").write_text(log)
    assert read_run(folder, "", METRIC).seconds is None


def test_time_from_start_and_end(tmp_path):
    record = read_run(write_run(tmp_path / "1", steps=(0, 100)), "", METRIC)
    assert record.seconds.tolist() == [0, 7200]
    assert record.clock == "start and end, at constant speed"


def test_steps_and_values_that_cannot_be(tmp_path):
    folder = write_run(tmp_path / "1", steps=(-5, 0, 1e300, 9), values=(1, 2, 3, 1e300))
    record = read_run(folder, "", METRIC)
    assert record.steps.tolist() == [0] and record.values.tolist() == [2]


def test_steps_are_ascending_and_the_last_of_equal_ones_wins(tmp_path):
    folder = write_run(tmp_path / "1", steps=(50, 0, 50), values=(1, 2, 3))
    record = read_run(folder, "", METRIC)
    assert record.steps.tolist() == [0, 50] and record.values.tolist() == [2, 3]


def test_folders_are_found_at_any_depth_and_others_passed_over(tmp_path):
    write_run(tmp_path / "sacred" / "10")
    write_run(tmp_path / "sacred" / "9")
    write_run(tmp_path / "sacred" / "3s5z" / "qmix" / "1")
    (tmp_path / "sacred" / "_sources").mkdir()
    (tmp_path / "sacred" / "_sources" / "config.json").write_text("{}")
    found = [str(folder.relative_to(tmp_path)) for folder in run_folders(tmp_path)]
    assert found == ["sacred/9", "sacred/10", "sacred/3s5z/qmix/1"]


def test_links_are_followed_each_place_once(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    run = write_run(outside / "sacred" / "1")
    inside.mkdir()
    (inside / "linked").symlink_to(outside)
    (inside / "same").symlink_to(run)
    (outside / "back").symlink_to(inside)  # in a circle
    (outside / "gone").symlink_to(tmp_path / "absent")
    (folder,) = run_folders(inside)
    assert folder.resolve() == run


def test_empty_and_wrong_places_are_one_line(tmp_path):
    with pytest.raises(ConfigError, match="no run in it"):
        read_all([str(tmp_path)], METRIC)
    with pytest.raises(ConfigError, match="absent: no such folder$"):
        read_all([str(tmp_path / "absent")], METRIC)
    write_run(tmp_path / "1")
    with pytest.raises(ConfigError, match="did you mean 'test_return_mean'"):
        read_all([str(tmp_path)], "test_retrun_mean")
    write_run(tmp_path / "empty" / "1", values=(), steps=())
    with pytest.raises(ConfigError, match="no run .* that counts .it is empty"):
        read_all([str(tmp_path / "empty")], METRIC)
    (tmp_path / "1" / "config.json").unlink()
    with pytest.raises(ConfigError, match="that counts .*does not tell the algorithm"):
        read_all([str(tmp_path / "1")], METRIC)


def names_of(records):
    algorithms, tasks, remarks = name_all(records)
    return list(zip(algorithms, tasks)), remarks


def test_settings_that_differ_are_part_of_the_name(tmp_path):
    write_run(tmp_path / "1", "cw_qmix", alpha=0.1, seed=1)
    write_run(tmp_path / "2", "cw_qmix", alpha=0.1, seed=2, t_max=999)
    write_run(tmp_path / "3", "cw_qmix", alpha=0.5, seed=1)
    write_run(tmp_path / "4", "qmix", seed=1)
    names, remarks = names_of(read_all([str(tmp_path)], METRIC))
    low, high = ("cw_qmix alpha=0.1", "3s5z"), ("cw_qmix alpha=0.5", "3s5z")
    assert names == [low, low, high, ("qmix", "3s5z")] and not remarks


def test_a_setting_may_differ_from_task_to_task(tmp_path):
    """As alpha does in the paper: 0.1 on predator-prey, 0.5 and more on SMAC."""
    write_run(tmp_path / "1", "cw_qmix", "3s5z", alpha=0.5)
    write_run(tmp_path / "2", "cw_qmix", "prey", alpha=0.1)
    names, _ = names_of(read_all([str(tmp_path)], METRIC))
    assert names == [("cw_qmix", "3s5z"), ("cw_qmix", "prey")]


def test_tasks_by_their_arguments(tmp_path):
    for number, punishment in enumerate((0, -2, -2)):
        env_args = {"map_name": None, "miscapture_punishment": punishment}
        write_run(tmp_path / str(number), env="wqmix_prey", env_args=env_args)
    names, _ = names_of(read_all([str(tmp_path)], METRIC))
    assert [task for _, task in names] == [
        "prey miscapture_punishment=0",
        "prey miscapture_punishment=-2",
        "prey miscapture_punishment=-2",
    ]


def test_names_are_sorted_by_their_numbers():
    names = ["a p=-2", "3s5z", "a p=1e-05", "10m", "a p=0.5", "3s_vs_5z", "5m", ""]
    assert sorted(names, key=in_order) == [
        *("", "3s5z", "3s_vs_5z", "5m", "10m", "a p=-2", "a p=1e-05", "a p=0.5")
    ]


def test_a_game_of_ours_says_what_is_not_as_in_its_file(tmp_path):
    """Of 5 x 5 cells and 4 agents it is not the paper's predator-prey."""
    usual = {"map_name": None, "world_shape": [10, 10], "n_agents": 8, "n_prey": 8}
    small = {**usual, "world_shape": [5, 5], "n_agents": 4}
    write_run(tmp_path / "1", env="predator_prey", env_args=small)
    (task,) = {task for _, task in names_of(read_all([str(tmp_path)], METRIC))[0]}
    assert task == "predator_prey world_shape=5x5 n_agents=4"
    prey = {"env": "wqmix_predator_prey", "base_dir": "/hosts/epymarl/src"}
    write_run(tmp_path / "2", env_args=small, **prey)
    write_run(tmp_path / "3", env="predator_prey", env_args=usual)
    names, _ = names_of(read_all([str(tmp_path)], METRIC))
    assert [name for _, name in names] == [
        *2 * ["predator_prey world_shape=5x5 n_agents=4"],
        "predator_prey world_shape=10x10 n_agents=8",
    ]
    (tmp_path / "own").mkdir()
    write_run(tmp_path / "own" / "1", env="predator_prey", env_args=usual)
    payoff = {"map_name": None, "payoff": [[8, -12, -12], [-12, 0, 0], [-12, 0, 0.5]]}
    write_run(tmp_path / "own" / "2", env="matrix_game", env_args=payoff)
    names, _ = names_of(read_all([str(tmp_path / "own")], METRIC))
    assert [name for _, name in names] == [
        "predator_prey",
        "matrix_game payoff=[[8,-12,-12],[-12,0,0],[- … #1",
    ]


def test_what_tells_the_runs_of_one_apart_is_said_of_all_that_have_it(tmp_path):
    for number, (name, alpha) in enumerate(
        (("cw_qmix", 0.1), ("cw_qmix", 0.5), ("ow_qmix", 0.1))
    ):
        write_run(tmp_path / str(number), name, alpha=alpha)
    names, _ = names_of(read_all([str(tmp_path)], METRIC))
    assert [name for name, _ in names][2] == "ow_qmix alpha=0.1"
    write_run(tmp_path / "3", "ow_qmix", "prey", alpha=0.5)  # as it may on other tasks
    names, _ = names_of(read_all([str(tmp_path)], METRIC))
    assert [name for name, _ in names][2:] == ["ow_qmix", "ow_qmix"]


def test_an_argument_that_only_some_runs_have_makes_another_task(tmp_path):
    """SMAX's rewards came to be scaled: 2 and 20 of them are not the same return."""
    for number, more in enumerate(({}, {"options": {}}, {"reward_scale": 10})):
        write_run(tmp_path / str(number), task="2s3z", env_args=more, seed=number)
    names, _ = names_of(read_all([str(tmp_path)], METRIC))
    assert [task for _, task in names] == ["2s3z", "2s3z", "2s3z reward_scale=10"]


def test_hosts_have_arguments_of_their_own_for_the_same_task(tmp_path):
    more = {"common_reward": True}
    write_run(tmp_path / "1", env_args=more, base_dir="/a/main/host", seed=1)
    write_run(tmp_path / "2", env_args=more, base_dir="/b/wqmix/host", seed=2)
    write_run(tmp_path / "3", base_dir="/hosts/epymarl/src", seed=3)
    write_run(tmp_path / "4", base_dir="C:\\hosts\\epymarl\\src", seed=4)
    records = read_all([str(tmp_path)], METRIC)
    assert [record.host for record in records] == ["host", "host", *2 * ["epymarl"]]
    assert {task for _, task in names_of(records)[0]} == {"3s5z"}


def test_a_setting_that_came_later_was_as_it_had_always_been(tmp_path):
    """Before `episodes_per_update` each episode had its update."""
    for number, updates in enumerate((None, 1, 4)):
        more = {} if updates is None else {"episodes_per_update": updates}
        write_run(tmp_path / str(number), seed=number, **more)
    names, remarks = names_of(read_all([str(tmp_path)], METRIC))
    one, four = "qmix episodes_per_update=1", "qmix episodes_per_update=4"
    assert [name for name, _ in names] == [one, one, four] and not remarks


def test_our_environment_is_the_same_task_in_another_host(tmp_path):
    here = {"key": "simple_spread_v3", "time_limit": 25}
    write_run(tmp_path / "1", env="mpe", env_args={**here, "map_name": None}, seed=1)
    there = {**here, "map_name": "mpe"}  # for the name of that host's folder
    write_run(tmp_path / "2", env="wqmix_mpe", env_args=there, seed=2)
    game = {"map_name": "matrix_game", "game": "paper"}
    write_run(tmp_path / "3", env="wqmix_matrix_game", env_args=game)
    records = read_all([str(tmp_path)], METRIC)
    names, _ = names_of(records)
    assert [env_of(record) for record in records] == ["mpe", "mpe", "matrix_game"]
    assert [task for _, task in names] == [
        "simple_spread_v3",
        "simple_spread_v3",
        "matrix_game paper",
    ]


def test_sources_keep_equal_names_apart(tmp_path):
    write_run(tmp_path / "a" / "1", seed=1)
    write_run(tmp_path / "b" / "1", seed=1, hidden_dim=64)
    places = [f"here={tmp_path / 'a'}", f"there={tmp_path / 'b'}"]
    names, remarks = names_of(read_all(places, METRIC))
    assert [name for name, _ in names] == ["qmix (here)", "qmix (there)"]
    assert not remarks
    _, remarks = names_of(read_all([str(tmp_path)], METRIC))
    assert len(remarks) == 1 and "NAME=PATH keeps them apart" in remarks[0]


def test_many_differing_settings_are_numbered(tmp_path):
    for number in (1, 2):
        settings = {key: number for key in "abcde"}
        write_run(tmp_path / str(number), seed=number, **settings)
    names, _ = names_of(read_all([str(tmp_path)], METRIC))
    assert [name for name, _ in names] == [
        "qmix a=1 b=1 c=1 … #1",
        "qmix a=2 b=2 c=2 … #1",
    ]
