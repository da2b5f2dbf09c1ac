"""The host's command line: read as the host and sacred will, rewritten where needed.

main.py --config=cw_qmix --env-config=sc2 with env_args.map_name=3s5z alpha=0.5
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ..config.layers import Keys, Layers, UnknownKey, WrongType, nested
from ..config.reading import (
    ReadingError,
    check_spaces,
    literal,
    quoted,
    read_word,
    spelt,
    stays_inside,
)
from ..errors import ConfigError
from . import recipes, tracking
from .configs import OPTIONS, Choice, ConfigFiles
from .hosts.base import merged
from .notes import note

ALWAYS_ACCEPTED = "seed"  # sacred adds it, and hosts add it to env_args
NAMES_OF_GAMES = ("map_name", "key")
SACRED_ID = "--id"
WEIGHTING_OF_HYSTERETIC = {True: "ow", False: "cw"}
OF_OPTIONS = ("env_args", "options")


@dataclass(frozen=True)
class Update:
    """A setting that goes over those of the files.

    Attributes:
        path: ("env_args", "map_name") for `env_args.map_name`.
        value: what is meant.
        word: as the user wrote it, where it is one of a command line.
    """

    path: Keys
    value: Any
    word: Optional[str] = None

    @classmethod
    def read(cls, word: str) -> Update:
        """Read a `key=value` word, or raise ReadingError."""
        return cls(*read_word(word), word)

    @property
    def name(self) -> str:
        """The setting's dotted name."""
        return ".".join(self.path)

    @property
    def for_sacred(self) -> Any:
        """The value that sacred reads in the word."""
        return self.value if self.word is None else literal(self.word.partition("=")[2])

    def spelt(self) -> str:
        """Return a word that sacred reads as the value: the user's, if that is one."""
        if self.word is not None and repr(self.for_sacred) == repr(self.value):
            return self.word
        return f"{self.name}={spelt(self.value)}"


# What stands after `with`: a setting, or what is sacred's (`-f`) and left to it.
Word = Union[Update, str]


@dataclass(frozen=True)
class CommandLine:
    """The host's arguments, rewritten.

    Attributes:
        options: what stands before `with`.
        words: what follows it.
        game: the name of a game of ours that it needs, if any.
        learner: the learner of ours that runs it, by our key, if any does.
        wandb: settings of Weights & Biases, where it is asked for and not the host's.
    """

    options: List[str]
    words: Sequence[Word]
    game: Optional[str] = None
    learner: Optional[str] = None
    wandb: Optional[Dict[str, Any]] = None

    @property
    def argv(self) -> List[str]:
        """Everything, for the host."""
        words = [each if isinstance(each, str) else each.spelt() for each in self.words]
        return [*self.options, *(["with", *words] if words else [])]

    @property
    def updates(self) -> List[Tuple[Keys, Any]]:
        """The settings, as the embedded host takes them."""
        return [(u.path, u.value) for u in self.words if isinstance(u, Update)]


def rewrite(files: ConfigFiles, argv: List[str]) -> CommandLine:
    """Resolve configs, translate old names, and settle how values are spelt.

    Where the algorithm is ours, all its settings are checked first, so that a mistake
    is reported before the host starts.

    Args:
        files: the checkout's and our YAMLs.
        argv: the host's arguments, without the script.

    Raises:
        ConfigError: a config or a setting that cannot be right.
    """
    recipe, argv = recipes.taken(argv)
    at = argv.index("with") if "with" in argv else len(argv)
    return settle(files, argv[:at], argv[at + 1 :], recipe)


def settle(
    files: ConfigFiles,
    options: List[str],
    words: Sequence[Word],
    recipe: Optional[str] = None,
) -> CommandLine:
    """As `rewrite`, with what is before and after `with` apart.

    Args:
        files: the checkout's and our YAMLs.
        options: what stands before it.
        words: what follows it, or settings from Python.
        recipe: named settings under these (docs/recipes.md).
    """
    try:
        return _settle(files, options, words, recipe)
    except ReadingError as error:
        raise ConfigError(str(error)) from None


def _settle(
    files: ConfigFiles,
    options: List[str],
    words: Sequence[Word],
    recipe: Optional[str],
) -> CommandLine:
    check_spaces([each for each in words if isinstance(each, str)])
    words, wandb = tracking.taken(files, words)
    options, algorithm, game = resolved(files, options)
    choices = [choice for choice in (game, algorithm) if choice is not None]
    files.check_own(choices)
    learner = algorithm.learner if algorithm is not None else None
    is_game_of_ours = game is not None and game.game is not None
    if learner is not None or is_game_of_ours or recipe is not None:
        words = [read(each) for each in words]
    if learner is not None:
        words = [new for old in words for new in translated(old)]
    if game is not None and is_game_of_ours:
        words, game = with_options(files, words, game)
    if recipe is not None:
        known = merged(files.defaults(), *(each.settings() for each in choices))
        given = {each.name: each.value for each in words if isinstance(each, Update)}
        under = recipes.updates(recipe, files.host, known, given)
        words = [*(Update(*each) for each in under), *words]
    if algorithm is not None and learner is not None:
        if game is None:
            names = ", ".join(files.names("envs"))
            raise ConfigError(f"--env-config=NAME is missing: one of {names}")
        layers = Layers(files.defaults(), game.settings(), algorithm.settings())
        is_forced = forced([*options, *(w for w in words if isinstance(w, str))])
        check_known(files, layers, () if is_forced else words)
        words = [typed(layers, each) for each in words]
        check(files, learner, layers.values, [*options, *words])
    elif files.host.name != "embedded":
        words = [as_meant(each) for each in words]
    game_name = game.game if game is not None else None
    return CommandLine(options, words, game_name, learner, wandb)


def resolved(
    files: ConfigFiles, options: List[str]
) -> Tuple[List[str], Optional[Choice], Optional[Choice]]:
    """Return the options as the host takes them, the algorithm and the game."""
    rewritten, chosen = [], {}
    for position, argument in enumerate(options):
        option, equals, name = argument.partition("=")
        if option not in OPTIONS:
            rewritten.append(argument)
            continue
        if not name:
            following = "".join(options[position + 1 : position + 2])
            value = "NAME" if following.startswith("-") else following or "NAME"
            raise ConfigError(f"write {option}={value}")
        chosen[option] = files.choose(OPTIONS[option], name)
        rewritten.append(f"{option}={chosen[option].value}")
    return rewritten, chosen.get("--config"), chosen.get("--env-config")


def read(word: Word) -> Word:
    """Read a word after `with`; what is sacred's own stays as it is.

    Raises:
        ReadingError: a setting that is not written as one.
    """
    if isinstance(word, Update) or "=" not in word or word.startswith(SACRED_ID):
        return word
    return Update.read(word)


def with_options(
    files: ConfigFiles, words: Sequence[Word], game: Choice
) -> Tuple[List[Word], Choice]:
    """Move `env_args.options.KEY=…` into the YAML of a game of ours.

    They are what its constructor takes: no YAML can list them, and sacred would refuse.
    """
    options = [
        each
        for each in words
        if isinstance(each, Update) and each.path[:2] == OF_OPTIONS
    ]
    if not options:
        return list(words), game
    given = [nested(each.path, each.value) for each in options]
    settings = merged(game.settings(), *given)
    files.write(settings, str(game.game))  # over the one without, which `argv` names
    kept = [each for each in words if each not in options]
    return kept, replace(game, settings=lambda: settings)


def translated(word: Word) -> Sequence[Word]:
    """Translate a setting of the published Weighted QMIX code to ours."""
    if isinstance(word, str):
        return [word]
    if word.name == "w":
        new = [Update(("alpha",), word.value)]
    elif word.name == "hysteretic_qmix":
        weighting = WEIGHTING_OF_HYSTERETIC.get(word.value)
        if weighting is None:
            told = f"{word.name}={quoted(word.value)}"
            raise ConfigError(f"{told}: accepted are True (ow) and False (cw)")
        new = [Update(("weighting",), weighting)]
    elif word.name == "central_mac":
        new = []
    else:
        return [word]
    told = word.spelt()
    note(f"{told}: now {new[0].spelt()}" if new else f"{told}: no longer needed")
    return new


def as_meant(word: Word) -> Word:
    """For an algorithm of the host's: `true` is True, as it is for ours."""
    try:
        update = read(word)
    except ReadingError:
        return word  # for the host to refuse
    if isinstance(update, str) or repr(update.value) == repr(update.for_sacred):
        return word
    note(f"{update.word}: read as {update.spelt()}")
    return update


def typed(layers: Layers, word: Word) -> Word:
    """Lay a setting over others; return it with the type of what it replaces.

    One of another type is left as sacred reads it, for those to refuse who use it.
    """
    if isinstance(word, str):
        return word
    try:
        layers.put(word.path, word.value)
    except WrongType:
        layers.put(word.path, word.for_sacred, is_typed=False)
    return replace(word, value=layers.get(word.path))


def check(
    files: ConfigFiles, learner: str, config: Dict[str, Any], words: Sequence[Word]
) -> None:
    """Check the settings of a run of ours.

    Args:
        files: the checkout's and our YAMLs.
        learner: the one of ours that will run, by our key.
        config: all settings.
        words: the host's arguments.

    Raises:
        ConfigError: as the learner's settings and the host's adapter say.
    """
    from .. import weightings  # imports torch: only for a run of ours
    from ..learners import LEARNERS

    if weightings.is_file_spec(config.get("weighting")):
        weightings.load(config["weighting"])
    check_names(config, [each for each in words if isinstance(each, str)])
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
                f"{key}={quoted(name)}: hosts make folders of it, so it cannot lead "
                "elsewhere"
            )


def ids(argv: List[str]) -> List[str]:
    """Return the run's id where sacred is given one, which names its folder."""
    pairs = zip(argv, argv[1:])
    following = [text for flag, text in pairs if flag in ("-i", SACRED_ID)]
    joined = [text.partition("=") for text in argv]
    return following + [text for flag, _, text in joined if flag == SACRED_ID]


def check_known(files: ConfigFiles, layers: Layers, words: Sequence[Word]) -> None:
    """Refuse a key that no YAML lists, as sacred will, but naming the nearest."""
    for word in words:
        if isinstance(word, str):
            if word in layers.values:
                raise ConfigError(f"{word}: write {word}=value, without spaces")
            continue
        if word.path[-1] == ALWAYS_ACCEPTED:
            continue
        try:
            layers.check_known(word.path)
        except UnknownKey as error:
            raise ConfigError(
                f"{error.name}: {files.host.title} has no such setting for this "
                f"algorithm and environment{error.hint}"
            ) from None


def forced(argv: Sequence[str]) -> bool:
    """Whether sacred was told to accept unknown keys."""
    return "-f" in argv or "--force" in argv
