"""How large a mixer's first values are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wqmix.errors import ConfigError
from wqmix.mixing import scale_mixer

from .doubles import make_learner


class Nested(nn.Module):
    """Hypernetworks as hosts have them: linear, sequential, and lists of either."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(3, 4)
        self.b = nn.Sequential(nn.Linear(3, 2), nn.ReLU(inplace=True), nn.Linear(2, 4))
        self.heads = nn.ModuleList([nn.Sequential(nn.Linear(3, 2)), nn.Linear(3, 1)])


def test_the_last_layer_of_each_hypernetwork_is_scaled():
    torch.manual_seed(0)
    mixer = Nested()
    before = {key: value.clone() for key, value in mixer.state_dict().items()}
    state = torch.get_rng_state()
    scale_mixer(mixer, 0.1)
    assert torch.equal(state, torch.get_rng_state())
    for key, value in mixer.state_dict().items():
        factor = 1 if key.startswith("b.0") else 0.1
        assert torch.equal(value, before[key] * factor), key


class Bare(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hyper = nn.Linear(3, 4)
        self.w = nn.Parameter(torch.ones(2))


class Unknown(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hyper = nn.Linear(3, 4)
        self.memory = nn.GRUCell(3, 4)


@pytest.mark.parametrize("mixer", [Bare, Unknown])
def test_where_it_cannot_be_applied_a_line_says_so(mixer):
    before = mixer()
    scale_mixer(before, 1)
    with pytest.raises(ConfigError, match=f"0.1 cannot be applied to {mixer.__name__}"):
        scale_mixer(before, 0.1)


def test_a_sum_has_nothing_to_scale():
    scale_mixer(nn.Module(), 0.1)


def test_a_mixer_that_is_scaled_already_is_left_alone():
    torch.manual_seed(0)
    mixer = Nested()
    mixer.mixer_init_scale = 0.1
    before = mixer.a.weight.clone()
    scale_mixer(mixer, 0.1)
    assert torch.equal(mixer.a.weight, before)


@pytest.mark.parametrize(
    "learner", ["wqmix_learner", "pow_qmix_learner", "proj_qmix_learner"]
)
def test_learners_scale_their_hosts_mixer_and_its_copy(learner):
    plain, scaled = (
        make_learner(learner=learner, central_loss=1.0, mixer_init_scale=factor)
        for factor in (1.0, 0.25)
    )
    for p, q in zip(plain.mixer.parameters(), scaled.mixer.parameters()):
        assert torch.equal(q, 0.25 * p)


@pytest.mark.parametrize("kind", ["ff", "atten"])
def test_the_mixer_of_q_star_has_a_scale_of_its_own(kind):
    plain, scaled = (
        make_learner(central_mixer=kind, central_mixer_init_scale=factor)
        for factor in (1.0, 0.25)
    )
    last = len(plain.central_mixer.net) - 1
    ends = (f"net.{last}.", "V.2.")
    others = dict(scaled.central_mixer.named_parameters())
    for key, p in plain.central_mixer.named_parameters():
        factor = 0.25 if key.startswith(ends) else 1
        assert torch.equal(others[key], factor * p), key
    for p, q in zip(plain.mixer.parameters(), scaled.mixer.parameters()):
        assert torch.equal(p, q)


@pytest.mark.parametrize("key", ["mixer_init_scale", "central_mixer_init_scale"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("inf")])
def test_a_scale_is_more_than_zero(key, value):
    with pytest.raises(ConfigError, match=f"{key} is .*: a number > 0 is needed"):
        make_learner(**{key: value})
