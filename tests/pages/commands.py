"""A documented command, read by its own program without being run."""

from __future__ import annotations

import argparse
import importlib
import inspect
import io
import os
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
import yaml

from tests.skeletons.hosts import SKELETONS
from wqmix.__main__ import COMMANDS
from wqmix.analysis.sweep import check, plan
from wqmix.analysis.tune import tuning
from wqmix.host import validation
from wqmix.plugin import command_line, launcher, registration, tracking
from wqmix.plugin.configs import ConfigFiles
from wqmix.plugin.detect import detect

from .blocks import ROOT

# Where `cd` of a page leads; a script without one is in PyMARL's.
CHECKOUTS = {"your-pymarl": "pymarl", "pymarl2": "pymarl2", "epymarl": "epymarl"}
# Games that only hosts have, which skeletons lack.
GAMES_OF_HOSTS = {
    "gfootball": {
        "env": "gfootball",
        "env_args": {"map_name": "academy_3_vs_1_with_keeper", "num_agents": 3},
    }
}


class Read(BaseException):
    """A command line was read to its end."""


class Reader:
    """Reads the commands of one page in turn, in a folder of its own.

    Attributes:
        folder: where it begins.
        host: the skeleton that `cd` has led into, if any.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.host, self.patch = folder, "pymarl", monkeypatch
        monkeypatch.chdir(folder)
        # What a page asks for may not be installed where its commands are only read.
        for module in (validation, tracking):
            monkeypatch.setattr(module, "missing", lambda *names: None)
        for name in ("_check_env", "_check_checkpoint", "_check_resume"):
            monkeypatch.setattr(validation, name, lambda config: None)

    def read(self, words: List[str]) -> None:
        """Have the program read its words; fail where it would refuse them."""
        program, *rest = words
        if program == "cd":
            self.host = CHECKOUTS[rest[0]]
        elif program == "make":
            makefile = (ROOT / "Makefile").read_text("utf-8")
            assert re.search(rf"^{rest[0]}:", makefile, re.M), f"make {rest[0]}"
        elif program == "pip":
            self.pip(rest)
        elif program == "wqmix":
            self.wqmix(rest)
        elif rest[:2] == ["-m", "wqmix"]:
            self.wqmix(rest[2:])
        elif program == "python" and rest[:2] == ["-m", "pytest"]:
            assert all((ROOT / name).exists() for name in rest[2:]), rest
        elif program == "python" and rest[0] == "-m":
            self.arguments(rest[1], rest[2:])
        else:
            raise AssertionError(f"nothing reads `{program}`: mark the block")

    def pip(self, words: List[str]) -> None:
        """Each extra is one of ours."""
        text = (ROOT / "setup.py").read_text("utf-8")
        for extra in re.findall(r"\.\[(.*?)\]", " ".join(words)):
            assert f'"{extra}":' in text, extra

    def wqmix(self, words: List[str]) -> None:
        if words[0] not in COMMANDS:
            self.launched(words)
            return
        options = self.arguments(COMMANDS[words[0]][0], words[1:])
        path = str(getattr(options, "file", "")).replace("…", str(ROOT))
        if words[0] == "sweep":
            self.sweep(Path(path))
        elif words[0] == "tune":
            for each in tuning.read(path).tuned:
                check.check(tuning.read(path).plan(each, {}))

    def sweep(self, path: Path) -> None:
        """As `wqmix sweep` checks it, by the host that it names."""
        path = path if path.is_file() else ROOT / path
        if "main" in yaml.safe_load(path.read_text("utf-8")):
            self.in_checkout()
        check.check(plan.read(str(path)))
        self.patch.chdir(self.folder)

    def arguments(self, module: str, words: List[str]) -> Optional[Any]:
        """Have a command's own parser read its words."""
        found: Dict[str, Any] = {}
        parse = argparse.ArgumentParser.parse_args

        def parse_only(parser: Any, *args: Any) -> None:
            found["options"] = parse(parser, *args)
            raise Read

        imported = importlib.import_module(module)
        if "parse" not in inspect.getsource(imported):
            assert not words, f"{module} takes no arguments"
            return None
        main = imported.main
        with self.patch.context() as patch:
            patch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
            patch.setattr(sys, "argv", [module, *words])
            try:
                with redirect_stdout(io.StringIO()):
                    main(words) if inspect.signature(main).parameters else main()
            except Read:
                return found["options"]
            except SystemExit as ended:
                assert not ended.code, f"{module} refuses {words}"
                return None  # --help
        raise AssertionError(f"{module} parses nothing: {words}")

    def launched(self, words: List[str]) -> None:
        """As the launcher and the embedded host read settings before a run."""
        if not words[0].startswith("-"):
            self.in_checkout()
        arguments = launcher.parse(without_what_is_written(words))
        root = arguments.target.root
        host = detect(root, arguments.host)
        keys = registration.learner_keys(root)
        files = ConfigFiles(host, root, keys)
        command = command_line.rewrite(files, arguments.argv)
        if host.name == "embedded":
            registration.register_on_import(host, keys)
            check.by_the_embedded_host(command.argv)
        self.patch.chdir(self.folder)

    def in_checkout(self) -> None:
        """Go into the skeleton of the host."""
        checkout = self.folder / "checkouts" / self.host
        if not checkout.exists():
            root = SKELETONS[self.host].write(checkout)
            defaults = root / "config" / "default.yaml"
            if "label:" not in defaults.read_text():  # which all real hosts have
                defaults.write_text(f"{defaults.read_text()}label: default_label\n")
            for name, values in GAMES_OF_HOSTS.items():
                path = root / "config" / "envs" / f"{name}.yaml"
                path.write_text(yaml.safe_dump(values))
        for path in self.folder.glob("*.y*ml"):  # what the page has written
            (checkout / path.name).write_bytes(path.read_bytes())
        os.chdir(checkout)


def without_what_is_written(words: List[str]) -> List[str]:
    """Leave out a recipe that an earlier command of the page writes."""
    line = re.sub(r"--recipe[ =]results/tune/\S+ ?", "", shlex.join(words))
    return shlex.split(line)
