"""Ours against the published learner: same weights, same batches, ten steps.

Needs a checkout of oxwhirl/wqmix: set WQMIX_HOSTS to the folder that holds it (as
`wqmix`).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from benchmarks.published import Shape, build_pair

CHECKOUT = Path(os.environ.get("WQMIX_HOSTS", "/nonexistent")) / "wqmix"
pytestmark = [
    pytest.mark.skipif(
        not CHECKOUT.is_dir(),
        reason="set WQMIX_HOSTS to a folder that holds a checkout of oxwhirl/wqmix",
    ),
    pytest.mark.filterwarnings("ignore:Using a non-tuple sequence"),  # theirs
]
SHAPE = Shape(
    n_agents=4, n_actions=5, obs_shape=9, state_shape=11, slots=9, episodes=6
)


@pytest.mark.parametrize("central_mixer", ["ff", "atten"])
@pytest.mark.parametrize("is_ow", [False, True], ids=["cw", "ow"])
def test_ten_steps_agree(is_ow, central_mixer):
    published, ours, batches = build_pair(
        CHECKOUT,
        SHAPE,
        n_batches=10,
        hysteretic_qmix=is_ow,
        central_mixer=central_mixer,
        central_mixing_embed_dim=32,
        rnn_hidden_dim=24,
        central_rnn_hidden_dim=24,
        w=0.3,
        grad_norm_clip=3,
    )
    assert len(published.params) == len(ours.params)
    for step, batch in enumerate(batches):
        for learner in (published, ours):
            learner.train(batch, step, 50 * step)  # targets are copied at steps 4 and 8
        for key in ("loss", "qmix_loss", "central_loss", "grad_norm", "td_error_abs"):
            theirs = float(published.logger.stats[key][-1][1])
            mine = ours.logger.stats[key][-1][1]
            assert abs(theirs - mine) < 1e-5 * max(1.0, abs(theirs)), (step, key)
        for p, q in zip(published.params, ours.params):
            assert torch.allclose(p, q, rtol=0, atol=1e-5), step
