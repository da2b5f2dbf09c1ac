"""`wqmix replay CHECKPOINT`: one episode as a GIF, or as text."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import warnings
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from ...config.extras import missing
from ...errors import ConfigError
from ...host.errors import HostError, raised
from ...host.playing import Episode, Player, settings
from ...host.utils.checkpoints import find
from ..figures import counted
from .drawings import LARGEST, matrix_game, pictures, predator_prey, write_gif
from .episodes import guarded, parse

GAMES = {"predator_prey": predator_prey, "matrix_game": matrix_game}
WITH_RENDER_MODE = ("gymma", "pettingzoo", "mpe")  # in the constructor's options
OUT = Path("replay.gif")
EPILOG = """\
examples:
  wqmix replay results/models/cw_qmix__2026-11-21_10-00-00__1
  wqmix replay results/models/<run>/200000 --out prey.gif --seed 3 --fps 10
  wqmix replay results/models/<run> --text --episode 17 with env_args.time_limit=20

After `with`: env_args.KEY=value. Code (env_args.entry_point, say) is never taken from
a checkpoint: repeat it here."""


def main(argv: List[str]) -> int:
    """Show an episode; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="wqmix replay",
        description="Play one greedy episode with a checkpoint's agents, and show it: "
        "as a GIF of what the environment renders, or as text.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, help=f"the GIF ({OUT})")
    parser.add_argument("--text", action="store_true", help="print it instead")
    parser.add_argument(
        "--episode", type=int, default=0, help="as `wqmix evaluate` counts them, from 0"
    )
    parser.add_argument("--fps", type=float, default=5, help="frames per second")
    arguments = parse(parser, argv)
    return guarded(lambda: print(command(arguments)))


def command(arguments: argparse.Namespace) -> str:
    """Do what the command line says; return what is to be told."""
    if arguments.episode < 0:
        raise ConfigError(f"--episode {arguments.episode}: they are counted from 0")
    if arguments.text and arguments.out:
        raise ConfigError("--text prints the episode: without --out")
    return replay(
        arguments.checkpoint,
        None if arguments.text else arguments.out or OUT,
        arguments.seed,
        arguments.fps,
        number=arguments.episode,
        words=arguments.words,
        env_config=arguments.env_config,
        or_text=arguments.out is None,
    )


def replay(
    checkpoint: str,
    out: Optional[Path],
    seed: int = 0,
    fps: float = 5,
    number: int = 0,
    words: Any = (),
    env_config: Optional[str] = None,
    or_text: bool = False,
) -> str:
    """Play and show an episode; return what happened, as text.

    Args:
        checkpoint: its folder, or a run's.
        out: the GIF; None: the episode is returned as text.
        seed, number: which episode.
        fps: frames per second.
        words, env_config: see `wqmix.host.playing.settings`.
        or_text: what renders no pictures becomes text.

    Raises:
        WQMixError, HostError: a checkpoint that cannot be used, an environment that
            renders no pictures, or a file that cannot be written.
    """
    if out is not None:
        check_output(out, fps)
    path, facts = find(checkpoint)
    config = settings(facts, path, words, env_config, seed=seed)
    is_drawn = out is not None and config["env"] in GAMES
    film = Film(is_off=is_drawn)
    episode, seen = played(config, path, facts, film, number, out)
    told = f"{counted(episode.length, 'step')}, return {episode.total:g}, from {path}"
    if out is not None and not is_drawn and not film.has_pictures():
        reason = f"{config['env']!r} renders no pictures{film.why()}"
        if not or_text:
            raise ConfigError(f"{reason}: --text shows it as text")
        print(f"note: {reason}: as text", file=sys.stderr)
        out = None
    if out is None:
        return f"{as_text(seen, film)}\n{told}"
    if is_drawn:
        size, frames = GAMES[config["env"]](config["env_args"], seen)
    else:
        size, frames = pictures(film.shown, seen["reward"])
    write_gif(out, fps, size, frames)
    return f"{out}: {told}"


def check_output(out: Path, fps: float) -> None:
    """Refuse what could only fail once the episode is played."""
    lacking = missing("a GIF", "plots", "matplotlib")
    if lacking:
        raise ConfigError(f"{lacking}; --text needs nothing")
    if out.suffix != ".gif" or not out.resolve().parent.is_dir():
        raise ConfigError(f"--out {out}: a .gif file in a folder that exists is needed")
    if not 0 < fps <= 100:
        raise ConfigError(f"--fps {fps:g}: it must be over 0 and at most 100")


# Playing ------------------------------------------------------------------------------


class Film:
    """Stands before an environment, and renders it after each reset and step.

    Attributes:
        shown: pictures [H, W, 3] and texts; None where nothing was rendered.
    """

    def __init__(self, is_off: bool = False) -> None:
        self.shown: List[Any] = []
        self._env: Any = None
        self._reason, self._is_off = "", is_off

    def before(self, env: Any) -> Film:
        """Stand before this environment."""
        self._env = env
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def reset(self) -> Any:
        self.shown = []
        result = self._env.reset()
        self._take()
        return result

    def step(self, actions: Any) -> Any:
        result = self._env.step(actions)
        self._take()
        return result

    def _take(self) -> None:
        if self._is_off or self._reason:
            return
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                got = self._env.render()
        except (Exception, SystemExit) as error:  # whatever a display does not like
            cause = error.__cause__ or error
            self._reason = raised(cause)
            return
        text = got if isinstance(got, str) else printed.getvalue()
        self.shown.append(reduced(got) if is_picture(got) else text.rstrip() or None)

    def has_pictures(self) -> bool:
        return bool(self.shown) and all(map(is_picture, self.shown))

    def why(self) -> str:
        """Why there is none, where something was raised."""
        return f" here ({self._reason})" if self._reason else ""


def is_picture(got: Any) -> bool:
    return isinstance(got, np.ndarray) and got.ndim == 3 and got.shape[2] in (3, 4)


def reduced(picture: np.ndarray) -> np.ndarray:
    """Return it no larger than a frame of the GIF: a long episode has many."""
    from PIL import Image

    image = Image.fromarray(picture)
    image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)


def played(
    config: Dict[str, Any],
    path: str,
    facts: Any,
    film: Film,
    number: int,
    out: Optional[Path],
) -> Any:
    """Play up to the episode; return it and what was seen and done in it.

    The latter: `state` [T+1, S], `actions` [T, A], `reward` [T], and `utilities`
    [A, U], what the agents think of their actions in the first step.
    """
    mode = "ansi" if out is None else "rgb_array"
    with player_of(config, path, facts, mode) as player:
        runner: Any = player.runner  # the episode runner, the one with an `env`
        runner.env = film.before(runner.env)
        *_, episode = player.episodes(number + 1)
        utilities = player.utilities(episode.batch)
    return episode, seen_in(episode, utilities)


def seen_in(episode: Episode, utilities: Any) -> Dict[str, np.ndarray]:
    batch, length = episode.batch, episode.length
    return {
        "state": batch["state"][0, : length + 1].numpy(),
        "actions": batch["actions"][0, :length, :, 0].numpy(),
        "reward": batch["reward"][0, :length, 0].numpy(),
        "utilities": utilities.numpy(),
    }


def player_of(config: Dict[str, Any], path: str, facts: Any, mode: str) -> Player:
    """Return a player whose environment is told how it will be rendered, if it can."""
    options = config["env_args"].get("options") or {}
    if config["env"] in WITH_RENDER_MODE and "render_mode" not in options:
        env_args = {**config["env_args"], "options": {**options, "render_mode": mode}}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of modes that are not announced
                return Player({**config, "env_args": env_args}, path, facts)
        except HostError:  # it takes no such option
            pass
    return Player(config, path, facts)


# Text ---------------------------------------------------------------------------------


def as_text(seen: Dict[str, np.ndarray], film: Film) -> str:
    """Return a line for each step, and what was rendered after it."""
    actions, reward = seen["actions"], seen["reward"]
    shown = [*film.shown, *[None] * (len(reward) + 1 - len(film.shown))]
    width = len(str(actions.max()))
    lines = [text_of(shown[0])]
    for t, (chosen, paid) in enumerate(zip(actions, reward), start=1):
        numbers = " ".join(f"{action:{width}}" for action in chosen)
        total = f"return {reward[:t].sum():g}"
        lines.append(f"step {t:3}   actions {numbers}   reward {paid:<+8.4g} {total}")
        lines.append(text_of(shown[t]))
    return "\n".join(line for line in lines if line)


def text_of(shown: Any) -> str:
    return shown if isinstance(shown, str) else ""
