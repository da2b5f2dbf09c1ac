"""Checkpoints: complete, atomic, tensors only."""

from __future__ import annotations

import os
import random

import pytest
import torch

from wqmix.errors import CheckpointError
from wqmix.storage import manifest

from .doubles import make_batch, make_learner


def train(learner, episodes):
    for episode in episodes:
        learner.train(make_batch(episode), episode, 100 * episode)


def everything(learner):
    nets = learner.target_networks.nets().values()
    tensors = [*learner.params, *(p for net in nets for p in net.parameters())]
    for state in learner.optimiser.state_dict()["state"].values():
        tensors += [value for value in state.values() if torch.is_tensor(value)]
    return [t.detach().clone() for t in tensors]


@pytest.mark.parametrize(
    "changes",
    [
        dict(),
        dict(double_q=False),
        dict(central_loss=0.0, weighting="ow"),
        dict(standardise_rewards=True, standardise_returns=True),
        dict(optimizer="adam", central_mixer="atten"),
        dict(central_agent="central_rnn_ns"),
        dict(central_agent="central_ff"),
    ],
)
def test_save_load_continue_over_all_networks(tmp_path, changes):
    straight = make_learner(**changes)
    train(straight, range(6))
    first = make_learner(**changes)
    train(first, range(3))
    first.save_models(str(tmp_path / "3"))
    second = make_learner(seed=1, **changes)
    second.load_models(str(tmp_path / "3"))
    assert all(map(torch.equal, everything(first), everything(second)))
    train(second, range(3, 6))
    assert all(map(torch.equal, everything(straight), everything(second)))
    assert straight.last_log_t == second.last_log_t


def test_files_of_the_host_and_ours(tmp_path):
    make_learner(double_q=False).save_models(str(tmp_path / "0"))
    names = {"agent", "mixer", "opt", "central_agent", "central_mixer", "learner"}
    names |= {"target_mac", "target_central_agent", "target_central_mixer"}
    names |= {"learner_opt"}
    files = {f"{name}.th" for name in names} | {"manifest.json"}
    assert set(os.listdir(tmp_path / "0")) == files
    assert os.listdir(tmp_path) == ["0"]


def test_saving_over_a_checkpoint_replaces_it(tmp_path):
    one, other = make_learner(0), make_learner(1)
    train(one, [0])
    train(other, [0])
    one.save_models(str(tmp_path / "0"))
    other.save_models(str(tmp_path / "0"))
    fresh = make_learner(2)
    fresh.load_models(str(tmp_path / "0"))
    assert all(map(torch.equal, everything(other), everything(fresh)))
    assert os.listdir(tmp_path) == ["0"]


def test_a_folder_that_the_host_has_made_already(tmp_path):
    os.makedirs(tmp_path / "0")
    make_learner(0).save_models(str(tmp_path / "0"))
    make_learner(1).load_models(str(tmp_path / "0"))
    assert os.listdir(tmp_path) == ["0"]


def test_the_hosts_optimiser_takes_its_file(tmp_path):
    """opt.th is what the optimiser of the host's QMIX, of fewer parameters, writes."""
    learner = make_learner()
    train(learner, range(3))
    learner.save_models(str(tmp_path / "0"))
    params = [*learner.mac.parameters(), *learner.mixer.parameters()]
    hosts = torch.optim.RMSprop(params, lr=0.5)
    hosts.load_state_dict(torch.load(tmp_path / "0" / "opt.th"))
    state = learner.optimiser.state_dict()["state"]
    for i, param in enumerate(params):
        mine = state[i]["square_avg"]
        assert torch.equal(mine, hosts.state[param]["square_avg"]) and mine.any()
    assert hosts.param_groups[0]["lr"] == 0.01


def test_targets_follow_on_when_the_host_counts_episodes_anew(tmp_path):
    """Saved at episode 300, 100 after the last copy: the next one 100 after a load."""
    first = make_learner()
    for episode in (200, 300):
        first.train(make_batch(), 0, episode)
    first.save_models(str(tmp_path / "0"))
    second = make_learner(1)
    second.load_models(str(tmp_path / "0"))
    target, online = second.target_central_mixer, second.central_mixer
    equal = []
    for episode in (0, 99, 100, 101, 299, 300):
        second.train(make_batch(), 0, episode)
        pairs = zip(online.parameters(), target.parameters())
        equal.append(all(torch.equal(a, b) for a, b in pairs))
    assert equal == [False, False, True, False, False, True]


def test_a_failed_save_leaves_the_former_one(tmp_path, monkeypatch):
    learner = make_learner()
    learner.save_models(str(tmp_path / "0"))
    before = {f.name: f.read_bytes() for f in (tmp_path / "0").iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        learner.save_models(str(tmp_path / "0"))
    assert {f.name: f.read_bytes() for f in (tmp_path / "0").iterdir()} == before
    assert os.listdir(tmp_path) == ["0"]


def test_a_hosts_qmix_checkpoint_warm_starts_and_says_so(tmp_path, caplog):
    source, learner = make_learner(0), make_learner(1)
    source.mac.save_models(str(tmp_path))
    torch.save(source.mixer.state_dict(), tmp_path / "mixer.th")
    torch.save(source.optimiser.state_dict(), tmp_path / "opt.th")
    central = [p.detach().clone() for p in learner.central_agent.parameters()]
    with caplog.at_level("WARNING"):
        learner.load_models(str(tmp_path))
    [message] = caplog.messages
    assert "loaded are agent, mixer; Q̂* is new: central_agent, central_mixer" in message
    for mine, theirs in zip(learner.mac.parameters(), source.mac.parameters()):
        assert torch.equal(mine, theirs)
    assert all(map(torch.equal, central, learner.central_agent.parameters()))
    targets = learner.target_central_agent.parameters()
    assert all(map(torch.equal, central, targets))


@pytest.mark.parametrize("stem", ["central_agent", "target_central_mixer", "learner"])
def test_an_incomplete_checkpoint_is_refused(tmp_path, stem):
    learner = make_learner()
    learner.save_models(str(tmp_path / "0"))
    os.remove(tmp_path / "0" / f"{stem}.th")
    before = everything(learner)
    with pytest.raises(CheckpointError, match=f"incomplete, {stem}.th is missing"):
        learner.load_models(str(tmp_path / "0"))
    assert all(map(torch.equal, before, everything(learner)))


def test_absent_folder():
    with pytest.raises(CheckpointError, match="no such checkpoint folder"):
        make_learner().load_models("/nowhere")


def test_another_networks_checkpoint_is_refused(tmp_path):
    make_learner(central_rnn_hidden_dim=9).save_models(str(tmp_path / "0"))
    with pytest.raises(CheckpointError, match="central_agent.th: is of another"):
        make_learner().load_models(str(tmp_path / "0"))


class Bomb:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


STEMS = ["agent", "mixer", "learner_opt", "central_mixer", "learner"]


@pytest.mark.parametrize("stem", STEMS)
def test_a_pickle_that_executes_is_refused_and_does_not_run(tmp_path, stem):
    """Even where the manifest was forged to fit it."""
    learner = make_learner()
    learner.save_models(str(tmp_path / "0"))
    torch.save(Bomb(tmp_path / "ran"), tmp_path / "0" / f"{stem}.th")
    with pytest.raises(CheckpointError, match=f"{stem}.th: (has|is damaged)"):
        learner.load_models(str(tmp_path / "0"))
    manifest.write(str(tmp_path / "0"), {})
    before = everything(learner)
    with pytest.raises(CheckpointError, match=f"{stem}.th: cannot be read as tensors"):
        learner.load_models(str(tmp_path / "0"))
    assert not (tmp_path / "ran").exists()
    assert all(map(torch.equal, before, everything(learner)))


@pytest.mark.parametrize("stem", ["agent", "mixer", "opt", "central_agent"])
def test_a_pickle_in_another_learners_checkpoint(tmp_path, stem):
    source, learner = make_learner(0), make_learner(1)
    source.mac.save_models(str(tmp_path))
    torch.save(source.mixer.state_dict(), tmp_path / "mixer.th")
    torch.save(Bomb(tmp_path / "ran"), tmp_path / f"{stem}.th")
    if stem == "opt":  # which is not looked at
        learner.load_models(str(tmp_path))
    else:
        with pytest.raises(CheckpointError, match="cannot be read as tensors"):
            learner.load_models(str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_without_its_manifest_ours_is_refused(tmp_path):
    learner = make_learner()
    learner.save_models(str(tmp_path / "0"))
    os.remove(tmp_path / "0" / "manifest.json")
    with pytest.raises(CheckpointError, match="incomplete, manifest.json is missing"):
        learner.load_models(str(tmp_path / "0"))


def damaged(folder, count, seed=0):
    """Yield `count` times, with one byte flipped or one file cut somewhere."""
    draw = random.Random(seed)
    names = sorted(os.listdir(folder))
    for number in range(count):
        file = folder / names[number % len(names)]
        whole = file.read_bytes()
        at = draw.randrange(len(whole))
        flipped = whole[:at] + bytes([whole[at] ^ (1 << draw.randrange(8))])
        file.write_bytes(whole[:at] if number % 2 else flipped + whole[at + 1 :])
        yield file.name, at
        file.write_bytes(whole)


def test_every_flipped_byte_and_every_cut_is_refused(tmp_path):
    """A sample; `WQMIX_DAMAGE` says how many (docs/reliability.md: 2,000)."""
    learner = make_learner()
    train(learner, range(2))
    learner.save_models(str(tmp_path / "0"))
    before = everything(learner)
    for where in damaged(tmp_path / "0", int(os.environ.get("WQMIX_DAMAGE", 220))):
        try:
            learner.load_models(str(tmp_path / "0"))
        except CheckpointError as error:
            assert len(str(error).splitlines()) == 1, where
        else:
            raise AssertionError(f"not noticed: {where}")
    assert all(map(torch.equal, before, everything(learner)))
    learner.load_models(str(tmp_path / "0"))
