"""Running standardisation of rewards, against EPyMARL's own learner on equal batches.

Needs a checkout: set WQMIX_HOSTS to the folder that holds it.
"""

from __future__ import annotations

import pytest
import torch

from benchmarks.in_host import build
from benchmarks.published import Shape

from .checkouts import FOLDER

SHAPE = Shape(
    n_agents=3,
    n_actions=4,
    obs_shape=7,
    state_shape=9,
    slots=20,
    episodes=8,
    padded=True,
)
PLAIN = {"weighting": "uniform", "central_loss": 0.0, "learner_log_interval": 0}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("use_rnn", [True, False])
def test_epymarls_own_qmix_has_the_same_statistics_and_losses(use_rnn):
    if not (FOLDER / "epymarl").is_dir():
        pytest.skip("set WQMIX_HOSTS to a folder with a checkout of epymarl")
    settings = {"standardise_rewards": True, "use_rnn": use_rnn, **PLAIN}
    theirs, ours, batches = build(FOLDER / "epymarl", SHAPE, settings)
    ours.target_networks.copy_all()  # of the mixer that was loaded since
    for step in range(9):
        batch = batches[step % len(batches)]
        theirs.train(batch, step, step)
        ours.train(batch, step, step)
        for name in ("mean", "var"):
            mine = getattr(ours.reward_moments, name)
            assert torch.allclose(mine, getattr(theirs.rew_ms, name), atol=1e-6), name
        assert abs(ours.reward_moments.count.item() - theirs.rew_ms.count) < 1e-6
        for key in ("loss", "grad_norm", "target_mean"):
            his, mine = (x.logger.stats[key][-1][1] for x in (theirs, ours))
            assert abs(float(his) - mine) < 1e-4 * max(1.0, abs(mine)), (step, key)
