"""The code blocks of a page, and what a comment above each says of it.

<!-- not run: REASON -->    commands are parsed, Python is compiled; neither is run
<!-- run by FILE -->        that test runs it
<!-- exhaustive -->         run, and its output compared, in `make exhaustive` alone
<!-- file: NAME -->         a file that later commands of the page read
<!-- in: PACKAGE -->        Python that belongs into this package
<!-- output of: COMMAND --> not of the last command above it
<!-- text: WHAT -->         neither code nor the output of a command here
"""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, List, Tuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
MARKS = "not run|run by|exhaustive|file|in|output of|text"
MARK = re.compile(rf"<!-- ({MARKS}):? ?(.*?) ?-->")
PROGRAMS = "wqmix python pip make cd srun export".split()
BEFORE_A_PROGRAM = re.compile(r"^(?:\$ |[A-Z_]+=\S+ |taskset -c \S+ |chrt -r \d+ )+")


@dataclass
class Block:
    """A block of a page.

    Attributes:
        kind: sh, python, yaml, … of its fence; of an indented block what it looks like.
        marks: the comments above it, as (mark, what it says).
        output: the lines after a command with `$ ` before it.
    """

    page: Path
    line: int
    kind: str
    text: str
    marks: List[Tuple[str, str]] = field(default_factory=list)
    output: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}, line {self.line}"

    def marked(self, mark: str) -> List[str]:
        """Return what comments of this mark say."""
        return [said for name, said in self.marks if name == mark]

    def commands(self) -> Iterator[List[str]]:
        """Yield the words of each command, without what only places it."""
        for line in re.sub(r"\\\n\s*", "", self.text).splitlines():
            for part in without_comment(line).split("; "):
                words = shlex.split(BEFORE_A_PROGRAM.sub("", part.strip()))
                words = [word.strip("[]") if "[-" in part else word for word in words]
                if words[:1] == ["srun"]:
                    words = words[1:]
                if words:
                    yield words


def without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)


def blocks(page: Path) -> List[Block]:
    """Return all blocks of a page: fenced, or indented after an empty line."""
    lines = page.read_text("utf-8").splitlines()
    found: List[Block] = []
    at = 0
    while at < len(lines):
        fence = re.match(r"```(\w*)", lines[at])
        if fence:
            end = lines.index("```", at + 1)
            text = "\n".join(lines[at + 1 : end])
            found.append(Block(page, at + 1, fence[1] or "text", text))
        elif lines[at].startswith("    ") and not lines[at - 1].strip():
            end = at
            while end < len(lines) and (lines[end][:4] == "    " or not lines[end]):
                end += 1
            text = "\n".join(line[4:] for line in lines[at:end]).rstrip()
            found.append(indented(Block(page, at + 1, "", text)))
        else:
            at += 1
            continue
        found[-1].marks = marks_above(lines, at)
        at = end + 1
    return found


def marks_above(lines: List[str], at: int) -> List[Tuple[str, str]]:
    found = []
    while at and (not lines[at - 1].strip() or lines[at - 1].startswith("<!-- ")):
        at -= 1
        marked = MARK.fullmatch(lines[at].strip())
        assert marked or not lines[at].strip(), f"line {at + 1}: {lines[at]}"
        found += [(marked[1], marked[2])] if marked else []
    return found


def indented(block: Block) -> Block:
    """Settle what an indented block is."""
    if block.text.startswith("$ "):
        block.text, _, block.output = block.text.partition("\n")
    lines = [without_comment(line) for line in block.text.splitlines()]
    first = next((line for line in lines if line.strip()), "")
    program = BEFORE_A_PROGRAM.sub("", first).split(" ")[0]
    if program in PROGRAMS:
        block.kind = "sh"
    else:
        block.kind = "python" if is_python(block.text) else "text"
    return block


def is_python(text: str) -> bool:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return False
    statements = (ast.Import, ast.ImportFrom, ast.Call)
    return any(isinstance(node, statements) for node in ast.walk(tree))
