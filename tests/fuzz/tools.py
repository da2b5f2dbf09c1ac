"""What every fuzz test needs: how many inputs, what strange input is, what may happen.

`WQMIX_FUZZ=10000 python -m pytest tests/fuzz` tries so many inputs per parser; without
it a few, always the same ones.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from wqmix.config.reading import one_line

N_INPUTS = int(os.environ.get("WQMIX_FUZZ", "0"))
SECONDS_UNTIL_IT_HANGS = 20

fuzzed = settings(
    max_examples=N_INPUTS or 60,
    derandomize=not N_INPUTS,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Hang(BaseException):
    """An input took so long that it hangs; no reader catches this."""


@contextmanager
def harmless(*refusals):
    """The block ends soon, in nothing or in one line of ours, and writes no file here.

    Args:
        refusals: the exceptions that are ours.
    """

    def hangs(signum, frame):
        raise Hang

    before = everything(Path.cwd())
    # Seconds of the processor: a busy machine is no hang.
    handler = signal.signal(signal.SIGPROF, hangs)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_UNTIL_IT_HANGS)
    try:
        yield
    except refusals as error:
        message = one_line(error)  # as it is printed
        assert message.strip() and len(message.splitlines()) == 1
        message.encode("utf-8")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
    assert everything(Path.cwd()) == before


def everything(folder):
    """The paths and sizes below a folder and its parent, where a `..` would lead."""
    return {
        path: path.stat().st_size if path.is_file() else None
        for path in folder.parent.rglob("*")
    }


NASTY = [
    *("", "0", "-1", "1e400", ".inf", "-.inf", ".nan", "0x" + 5000 * "f", 9999 * "9"),
    *("null", "~", "True", "yes", "None", "1:30", "2024-02-30", "1_0", "0b1", "1e3"),
    *("../../x", "/etc/passwd", "..", ".", "a/b", "C:\\x", "a=b", "$a", "a.b", "py/id"),
    *(
        "\0",
        "\ufeff",
        "\ud800",
        "é",
        "\u2028",
        "\x1b[2J",
        "٣",
        "²",
        "{",
        "[[",
        "'",
        '"',
    ),
    *("&a [*a]", "*b", "<<: *a", "!!python/object/apply:os.mkdir [made]", "!!binary x"),
    *("[[1, 2], [3, 4]]", "[[1], [2, 3]]", "{a: 1}", "{1: 2}", "[]", "{}", "-", "? a"),
    *("()", "(1,)", "{'a': {'b': 1}}", "b'x'", "1+2j", "{1, 2}", "-" * 3000 + "1"),
    *(200 * "[", 200 * "{a: ", "x" * 3000, "%s%n", "{0}", "\\", "#", ":", "|", ">"),
]
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.integers(-(10**400), 10**400), st.booleans()
)
text = st.one_of(st.sampled_from(NASTY), st.text(max_size=20), NUMBERS.map(repr))
plain = st.recursive(
    st.one_of(st.none(), NUMBERS, text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)
    ),
    max_leaves=12,
)


def tables(entries=NUMBERS):
    """Payoff tables: whole, ragged, too deep, or of something else."""
    whole = st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(entries, min_size=n, max_size=n), max_size=4)
    )
    return st.one_of(whole, st.lists(st.lists(st.one_of(entries, plain))), plain)


@st.composite
def damaged(draw, contents):
    """One of several byte strings with bytes flipped, cut, doubled or put in."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(["flip", "cut", "drop", "double", "insert"]))
        if kind == "flip" and content:
            content[at] ^= draw(st.integers(1, 255))
        elif kind == "cut":
            del content[at:]
        elif kind == "drop":
            del content[at : at + draw(st.integers(1, 64))]
        elif kind == "double":
            content[at:at] = content[at : at + draw(st.integers(1, 64))]
        else:
            content[at:at] = draw(st.binary(max_size=8))
    return bytes(content)
