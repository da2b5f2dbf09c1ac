"""The hosts' own networks are run over whole sequences, not slot by slot.

Needs checkouts: set WQMIX_HOSTS to the folder that holds them.
"""

from __future__ import annotations

import pytest

from benchmarks.in_host import build

from .checkouts import FOLDER
from .test_checkpoints import SHAPE

NON_SHARED = {"mac": "non_shared_mac", "agent": "rnn_ns"}
BASIC = {"mac": "basic_mac", "agent": "rnn"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "host, changes",
    [
        ("pymarl", {}),
        ("pymarl2", {}),
        ("pymarl2", {"use_layer_norm": True}),
        ("pymarl2", BASIC),
        ("pymarl3", {}),
        ("pymarl3", BASIC),
        ("epymarl", {}),
        ("epymarl", {"use_rnn": True}),
        ("epymarl", {**NON_SHARED, "use_rnn": True}),
    ],
)
def test_standard_networks_run_fast(host, changes):
    if not (FOLDER / host).is_dir():
        pytest.skip(f"set WQMIX_HOSTS to a folder with a checkout of {host}")
    _, ours, batches = build(FOLDER / host, SHAPE, changes)
    said = []
    ours.unroll._log = said.append
    ours.train(batches[0], 0, 0)
    assert said == []
