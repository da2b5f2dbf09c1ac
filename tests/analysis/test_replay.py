"""`wqmix replay`: what is drawn of which episode, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import wqmix
from wqmix.analysis import replay
from wqmix.analysis.figures import headless_pyplot

Image = pytest.importorskip("PIL.Image")

SHORT = {"seed": 1, "batch_size": 8, "use_cuda": False, "t_max": 10}


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("pymarl").setLevel(logging.ERROR)


def saved(tmp_path: Path, env: str, **settings) -> str:
    with wqmix.get_runner("cw_qmix", env, **{**SHORT, **settings}) as runner:
        return runner.save(str(tmp_path / "run"))


def milliseconds(path: Path) -> int:
    """How long a GIF takes; equal pictures in a row may have become one."""
    with Image.open(path) as image:
        total = 0
        for number in range(image.n_frames):
            image.seek(number)
            total += image.info["duration"]
        return total


def drawn(game, env_args, episode):
    """The titles of the frames, and the figure after the last one."""
    figure = headless_pyplot().figure()
    _, frames = game(env_args, episode)
    titles = []
    for _ in frames(figure):
        title = figure._suptitle or figure.axes[0].title
        titles.append(title.get_text())
    return titles, figure


def test_a_matrix_game_s_gif(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = saved(tmp_path, "matrix_game")
    out = tmp_path / "m.gif"
    assert replay.main([str(tmp_path / "run"), "--out", str(out)]) == 0
    assert f"{out}: 1 steps, return " in capsys.readouterr().out
    assert milliseconds(out) == (4 + replay.LAST_FRAMES) * 200
    assert Path(path).is_dir()


def test_predator_prey_s_gif_has_a_frame_for_each_step(tmp_path: Path) -> None:
    game = {"episode_limit": 3, "n_agents": 2, "n_prey": 1, "world_shape": [4, 5]}
    saved(tmp_path, "predator_prey", env_args=game)
    out = tmp_path / "p.gif"
    told = replay.replay(str(tmp_path / "run"), out, seed=2)
    assert told.startswith(f"{out}: 3 steps, return 0, ")
    shown = (4 + replay.LAST_FRAMES) * 200  # the first state, 3 steps; the last held
    assert milliseconds(out) == shown


def test_the_grid_is_drawn_where_it_says() -> None:
    """An agent at row 0, column 2 and a prey at row 1, column 1; then it is caught."""
    state = np.zeros((2, 2, 3, 3))
    state[0, 0, 2, 0] = state[0, 1, 1, 1] = 1
    episode = {"state": state.reshape(2, -1), "reward": np.array([10.0])}
    titles, figure = drawn(replay.predator_prey, {"world_shape": [2, 3]}, episode)
    assert titles == ["step 0   return 0", "step 1   return 10   reward +10"]
    agents, prey = figure.axes[0].collections
    assert len(agents.get_offsets()) == len(prey.get_offsets()) == 0
    episode["state"] = episode["state"][:1]
    _, figure = drawn(replay.predator_prey, {"world_shape": [2, 3]}, episode)
    agents, prey = figure.axes[0].collections
    assert agents.get_offsets().tolist() == [[2, 0]]  # x is the column
    assert prey.get_offsets().tolist() == [[1, 1]]


def test_the_choices_in_a_matrix_game_are_told_in_turn() -> None:
    episode = {
        "actions": np.array([[1, 0]]),
        "utilities": np.array([[0.5, 2.0], [1.25, -1.0]]),
    }
    env_args = {"game": None, "payoff": [[1, 2], [7, 9]]}
    titles, figure = drawn(replay.matrix_game, env_args, episode)
    assert titles == [
        "the payoffs",
        "agent 1: utilities 0.5, 2.0, plays 2",
        "agent 2: utilities 1.2, -1.0, plays 1",
        "together: 7, of at most 9",
    ]
    row, column, cell = figure.axes[0].patches
    assert (row.get_xy(), column.get_xy()) == ((-0.5, 0.5), (-0.5, -0.5))
    assert cell.get_xy() == (-0.5, 0.5)


def test_three_agents_have_a_panel_for_each_choice_of_the_third() -> None:
    episode = {"actions": np.array([[0, 0, 1]]), "utilities": np.zeros((3, 2))}
    payoff = np.arange(8).reshape(2, 2, 2).tolist()
    titles, figure = drawn(
        replay.matrix_game, {"game": None, "payoff": payoff}, episode
    )
    assert titles[-1] == "together: 1, of at most 7"
    numbers = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert numbers == [["0", "2", "4", "6"], ["1", "3", "5", "7"]]


@pytest.mark.parametrize(
    "words, part",
    [
        (["nowhere"], "cannot be read"),
        (["RUN", "--out", "x.png"], "a .gif file"),
        (["RUN", "--out", "nowhere/x.gif"], "a folder that exists"),
        (["RUN", "--fps", "0"], "over 0"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture, words: list, part: str
) -> None:
    saved(tmp_path, "matrix_game")
    words = [str(tmp_path / "run") if word == "RUN" else word for word in words]
    assert replay.main(words) == 2
    said = capsys.readouterr().err
    assert part in said and said.count("\n") == 1


def test_another_game_cannot_be_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("mpe2")
    saved(tmp_path, "mpe")
    assert replay.main([str(tmp_path / "run")]) == 2
    assert "trained on 'mpe': only predator_prey and" in capsys.readouterr().err
