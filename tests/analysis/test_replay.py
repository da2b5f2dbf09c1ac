"""`wqmix replay`: what is drawn of which episode, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wqmix.analysis.figures import headless_pyplot
from wqmix.analysis.watching import evaluate, replay
from wqmix.analysis.watching.drawings import (
    LAST_FRAMES,
    LEGEND_MARKER,
    matrix_game,
    predator_prey,
)
from wqmix.host import envs
from wqmix.host.main import main as host_main

from ..checkpoints import saved

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


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
    assert f"{out}: 1 step, return " in capsys.readouterr().out
    assert milliseconds(out) == (4 + LAST_FRAMES) * 200
    assert Path(path).is_dir()


def test_predator_prey_s_gif_has_a_frame_for_each_step(tmp_path: Path) -> None:
    game = {"episode_limit": 3, "n_agents": 2, "n_prey": 1, "world_shape": [4, 5]}
    saved(tmp_path, "predator_prey", env_args=game)
    out = tmp_path / "p.gif"
    told = replay.replay(str(tmp_path / "run"), out, seed=2)
    assert told.startswith(f"{out}: 3 steps, return 0, ")
    shown = (4 + LAST_FRAMES) * 200  # the first state, 3 steps; the last held
    assert milliseconds(out) == shown


def test_the_grid_is_drawn_where_it_says() -> None:
    """An agent at row 0, column 2 and a prey at row 1, column 1; then it is caught."""
    state = np.zeros((2, 2, 3, 3))
    state[0, 0, 2, 0] = state[0, 1, 1, 1] = 1
    episode = {"state": state.reshape(2, -1), "reward": np.array([10.0])}
    titles, figure = drawn(predator_prey, {"world_shape": [2, 3]}, episode)
    assert titles == ["step 0   return 0", "step 1   return 10   reward +10"]
    agents, prey = figure.axes[0].collections
    assert len(agents.get_offsets()) == len(prey.get_offsets()) == 0
    episode["state"] = episode["state"][:1]
    _, figure = drawn(predator_prey, {"world_shape": [2, 3]}, episode)
    agents, prey = figure.axes[0].collections
    assert agents.get_offsets().tolist() == [[2, 0]]  # x is the column
    assert prey.get_offsets().tolist() == [[1, 1]]


def test_the_choices_in_a_matrix_game_are_told_in_turn() -> None:
    episode = {
        "actions": np.array([[1, 0]]),
        "utilities": np.array([[0.5, 2.0], [1.25, -1.0]]),
    }
    env_args = {"game": None, "payoff": [[1, 2], [7, 9]]}
    titles, figure = drawn(matrix_game, env_args, episode)
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
    titles, figure = drawn(matrix_game, {"game": None, "payoff": payoff}, episode)
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


def inside(artist, figure) -> bool:
    """Whether all of it is within the figure."""
    box, page = artist.get_window_extent(), figure.bbox
    return page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 <= page.y1


@pytest.mark.parametrize("shape", [[10, 10], [5, 5], [2, 3], [3, 9], [9, 3]], ids=str)
def test_the_legend_is_not_cut_off(shape: list) -> None:
    episode = {"state": np.zeros((1, 3 * shape[0] * shape[1])), "reward": np.zeros(0)}
    size, frames = predator_prey({"world_shape": shape}, episode)
    figure = headless_pyplot().figure(figsize=size, layout="constrained")
    for _ in frames(figure):
        figure.canvas.draw()
    (legend,) = figure.legends
    assert inside(legend, figure)
    # Not as large as on a small grid, where they were wider than the legend.
    sizes = [handle.get_sizes()[0] for handle in legend.legend_handles]
    assert sizes == pytest.approx([LEGEND_MARKER] * 2)


@pytest.mark.parametrize("actions", [2, 3, 4])
def test_a_matrix_game_s_titles_are_not_cut_off(actions: int) -> None:
    payoff = np.zeros((actions, actions)).tolist()
    utilities = np.full((2, actions), -11.25)
    episode = {"actions": np.array([[1, 0]]), "utilities": utilities}
    size, frames = matrix_game({"game": None, "payoff": payoff}, episode)
    figure = headless_pyplot().figure(figsize=size, layout="constrained")
    for _ in frames(figure):
        figure.canvas.draw()
        assert inside(figure._suptitle, figure), figure._suptitle.get_text()


# Any environment ----------------------------------------------------------------------


class Walk:
    """One agent goes right with action 1; three steps. A subclass renders it."""

    n_agents, episode_limit = 1, 3

    def __init__(self, seed=None):
        self.t = self.place = 0

    def reset(self):
        self.t = self.place = 0

    def step(self, actions):
        self.t += 1
        self.place += int(actions[0])
        return float(actions[0]), self.t == 3, {"episode_limit": False, "won": True}

    def get_obs(self):
        return np.full((1, 1), self.t)

    def get_state(self):
        return np.full(1, self.t)

    def get_avail_actions(self):
        return np.array([[0, 1]])

    def get_env_info(self):
        sizes = {"n_agents": 1, "n_actions": 2, "obs_shape": 1, "state_shape": 1}
        return {**sizes, "episode_limit": 3}

    def close(self):
        pass


class Printed(Walk):
    def render(self):
        print("." * self.place + "o")


class Told(Walk):
    def render(self):
        return "." * self.place + "o"


class Painted(Walk):
    def render(self):
        picture = np.zeros((40, 60, 3), dtype=np.uint8)
        picture[:, 10 * self.place] = 255
        return picture


class Windowed(Walk):
    def render(self):
        raise RuntimeError("no display")


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Saves a checkpoint of one of these, registered under its name."""

    def make(kind: type) -> str:
        monkeypatch.setitem(envs.REGISTRY, "walk", kind)
        return saved(tmp_path, "walk", "qmix")

    return make


STEPS = """\
step   1   actions 1   reward +1       return 1
step   2   actions 1   reward +1       return 2
step   3   actions 1   reward +1       return 3
"""


def test_pictures_become_a_gif(walk, capsys: pytest.CaptureFixture) -> None:
    path = walk(Painted)
    assert replay.main([path, "--fps", "5"]) == 0
    assert "replay.gif: 3 steps, return 3, from " in capsys.readouterr().out
    assert milliseconds(Path("replay.gif")) == (4 + LAST_FRAMES) * 200


@pytest.mark.parametrize("kind", [Printed, Told])
def test_text_is_shown_beneath_each_step(walk, kind: type, capsys) -> None:
    path = walk(kind)
    assert replay.main([path, "--text"]) == 0
    lines = STEPS.splitlines()
    shown = ["o", lines[0], ".o", lines[1], "..o", lines[2], "...o"]
    shown.append(f"3 steps, return 3, from {path}")
    assert capsys.readouterr().out.splitlines() == shown


@pytest.mark.parametrize(
    "kind, why", [(Walk, "AttributeError"), (Windowed, "RuntimeError: no display")]
)
def test_what_renders_nothing_is_a_table(walk, kind: type, why: str, capsys) -> None:
    path = walk(kind)
    assert replay.main([path]) == 0
    told = capsys.readouterr()
    assert told.out == f"{STEPS}3 steps, return 3, from {path}\n"
    assert "note: 'walk' renders no pictures here (" in told.err and why in told.err
    assert told.err.endswith("as text\n") and not Path("replay.gif").exists()


def test_a_gif_that_was_asked_for_is_not_replaced_by_text(walk, capsys) -> None:
    path = walk(Told)
    assert replay.main([path, "--out", "mine.gif"]) == 2
    told = capsys.readouterr()
    assert told.err == "error: 'walk' renders no pictures: --text shows it as text\n"
    assert not told.out and not Path("mine.gif").exists()


def test_mpe_is_drawn_by_its_own_pictures(tmp_path: Path) -> None:
    pytest.importorskip("mpe2")
    path = saved(tmp_path, "mpe", env_args={"time_limit": 3})
    assert replay.main([path, "--out", "w.gif"]) == 0
    with Image.open("w.gif") as image:
        assert len(image.convert("RGB").getcolors(100000)) > 5
    assert milliseconds(Path("w.gif")) == (4 + LAST_FRAMES) * 200


class Lucky(Walk):
    def __init__(self, seed=None):
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def step(self, actions):
        return (round(self.rng.random(), 3), *super().step(actions)[1:])


def test_the_episode_is_the_one_that_evaluate_counts(walk, capsys) -> None:
    path = walk(Lucky)
    assert evaluate.main([path, "--episodes", "4", "--seed", "5"]) == 0
    _, *rows = Path("evaluation.csv").read_text().splitlines()
    returns = [float(row.split(",")[2]) for row in rows]
    assert len(set(returns)) == 4
    for number, total in enumerate(returns):
        capsys.readouterr()
        words = [path, "--seed", "5", "--episode", str(number), "--text"]
        assert replay.main(words) == 0
        assert f"return {total:g}, from" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("env", ["matrix_game", "gymma", "mpe"])
def test_a_replay_that_an_environment_does_not_write_is_one_line(
    env: str, tmp_path: Path, capsys
) -> None:
    pytest.importorskip("lbforaging")
    pytest.importorskip("mpe2")
    path = saved(tmp_path, env, "qmix")
    words = [
        f"checkpoint_path={Path(path).parent}",
        "evaluate=True",
        "save_replay=True",
    ]
    capsys.readouterr()
    assert host_main(["--config=qmix", f"--env-config={env}", "with", *words]) == 2
    said = capsys.readouterr().err
    assert "save_replay: this environment records none" in said
    assert said.count("\n") == 1 and not Path("results").exists()
