"""`wqmix completion bash|zsh`: what a shell offers while a command line is typed.

The printed script asks `wqmix completion words WORD…` for each. A library that reads an
argparse parser (argcomplete, shtab) would know neither `--config=NAME` of a host nor
the settings after `with`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Dict, Iterable, List, Sequence

from ..config.layers import leaves
from ..errors import ConfigError
from . import launcher, recipes
from .configs import ConfigFiles
from .detect import detect
from .hosts import HOSTS
from .hosts.base import merged

BASH = """\
_wqmix() {
    local line="${COMP_LINE:0:COMP_POINT}" words word each run
    COMPREPLY=()
    [[ "$line" == *wqmix* ]] || return 0
    read -ra words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    word="${words[${#words[@]}-1]}"
    run=("${words[0]}")
    [[ "${words[0]}" == *python* ]] && run+=(-m wqmix)
    while IFS= read -r each; do
        [[ "$word" == *=* ]] && each="${each#"${word%%=*}="}"
        COMPREPLY+=("$each")
    done < <("${run[@]}" completion words "${words[@]}" 2>/dev/null)
    [[ "${COMPREPLY[0]}" == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -o default -F _wqmix wqmix python python3
"""
ZSH = """\
_wqmix() {
    local -a found run
    [[ "$words" == *wqmix* ]] || { _files; return }
    run=("$words[1]")
    [[ "$words[1]" == *python* ]] && run+=(-m wqmix)
    run+=(completion words "${(@)words[1,CURRENT]}")
    found=("${(@f)$("${run[@]}" 2>/dev/null)}")
    compadd -S '' -- ${(M)found:#*=}
    compadd -- ${found:#*=}
    _files
}
compdef _wqmix wqmix python python3
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH}
OPTIONS = ("--config=", "--env-config=", "--recipe=")
BEFORE = ("--host", "--base", "--no-shims", "--help", "--version")


def main(argv: List[str]) -> int:
    """Print the script for a shell, or the words that may follow; the exit code."""
    if argv[:1] == ["words"]:
        print("\n".join(offered(argv[1:])))
        return 0
    parser = argparse.ArgumentParser(
        prog="wqmix completion",
        description="Print what a shell needs to complete `wqmix` and `python -m "
        "wqmix`. In ~/.bashrc: source <(wqmix completion bash)",
    )
    parser.add_argument("shell", choices=SCRIPTS)
    print(SCRIPTS[parser.parse_args(argv).shell], end="")
    return 0


def offered(words: Sequence[str]) -> List[str]:
    """Return what the last word of a command line may become.

    Args:
        words: all of it; the last one is being typed, and may be empty.
    """
    words = list(words)
    if "wqmix" in words[:-1]:  # python -m wqmix
        words = words[words.index("wqmix") :]
    *before, word = words[1:] or [""]
    try:
        found = candidates(before, word)
    except ConfigError:  # a checkout or a config that is not there
        found = []
    return sorted({each for each in found if each.startswith(word)})


def candidates(before: List[str], word: str) -> Iterable[str]:
    """Return all that may stand after `before`, of the kind that `word` begins."""
    from .. import __main__ as door

    if before and before[0] in door.COMMANDS:
        return door_words(before)
    if before[-1:] == ["--host"]:
        return list(HOSTS)
    option = word.partition("=")[0] + "="
    spaced = f"{before[-1]}=" if before else ""
    if "with" not in before and option in OPTIONS:
        return [f"{option}{name}" for name in names(before, option)]
    if "with" not in before and spaced in OPTIONS:
        return names(before, spaced)
    if "with" in before:
        return [] if "=" in word else [f"{key}=" for key in keys(before)]
    return [*OPTIONS, "with", *([] if before else [*BEFORE, *door.COMMANDS])]


def door_words(before: List[str]) -> Iterable[str]:
    """Return what follows a command of ours: names where it takes some."""
    if before == ["completion"]:
        return SCRIPTS
    return names([], "--env-config=") if before == ["check-env"] else []


def files_of(before: List[str]) -> ConfigFiles:
    """Return the YAMLs of the checkout that a command line names, or of ours."""
    arguments = launcher.parse(before)
    root = arguments.target.root
    return ConfigFiles(detect(root, arguments.host), root, {})


def names(before: List[str], option: str) -> List[str]:
    """Return the names that an option takes."""
    if option == "--recipe=":
        return recipes.names()
    return files_of(before).names("algs" if option == "--config=" else "envs")


def keys(before: List[str]) -> List[str]:
    """Return the settings of the run that a command line means so far."""
    files, said = files_of(before), before[: before.index("with")]
    layers = [files.defaults()]
    for option, kind in (("--env-config=", "envs"), ("--config=", "algs")):
        for word in said:
            if word.startswith(option):
                layers.append(settings(files, kind, word[len(option) :]))
    given = {word.partition("=")[0] for word in before}
    found = (".".join(path) for path, _ in leaves(merged(*layers)))
    return [name for name in found if name not in given]


def settings(files: ConfigFiles, kind: str, name: str) -> Dict[str, Any]:
    """Return what is in a config, with all that it inherits."""
    path: Path = files.locate(kind, name)
    return files.resolve(path) if kind == "algs" else files.read(path)
