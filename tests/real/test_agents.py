"""The hosts' other agents and controllers as utility networks, with our Q̂* beside them.

Each is a YAML as a user would write it: what the host's own file of that agent says,
with our learner. Needs checkouts: set WQMIX_HOSTS. PyMARL3's agents need StarCraft's
sizes, which `skirmish` has. A table in docs/hosts.md is made as for `test_hosts`.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any, Dict, NamedTuple, Tuple

import pytest
import yaml

from . import checkouts
from .checkouts import CHECKOUTS, FORAGING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not checkouts.FOLDER.is_dir(),
        reason="set WQMIX_HOSTS to a folder that holds checkouts of the hosts",
    ),
]
TABLE = os.environ.get("WQMIX_HOSTS_TABLE")
STEPS = 500
LAUNCH = ("-m", "wqmix")
SKIRMISH = (str(Path(__file__).with_name("skirmish.py")),)
SCHEDULE = (
    "seed=1 use_cuda=False t_max=520 test_interval=250 log_interval=250 "
    "runner_log_interval=250 learner_log_interval=100 batch_size=8 buffer_size=32 "
    "test_nepisode=1 batch_size_run=1 runner=episode"
).split()
TWO_EPISODES = ("batch_size=2", "buffer_size=4")  # of 200 steps
ONE_THREAD = "use_tensorboard=False thread_num=1 save_model=False".split()


class Game(NamedTuple):
    """What is launched, and on what."""

    launch: Tuple[str, ...]
    command: Tuple[str, ...]
    env: str
    settings: Tuple[str, ...]


SC2 = Game(SKIRMISH, ("src/main.py",), "sc2", ("env_args.map_name=3m",))
HEALING = SC2._replace(settings=("env_args.map_name=MMM",))
GAMES = {
    "pymarl2": SC2,
    "pymarl3": SC2,
    "wqmix": Game(LAUNCH, ("src/main.py",), "pred_prey_punish", TWO_EPISODES),
    "epymarl": Game(LAUNCH, ("src/main.py",), "gymma", FORAGING),
    "pymarlzooplus": Game(LAUNCH, ("-m", "pymarlzooplus.main"), "gymma", FORAGING),
}


class Agent(NamedTuple):
    """A host's YAML whose agent is taken, what is changed in it, and the game."""

    host: str
    parent: str
    changes: Dict[str, Any] = {}  # noqa: RUF012, never written to
    game: Any = None


QATTEN = {
    "mixer": "qatten",
    "n_query_embedding_layer1": 64,
    "n_query_embedding_layer2": 32,
    "n_key_embedding_layer1": 32,
    "n_head_embedding_layer1": 64,
    "n_head_embedding_layer2": 4,
    "n_attention_head": 4,
    "n_constrant_value": 32,
    "type": "weighted",
}
BASIC = {"mac": "basic_mac"}
AGENTS = {
    "PyMARL3 hpns_rnn": Agent("pymarl3", "hpn_qmix"),
    "PyMARL3 hpns_rnn, 2 heads, MMM": Agent(
        "pymarl3", "hpn_qmix", {"hpn_head_num": 2}, HEALING
    ),
    "PyMARL3 hpn_rnn": Agent("pymarl3", "hpn_vdn", {"agent": "hpn_rnn"}),
    "PyMARL3 hpn_rnn, MMM": Agent("pymarl3", "hpn_qmix", {"agent": "hpn_rnn"}, HEALING),
    "PyMARL3 updet_agent": Agent("pymarl3", "updet_qmix"),
    "PyMARL3 updet_agent, vdn": Agent("pymarl3", "updet_vdn"),
    "PyMARL3 deepset_rnn": Agent("pymarl3", "deepset_qmix"),
    "PyMARL3 deepset_hyper_rnn": Agent("pymarl3", "deepset_hyper_qmix"),
    "PyMARL3 gnn_rnn": Agent("pymarl3", "gnn_qmix"),
    "PyMARL3 asn_rnn": Agent("pymarl3", "asn"),
    "PyMARL3 rnn, basic_mac": Agent("pymarl3", "qmix", {**BASIC, "agent": "rnn"}),
    "PyMARL3 n_rnn, qatten": Agent("pymarl3", "qmix", QATTEN),
    "PyMARL2 rnn, basic_mac": Agent("pymarl2", "qmix", {**BASIC, "agent": "rnn"}),
    "PyMARL2 ff, basic_mac": Agent("pymarl2", "qmix", {**BASIC, "agent": "ff"}),
    "PyMARL2 noisy_rnn": Agent("pymarl2", "qmix", {"agent": "noisy_rnn"}),
    "PyMARL2 att_rnn": Agent("pymarl2", "qmix_att", {"agent": "att_rnn"}),
    "PyMARL2 conv_agent, conv_mac": Agent("pymarl2", "qmix_conv"),
    "PyMARL2 n_rnn, layer norm": Agent(
        "pymarl2", "qmix", {"use_layer_norm": True, "use_orthogonal": True}
    ),
    "PyMARL2 n_rnn, vdn": Agent("pymarl2", "vdn"),
    "oxwhirl/wqmix ff": Agent("wqmix", "qmix_smac", {"agent": "ff"}),
    "EPyMARL rnn, use_rnn": Agent("epymarl", "qmix", {"use_rnn": True}),
    "EPyMARL rnn, vdn": Agent("epymarl", "vdn"),
    "EPyMARL rnn_ns": Agent("epymarl", "qmix_ns"),
    "EPyMARL rnn_ns, use_rnn": Agent("epymarl", "qmix_ns", {"use_rnn": True}),
    "PyMARLzoo+ rnn_ns": Agent("pymarlzooplus", "qmix_ns"),
    "PyMARLzoo+ rnn, no memory": Agent("pymarlzooplus", "qmix", {"use_rnn": False}),
}


@pytest.mark.parametrize("name", AGENTS)
def test_trains(name: str, tmp_path: Path) -> None:
    agent = AGENTS[name]
    lacks = CHECKOUTS[agent.host].lacks()
    if lacks is not None:
        pytest.skip(lacks)
    game = agent.game or GAMES[agent.host]
    config = tmp_path / "mine.yaml"
    config.write_text(yaml.safe_dump(settings_of(agent)))
    words = [f"--config={config}", f"--env-config={game.env}", "with"]
    words += [*SCHEDULE, *game.settings]
    words += ONE_THREAD if agent.host == "pymarl3" else []
    checkout = checkouts.clone(agent.host, tmp_path)
    began = time.time()
    code = checkouts.run([*game.launch, *game.command, *words], checkout)
    seconds = time.time() - began
    assert code == 0, checkouts.output(checkout)[-3000:]
    assert checkouts.status(checkout) == "COMPLETED"
    assert checkouts.clean(checkout)
    stats = checkouts.logged(checkout)
    steps = max(max(value) for key, value in stats.items() if key.endswith("_T"))
    assert steps >= STEPS
    assert len(stats["w_to_use"]) >= 2
    for key in ("loss", "qmix_loss", "central_loss", "grad_norm", "agent_norm"):
        assert all(map(math.isfinite, stats[key])), key
    assert stats["agent_norm"][-1] > 0  # the utilities learn
    if TABLE:
        row = (name, agent.parent, agent.changes or "", int(steps), f"{seconds:.0f}")
        with open(TABLE, "a", encoding="utf-8") as table:
            table.write("| " + " | ".join(str(cell) for cell in row) + " |\n")


def settings_of(agent: Agent) -> Dict[str, Any]:
    """Return the YAML: ours, then the host's file of the agent, with our learner."""
    return {
        "inherit": ["cw_qmix", agent.parent],
        "name": "mine",
        "learner": "wqmix_learner",
        **agent.changes,
    }
