"""The host's command line: read as the host and sacred will, rewritten where needed.

main.py --config=cw_qmix --env-config=sc2 with env_args.map_name=3s5z alpha=0.5
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Tuple

from ..config.reading import literal, stays_inside
from ..errors import ConfigError, nearest
from . import recipes
from .configs import OPTIONS, Choice, ConfigFiles
from .hosts.base import merged
from .notes import note

ALWAYS_ACCEPTED = "seed"  # sacred adds it, and hosts add it to env_args
NAMES_OF_GAMES = ("map_name", "key")
SACRED_ID = "--id"
WEIGHTING_OF_HYSTERETIC = {True: "ow", False: "cw"}


@dataclass(frozen=True)
class CommandLine:
    """The host's arguments, rewritten.

    Attributes:
        argv: what the host is given.
        game: the name of a game of ours that it needs, if any.
    """

    argv: List[str]
    game: Optional[str] = None


def rewrite(files: ConfigFiles, argv: List[str]) -> CommandLine:
    """Resolve configs and translate old names.

    Where the algorithm is ours, all its settings are checked first, so that a mistake
    is reported before the host starts.

    Args:
        files: the checkout's and our YAMLs.
        argv: the host's arguments, without the script.

    Raises:
        ConfigError: a config or a setting that cannot be right.
    """
    recipe, argv = recipes.taken(argv)
    rewritten, chosen = [], {}
    for position, argument in enumerate(argv):
        option, equals, name = argument.partition("=")
        if option not in OPTIONS:
            rewritten.append(argument)
            continue
        if not name:
            following = "".join(argv[position + 1 : position + 2])
            value = "NAME" if following.startswith("-") else following or "NAME"
            raise ConfigError(f"write {option}={value}")
        chosen[option] = files.choose(OPTIONS[option], name)
        rewritten.append(f"{option}={chosen[option].value}")
    algorithm, game = chosen.get("--config"), chosen.get("--env-config")
    if game is not None and game.game is not None:
        rewritten, game = with_options(files, rewritten, game)
    if recipe is not None:
        layers = [choice.settings() for choice in (game, algorithm) if choice]
        known = merged(files.defaults(), *layers)
        rewritten = recipes.with_recipe(recipe, files.host, known, rewritten)
    if algorithm is not None and algorithm.learner is not None:
        rewritten = [new for old in rewritten for new in translated(old)]
        if game is None:
            names = ", ".join(files.names("envs"))
            raise ConfigError(f"--env-config=NAME is missing: one of {names}")
        settings = merged(files.defaults(), game.settings(), algorithm.settings())
        check(files, algorithm.learner, settings, rewritten)
    return CommandLine(rewritten, game.game if game is not None else None)


def with_options(
    files: ConfigFiles, argv: List[str], game: Choice
) -> Tuple[List[str], Choice]:
    """Move `env_args.options.KEY=…` into the YAML of a game of ours.

    They are what its constructor takes: no YAML can list them, and sacred would refuse.
    """
    prefix = "env_args.options."
    options = [nested(k, v) for k, v in updates(argv) if k.startswith(prefix)]
    if not options:
        return argv, game
    settings = merged(game.settings(), *options)
    files.write(settings, str(game.game))  # over the one without, which `argv` names
    kept = [argument for argument in argv if not argument.startswith(prefix)]
    return kept, replace(game, settings=lambda: settings)


def translated(argument: str) -> List[str]:
    """Translate one argument of the published Weighted QMIX code to ours."""
    key, equals, value = argument.partition("=")
    if not equals:
        return [argument]
    if key == "w":
        new = [f"alpha={value}"]
    elif key == "hysteretic_qmix":
        weighting = WEIGHTING_OF_HYSTERETIC.get(literal(value))
        if weighting is None:
            raise ConfigError(f"{argument}: accepted are True (ow) and False (cw)")
        new = [f"weighting={weighting}"]
    elif key == "central_mac":
        new = []
    else:
        return [argument]
    note(f"{argument}: now {new[0]}" if new else f"{argument}: no longer needed")
    return new


def check(
    files: ConfigFiles, learner: str, config: Dict[str, Any], argv: List[str]
) -> None:
    """Check a run of ours: overrides that some YAML lists, and values that can be.

    Args:
        files: the checkout's and our YAMLs.
        learner: the one of ours that will run, by our key.
        config: all settings before the overrides.
        argv: the host's arguments.

    Raises:
        ConfigError: as the learner's settings and the host's adapter say, or an
            unknown key.
    """
    from ..learners import LEARNERS  # imports torch: only for a run of ours

    for key, value in updates(argv):
        if not forced(argv):
            check_known(key, config, files)
        config = merged(config, nested(key, value))
    check_names(config, argv)
    settings_class = LEARNERS[learner].settings_class
    settings_class.from_config(config, source=str(config.get("name")))
    files.host.host_settings(config)


def check_names(config: Dict[str, Any], argv: List[str]) -> None:
    """Refuse names that would lead out of the folders that hosts make of them."""
    env_args = config.get("env_args")
    names = [("name", config.get("name"))]
    if isinstance(env_args, dict):
        names += [(f"env_args.{key}", env_args.get(key)) for key in NAMES_OF_GAMES]
    names += [(SACRED_ID, text) for text in ids(argv)]
    for key, name in names:
        if isinstance(name, str) and name and not stays_inside(name):
            raise ConfigError(
                f"{key}={name!r}: hosts make folders of it, so it cannot lead elsewhere"
            )


def ids(argv: List[str]) -> List[str]:
    """Return the run's id where sacred is given one, which names its folder."""
    pairs = zip(argv, argv[1:])
    following = [text for flag, text in pairs if flag in ("-i", SACRED_ID)]
    joined = [text.partition("=") for text in argv]
    return following + [text for flag, _, text in joined if flag == SACRED_ID]


def check_known(key: str, config: Dict[str, Any], files: ConfigFiles) -> None:
    """Refuse a key that no YAML lists, as sacred will, but naming the nearest."""
    section: Any = config
    for part in key.split("."):
        if not isinstance(section, dict) or part == ALWAYS_ACCEPTED:
            return
        if not section:
            return  # an empty mapping, such as env_args.options, takes any key
        if part not in section:
            raise ConfigError(
                f"{key}: {files.host.title} has no such setting for this algorithm and "
                f"environment{nearest(part, section)}"
            )
        section = section[part]


def updates(argv: List[str]) -> List[Tuple[str, Any]]:
    """Return the settings after `with`, their values read as sacred reads them."""
    if "with" not in argv:
        return []
    words = argv[argv.index("with") + 1 :]
    pairs = [word.partition("=") for word in words if not word.startswith("-")]
    return [(key, literal(value)) for key, equals, value in pairs if equals]


def forced(argv: List[str]) -> bool:
    """Whether sacred was told to accept unknown keys."""
    return "-f" in argv or "--force" in argv


def nested(dotted: str, value: Any) -> Dict[str, Any]:
    """Return `a.b=1` as {a: {b: 1}}."""
    head, _, rest = dotted.partition(".")
    return {head: nested(rest, value) if rest else value}
