"""Payoff tables: inline, from YAML, CSV and .npy files, and in a configuration."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wqmix.host.envs.payoffs import payoff_tensor
from wqmix.host.errors import HostError
from wqmix.theory.errors import TheoryError
from wqmix.theory.games import payoff_table

from .tools import damaged, fuzzed, harmless, plain, tables, text


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


TABLE = np.array([[8.0, -12.0], [-12.0, 0.0]])
CLAIMS = npy(TABLE).replace(b"(2, 2)", b"(9999999999, 2)")
NPY = [
    npy(TABLE),
    npy(TABLE.astype(complex)),
    npy(TABLE.astype("M8[s]")),
    npy(TABLE.astype("U5")),
    npy(np.zeros((2, 2), dtype=[("a", "f4")])),
    npy(np.array([[print, 1], [2, 3]], dtype=object), allow_pickle=True),
    npz(payoff=TABLE),
    CLAIMS,
]


def is_table(payoff):
    assert payoff.dtype == np.float64 and payoff.ndim >= 2 and np.isfinite(payoff).all()


@fuzzed
@given(st.one_of(text, tables().map(repr), st.text().map("[{}".format)))
def test_inline(what):
    with harmless(TheoryError):
        is_table(payoff_table(what))


@fuzzed
@given(st.one_of(damaged(NPY), st.sampled_from(NPY), st.binary(max_size=200)))
def test_npy(own_folder, content):
    file = Path(own_folder, "fuzz.npy")
    file.write_bytes(content)
    with harmless(TheoryError):
        is_table(payoff_table(str(file)))


CELLS = st.lists(st.lists(st.one_of(text, st.integers().map(str)), max_size=4))
ROWS = CELLS.map(lambda rows: "\n".join(map(",".join, rows)))


@fuzzed
@given(
    st.sampled_from([".csv", ".yaml", ".yml"]),
    st.one_of(
        st.binary(max_size=200),
        st.one_of(tables().map(repr), plain.map(repr), ROWS, text).map(
            lambda content: content.encode("utf-8", "surrogatepass")
        ),
    ),
)
def test_files(own_folder, suffix, content):
    file = Path(own_folder, f"fuzz{suffix}")
    file.write_bytes(content)
    with harmless(TheoryError):
        is_table(payoff_table(str(file)))


@fuzzed
@given(tables())
def test_in_a_configuration(payoff):
    with harmless(HostError):
        if payoff is not None:
            is_table(payoff_tensor(payoff=payoff))
