"""How everything that a user writes is read: YAML, values, names. As data only.

For the plugin, the embedded host and the theory alike, whose own error classes say
`where`. Bounded, so that no file can make the reader hang or fill the memory.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from pathlib import Path
from typing import Any, List, Sequence, Tuple

import yaml

from ..storage.errors import UserError
from ..storage.files import open_regular

MAX_BYTES = 250_000
MAX_NODES = 50_000  # an alias counts as all that it stands for
MAX_DEPTH = 32
MAX_DIGITS = 100
_KEY = re.compile(r"\w[\w -]*")
_CLASS = re.compile(r"([^\W\d][\w.]*|.+\.py):[^\W\d][\w.]*")
_WORDS = {"true": True, "false": False, "null": None, "none": None}
_LONGEST_QUOTE = 200
_TAG = "tag:yaml.org,2002:"
_DATA = {_TAG + kind for kind in "null bool int float str seq map merge".split()}


class ReadingError(UserError, ValueError):
    """What is wrong with a file, value or name: part of one line."""


class _Loader(yaml.SafeLoader):
    """The safe loader; dates stay text."""

    yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in resolvers if tag != _TAG + "timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """A file's content, if it is no longer than `limit`."""
    try:
        with open_regular(path) as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ReadingError(f"cannot be read ({error.strerror})") from None
    if len(content) > limit:
        raise ReadingError(f"longer than {limit:,} bytes")
    return content


def read_text(path: Path) -> str:
    """A UTF-8 file's text, a byte order mark left out."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is {error.object[error.start]:#04x}"
        raise ReadingError(f"not UTF-8 text ({reason})") from None


def read_yaml(path: Path, allow_duplicates: bool = False) -> dict[str, Any]:
    """A YAML file's mapping (see `parse_yaml`)."""
    values = parse_yaml(read_text(path), allow_duplicates)
    if not isinstance(values, dict):
        raise ReadingError("no 'key: value' settings in it")
    return values


def parse_yaml(text: str, allow_duplicates: bool = False) -> Any:
    """The numbers, texts, lists and mappings that a YAML document holds.

    Args:
        text: of one document.
        allow_duplicates: the last of several equal keys wins, as in most readers;
            otherwise they are refused.

    Raises:
        ReadingError: not YAML, or anything that a configuration has no use for.
    """
    loader = _Loader("")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _Check(allow_duplicates).node(node, 1)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ReadingError(f"not valid YAML {_short(error)}") from None
    except RecursionError:
        raise ReadingError(f"nested deeper than {MAX_DEPTH} levels") from None
    except (ValueError, OverflowError) as error:
        if isinstance(error, ReadingError):
            raise
        raise ReadingError(f"not valid YAML ({error})") from None
    finally:
        loader.dispose()


def _short(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"({' '.join(str(error).split())[:200]})"
    problem = " ".join(str(error.problem).split())[:200]
    return f"at line {mark.line + 1}, column {mark.column + 1} ({problem})"


class _Check:
    """Walks a document as it would be with every alias written out."""

    def __init__(self, allow_duplicates: bool) -> None:
        self.allow_duplicates = allow_duplicates
        self.n_nodes = 0

    def node(self, node: yaml.Node, depth: int) -> None:
        self.n_nodes += 1
        if self.n_nodes > MAX_NODES:
            raise ReadingError(f"more than {MAX_NODES:,} values in it")
        if depth > MAX_DEPTH:
            raise ReadingError(f"nested deeper than {MAX_DEPTH} levels")
        line = f"line {node.start_mark.line + 1}"
        if node.tag not in _DATA:
            raise ReadingError(f"{line}: {node.tag[:60]!r} is no plain data")
        if isinstance(node, yaml.MappingNode):
            self.keys(node)
            for key, value in node.value:
                self.node(key, depth + 1)
                self.node(value, depth + 1)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self.node(value, depth + 1)
        elif isinstance(node, yaml.ScalarNode):
            self.scalar(node, line)

    def keys(self, node: yaml.MappingNode) -> None:
        seen: List[str] = []
        for key, _ in node.value:
            line = f"line {key.start_mark.line + 1}"
            if key.tag == _TAG + "merge":
                continue
            if key.tag != _TAG + "str" or not _KEY.fullmatch(key.value):
                what = str(key.value)[:50] if isinstance(key.value, str) else key.id
                raise ReadingError(
                    f"{line}: key {what!r} is no name of letters, digits, '_' and '-'"
                )
            if key.value in seen and not self.allow_duplicates:
                raise ReadingError(f"{line}: key {key.value!r} is there twice")
            seen.append(key.value)

    @staticmethod
    def scalar(node: yaml.ScalarNode, line: str) -> None:
        if node.tag == _TAG + "int" and len(node.value) > MAX_DIGITS:
            raise ReadingError(f"{line}: a number of {len(node.value)} digits")
        if not is_text(node.value):
            raise ReadingError(f"{line}: a text with half a character or a NUL")


def literal(text: str) -> Any:
    """A Python literal of numbers, text, lists and mappings; anything else is text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes: they are text, then
            value = ast.literal_eval(text)
        return value if _is_plain(value, 1) else text
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def read_value(text: str) -> Any:
    """What is meant by the text after `key=`: bare words in any case, else a literal.

    `true`, `false`, `null` and `none` are values; in quotes they are text.
    """
    value = literal(text)
    is_bare = isinstance(value, str) and value == text
    return _WORDS.get(text.strip().lower(), value) if is_bare else value


def check_spaces(words: Sequence[str]) -> None:
    """Refuse `t_max = 50` among the words after `with`.

    Raises:
        ReadingError: it says how to write it.
    """
    for before, word, after in zip(["", *words], words, [*words[1:], ""]):
        key, equals, value = word.partition("=")
        is_cut_before = not key and "=" not in before
        is_cut_after = not value and "=" not in after and not after.startswith("-")
        parts = [before] * is_cut_before + [word] + [after] * is_cut_after
        parts = [part for part in parts if part]
        if equals and len(parts) > 1:
            told = quoted(" ".join(parts))
            right = quoted("".join(parts))
            raise ReadingError(f"{told} after `with`: write {right}, without spaces")


def read_word(word: str) -> Tuple[Tuple[str, ...], Any]:
    """`a.b=1` as (("a", "b"), 1).

    Raises:
        ReadingError: not of this form.
    """
    key, equals, text = word.partition("=")
    if not is_text(word):
        raise ReadingError(
            f"{quoted(word)} after `with` is no text that a file can hold"
        )
    if key.startswith("-") and equals:
        right = f"{key.lstrip('-')}={text}"
        raise ReadingError(f"{quoted(word)} after `with`: write {quoted(right)}")
    path = tuple(key.split("."))
    if not equals or not all(_KEY.fullmatch(part) for part in path):
        raise ReadingError(
            f"{quoted(word)} after `with` is not of the form key=value (without spaces)"
        )
    return path, read_value(text)


def spelt(value: Any) -> str:
    """A value as the text that `read_value`, and sacred, reads as the same value.

    Raises:
        ReadingError: there is no such text (NaN, infinity).
    """
    if isinstance(value, str) and read_value(value) == value:
        return value
    text = repr(value)
    if literal(text) != value:
        raise ReadingError(f"{quoted(value)} cannot be written on a command line")
    return text


def plain(value: Any, where: str) -> Any:
    """A value from Python as YAML would hold it: arrays are lists, paths are text.

    Raises:
        ReadingError: something that no settings file can hold.
    """
    if hasattr(value, "tolist"):  # numpy's arrays and numbers, PyTorch's tensors
        value = value.tolist()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [plain(each, where) for each in value]
    if isinstance(value, dict):
        if not all(map(_is_good_text, value)):
            raise ReadingError(f"{where}: keys that are text are needed")
        return {key: plain(each, f"{where}.{key}") for key, each in value.items()}
    if not _is_plain(value, 1):
        kind = f"of type {type(value).__name__}"
        raise ReadingError(f"{where} is {kind}: no number, text, list or mapping")
    return value


def quoted(value: Any) -> str:
    """A value as messages show it: one short line."""
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def in_home(text: str) -> str:
    """A path that begins with `~/`, also after `key=`, with the home folder in it."""
    key, _, value = text.partition("=")
    if value.startswith("~/"):
        return f"{key}={os.path.expanduser(value)}"
    return os.path.expanduser(text) if text.startswith("~/") else text


def names_code(text: str) -> bool:
    """Whether it is path/to/file.py, path/to/file.py:Class or package.module:Class."""
    return text.endswith(".py") or _CLASS.fullmatch(text) is not None


def _is_plain(value: Any, depth: int) -> bool:
    if depth > MAX_DEPTH:
        return False
    if isinstance(value, (list, tuple)):
        return all(_is_plain(each, depth + 1) for each in value)
    if isinstance(value, dict):
        names = all(isinstance(key, str) and _KEY.fullmatch(key) for key in value)
        return names and all(_is_plain(each, depth + 1) for each in value.values())
    if isinstance(value, int):
        too_large: int = 10**MAX_DIGITS
        return abs(value) < too_large
    return value is None or isinstance(value, float) or _is_good_text(value)


def _is_good_text(value: Any) -> bool:
    return isinstance(value, str) and is_text(value)


def is_text(text: str) -> bool:
    """Whether a text can be written to a file: no NUL, no half of a character."""
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def stays_inside(name: str) -> bool:
    """Whether a folder joined with `name` is still inside that folder."""
    parts = re.split(r"[/\\]", name)
    return is_text(name) and ".." not in parts and parts[0] != ""


def one_line(message: object) -> str:
    """A message as one line, though what it quotes has line ends or control codes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(message))
