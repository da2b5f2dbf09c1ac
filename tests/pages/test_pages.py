"""Every command and every Python block of the README and of docs/ (see blocks.py).

Here all commands are read by their own programs, and what is quick is run; the rest is
run in `make exhaustive`, as short as SHORT and SHORTER say.
"""

from __future__ import annotations

import importlib
import io
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest
import yaml

import wqmix
from wqmix import weightings
from wqmix.__main__ import COMMANDS
from wqmix.__main__ import main as wqmix_main
from wqmix.analysis.sweep import check, plan
from wqmix.analysis.tune import tuning
from wqmix.plugin import configs, recipes

from .blocks import PAGES, ROOT, Block, blocks
from .commands import Reader

# Settings of training, in place of the page's, and files' numbers.
SHORT: Dict[str, Any] = {
    "t_max": 60,
    "test_nepisode": 2,
    "batch_size": 2,
    "buffer_size": 32,
    "use_cuda": False,
}
IN_FILES = [
    (r"t_max: \d+", "t_max: 60"),
    (r"trials: \d+", "trials: 1"),
    (r"\{t_max: 60,", "{t_max: 60, test_nepisode: 2, batch_size: 2, use_cuda: False,"),
    (r"size=\(50,\)", "size=(1,)"),
    (r"batch_size: 128", "batch_size: 2"),
]
SHORTER = {  # command → what is added to its words
    "demo": ["--seeds", "1", "--updates", "3", "--out", "demo"],
    "evaluate": ["--episodes", "2"],
}
# What is never run, and why.
NOT_RUN = {
    "pip": "installs from an index",
    "make": "makes an environment and installs; what it then runs has its own tests",
    "cd": "leads into a checkout, which is not here",
    "python -m pytest": "is this",
    "python -m benchmarks": "measures for minutes; tests/test_gpu_benchmark.py",
}
QUICK = ("theory", "list", "check-env")  # run each time; `python -m` of others, too
QUICK_MODULES = ("wqmix.analysis.demos.projector",)

pytestmark = pytest.mark.filterwarnings("ignore")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(autouse=True)
def registers_as_they_were(monkeypatch):
    """What a page's code registers is gone after it."""
    monkeypatch.setattr(weightings, "WEIGHTINGS", dict(weightings.WEIGHTINGS))
    whole = wqmix.get_runner

    def short(*args: Any, **settings: Any) -> Any:
        return whole(*args, **{**settings, **SHORT})

    monkeypatch.setattr(wqmix, "get_runner", short, raising=False)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands are read by their programs; Python and what is quick is run."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    reader = Reader(tmp_path, monkeypatch)
    names: Dict[str, Any] = {"wqmix": wqmix}
    said: Optional[str] = None
    for block in blocks(page):
        try:
            said = visit(block, reader, names, said)
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{block}: {type(error).__name__}: {error}") from error


def visit(
    block: Block, reader: Reader, names: Dict[str, Any], said: Optional[str]
) -> Optional[str]:
    """Do with a block what its kind and its marks ask for.

    Returns:
        What the last command said; None where it was not run.
    """
    for test in block.marked("run by"):
        assert block.page.name in (ROOT / test).read_text("utf-8"), test
        return None
    if block.marked("text"):
        return said
    write(block, reader.folder)
    if block.kind in ("sh", "bash"):
        for words in block.commands():
            reader.read(words)
        said = None if is_for_later(block) else run_here(block)
        if said is not None and block.output:
            compare(block.output, said)
    elif block.kind == "python":
        run_python(block, names)
    elif block.kind == "yaml":
        check_yaml(block, reader.folder)
    elif block.kind == "text":
        for command in block.marked("output of"):
            said = output_here(shlex.split(command))
        if not block.marked("exhaustive"):
            assert said is not None, "of no command that was run: mark the block"
            compare(block.text, said)
    else:
        raise AssertionError(f"nothing reads {block.kind}: mark the block")
    return said


def write(block: Block, folder: Path) -> None:
    """Write the file that a block is."""
    for name in block.marked("file"):
        text = block.text
        for long, short in IN_FILES:
            text = re.sub(long, short, text)
        (folder / name).write_text(f"{text}\n", "utf-8")


def is_for_later(block: Block) -> bool:
    return bool(block.marked("exhaustive") or block.marked("not run"))


def is_quick(words: List[str]) -> bool:
    ours = words[1:] if words[0] == "wqmix" else words[3:]
    if words[:2] == ["python", "-m"] and words[2] != "wqmix":
        return words[2] in QUICK_MODULES
    return words[0] in ("wqmix", "python") and ours[:1] and ours[0] in QUICK


def run_here(block: Block) -> Optional[str]:
    """Run a block's commands, if all are quick; return what they say."""
    commands = list(block.commands())
    if not all(is_quick(words) for words in commands):
        return None
    return "".join(output_here(words) for words in commands)


def output_here(words: List[str]) -> str:
    """Run a command in this process."""
    if words[0] == "wqmix":
        words = ["python", "-m", *words]
    said = io.StringIO()
    with redirect_stdout(said):
        if words[2] == "wqmix":
            try:
                code = wqmix_main(words[3:])
            except SystemExit as ended:
                code = ended.code
            assert code in (0, None) or "check-env" in words, words
        else:
            importlib.import_module(words[2]).main()
    return said.getvalue()


def compare(shown: str, said: str) -> None:
    """Each part of what is shown, between lines of `...`, is in what was said."""
    rest = without_rounding(said)
    for part in re.split(r"^\s*\.\.\.$", shown, flags=re.M):
        part = without_rounding(part.strip("\n"))
        assert part in rest, f"{part}\n--- is not in what is said:\n{rest}"
        rest = rest[rest.index(part) + len(part) :]


def without_rounding(text: str) -> str:
    """Errors of floating point differ between machines, and blanks at ends of lines."""
    return re.sub(
        r"[ \t]+$", "", re.sub(r"\b\d\.\de-1\d\b", "0.0e+00", text), flags=re.M
    )


def run_python(block: Block, names: Dict[str, Any]) -> None:
    """Run it in what the page's earlier blocks have left."""
    text = block.text
    for long, short in IN_FILES:
        text = re.sub(long, short, text)
    code = compile(text, str(block), "exec", dont_inherit=True)
    if is_for_later(block):
        return
    for package in block.marked("in"):
        names = {"__package__": package, "__name__": f"{package}.of_a_page"}
    with redirect_stdout(io.StringIO()):
        exec(code, names)


def check_yaml(block: Block, folder: Path) -> None:
    """By the reader whose keys it has."""
    values = yaml.safe_load(block.text)
    path = folder / "of_a_page.yaml"
    path.write_text(block.text, "utf-8")
    if set(values) <= set(recipes.SECTIONS):
        assert recipes.settings(str(path), "epymarl", "cw")
    elif "inherit" in values:
        parents = values["inherit"]
        parents = parents if isinstance(parents, list) else [parents]
        assert set(parents) & set(configs.our_names())
    elif "search" in values:
        wanted = tuning.read(str(path))
        for each in wanted.tuned:
            for corner in tuning.corners(each.space):
                check.check(wanted.plan(each, corner))
    else:
        whole = {"algorithms": "cw_qmix", "environments": "matrix_game", **values}
        check.check(plan.plan(whole, "of_a_page"))


# The commands that nobody waits for ---------------------------------------------------


def to_run(page: Path) -> Iterator[Tuple[Block, List[List[str]]]]:
    """The blocks of a page whose commands are run in `make exhaustive`."""
    for block in blocks(page):
        marks = {mark for mark, _ in block.marks}
        if block.kind == "sh" and not marks & {"not run", "run by", "text"}:
            commands = [words for words in block.commands() if not never(words)]
            if commands and not all(map(is_quick, commands)):
                yield block, commands
            elif "exhaustive" in marks:
                yield block, commands


def never(words: List[str]) -> bool:
    return any(" ".join(words).startswith(program) for program in NOT_RUN)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "page", [page for page in PAGES if list(to_run(page))], ids=name_of
)
def test_a_page_s_commands_run(page: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"wqmix": wqmix}
    for block in blocks(page):
        write(block, tmp_path)
        if block.kind == "python" and not {"run by", "text"} & set(dict(block.marks)):
            run_python(block, names)  # commands go on from what it saves
    for block, commands in to_run(page):
        said = "".join(run(words, tmp_path, block) for words in commands)
        after = [each for each in blocks(page) if each.line > block.line][:1]
        if "exhaustive" in dict(block.marks) and after[0].kind == "text":
            compare(after[0].text, said)


def run(words: List[str], folder: Path, block: Block) -> str:
    """Run a command as its own process; return what it says."""
    done = subprocess.run(
        [sys.executable, *shortened(words, block)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{block}: {words}\n{done.stderr[-2000:]}"
    return done.stdout


def shortened(words: List[str], block: Block) -> List[str]:
    """Return a command's words after `python`, as short as the tables say."""
    words = ["-m", *words] if words[0] == "wqmix" else words[1:]
    words = [each.replace("docs/results", f"{ROOT}/docs/results") for each in words]
    command = words[2] if words[1] == "wqmix" else ""
    if command in SHORTER:
        at = words.index("with") if "with" in words else len(words)
        return [*words[:at], *SHORTER[command], *words[at:]]
    if words[1] != "wqmix" or command in COMMANDS:
        return words
    kept = [word for word in words if word.partition("=")[0] not in SHORT]
    given = [] if "with" in kept else ["with"]
    return [*kept, *given, *(f"{key}={value}" for key, value in SHORT.items())]


# Commands within sentences ------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_sentences_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    for command in re.findall(r"`(?:python -m )?wqmix ([a-z][\w-]*)[ `]", text):
        assert command in COMMANDS, command
    for option in re.findall(r"`make ([\w-]+)`", text):
        assert re.search(rf"^{option}:", (ROOT / "Makefile").read_text(), re.M), option


def test_a_block_that_nothing_reads_is_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "nothing.md"
    for kind, text in (("sh", "ls"), ("text", "a"), ("toml", "a = 1")):
        block = Block(page, 1, kind, text)
        with pytest.MonkeyPatch.context() as patch:
            with pytest.raises(AssertionError, match="mark the block"):
                visit(block, Reader(tmp_path, patch), {}, None)
