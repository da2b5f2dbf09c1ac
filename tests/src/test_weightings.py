"""Weightings and targets on small tables computed by hand."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
import torch

from wqmix import central, targets, weightings
from wqmix.errors import ConfigError
from wqmix.weightings import WeightingInputs

from .doubles import make_batch, make_learner


def column(*values):
    """One episode: [1, T, 1]."""
    return torch.tensor(values).reshape(1, -1, 1)


def inputs(alpha=0.1):
    """Six transitions; the third has y = v = Q_tot (no strict inequality holds)."""
    return WeightingInputs(
        q_tot=column(1.0, 5.0, 2.0, 0.0, 9.0, -3.0),
        target=column(2.0, 4.0, 2.0, 1.0, 8.0, -2.0),
        greedy_value=column(3.0, 3.0, 2.0, 1.5, 9.0, -1.0),
        is_greedy_joint=column(False, False, False, True, False, False),
        alpha=alpha,
        temperature=1.0,
        t_env=0,
        is_optimal_joint=lambda: column(True, False, False, False, True, False),
        is_potentially_optimal=lambda: column(False, True, False, True, True, False),
    )


@pytest.mark.parametrize(
    "name, expected",
    [
        # y > v only at 1 (4 > 3); u = û at 3; the equality at 2 does not count.
        ("cw", (0.1, 1.0, 0.1, 1.0, 0.1, 0.1)),
        # Q_tot < y at 0 (1 < 2), 3 (0 < 1) and 5 (−3 < −2); equality at 2 does not.
        ("ow", (1.0, 0.1, 0.1, 1.0, 0.1, 1.0)),
        ("ideal", (1.0, 0.1, 0.1, 0.1, 1.0, 0.1)),
        ("uniform", (1.0,) * 6),
        ("pow", (0.1, 1.0, 0.1, 1.0, 1.0, 0.1)),
        ("greedy", (0.1, 0.1, 0.1, 1.0, 0.1, 0.1)),
    ],
)
def test_tables(name, expected):
    assert torch.equal(weightings.WEIGHTINGS[name](inputs()), column(*expected))


@pytest.mark.parametrize(
    "name, temperature, expected",
    [
        # y − Q_tot = 1, −1, 0, 1, −1, 1; σ(1) = 0.7310586, σ(0) = 1/2, α = 0.1
        ("soft_ow", 1.0, (0.7579527, 0.3420473, 0.55, 0.7579527, 0.3420473, 0.7579527)),
        # σ(1 / 0.5) = 0.8807971
        ("soft_ow", 0.5, (0.8927174, 0.2072826, 0.55, 0.8927174, 0.2072826, 0.8927174)),
        # y − v = −1, 1, 0, (−0.5, but u = û), −1, −1
        ("soft_cw", 1.0, (0.3420473, 0.7579527, 0.55, 1.0, 0.3420473, 0.3420473)),
    ],
)
def test_softened_tables(name, temperature, expected):
    x = dataclasses.replace(inputs(), temperature=temperature)
    weights = weightings.WEIGHTINGS[name](x)
    assert torch.allclose(weights, column(*expected), rtol=0, atol=3e-7)


@pytest.mark.parametrize("name", ["cw", "ow"])
def test_softened_steps_become_the_papers(name):
    """As τ → 0, but where the two sides are equal: there the step is halfway."""
    x = dataclasses.replace(inputs(), temperature=1e-6)
    soft, hard = (weightings.WEIGHTINGS[n](x) for n in (f"soft_{name}", name))
    apart = (soft - hard).abs().flatten().tolist()
    assert apart[2] == pytest.approx(0.45) and max(apart[:2] + apart[3:]) < 1e-7


@pytest.mark.parametrize("name", sorted(weightings.WEIGHTINGS))
def test_every_weighting_is_uniform_at_alpha_one(name):
    weights = weightings.WEIGHTINGS[name](inputs(alpha=1.0))
    assert torch.equal(weights, torch.ones(1, 6, 1))
    assert weightings.WEIGHTINGS[name].__doc__


def test_registering_one_of_ones_own(monkeypatch):
    monkeypatch.setattr(weightings, "WEIGHTINGS", dict(weightings.WEIGHTINGS))

    @weightings.register("mine")
    def mine(x):
        return weightings.full_or_alpha(x.target > 3, x)

    expected = column(0.1, 1.0, 0.1, 0.1, 1.0, 0.1)
    assert torch.equal(weightings.WEIGHTINGS["mine"](inputs()), expected)
    with pytest.raises(ConfigError, match="registered already"):
        weightings.register("mine")(mine)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An installed package with two entry points, one of them broken."""
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[wqmix.weightings]\ntheirs = their_weightings:half\n"
        "broken = their_weightings:absent\n"
    )
    (tmp_path / "their_weightings.py").write_text(
        "def half(x):\n    return x.target * 0 + 0.5\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(weightings, "WEIGHTINGS", dict(weightings.WEIGHTINGS))
    yield
    sys.modules.pop("their_weightings", None)


def test_a_weighting_of_an_installed_package(installed):
    assert {"theirs", "broken", "cw"} <= set(weightings.names())
    assert "their_weightings" not in sys.modules  # imported when it is chosen
    learner = make_learner(weighting="theirs")
    learner.train(make_batch(), 0, 0)
    assert learner.logger.stats["w_to_use"] == [(0, 0.5)]


def test_a_broken_entry_point_is_one_line(installed):
    with pytest.raises(ConfigError, match="'broken'.*'their_weightings:absent'.*Attri"):
        make_learner(weighting="broken")


def test_mask_by_hand():
    """Slots 0…5. One row each: full, terminated at 1, cut short after 3 transitions."""
    filled = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0]])
    terminated = torch.zeros(3, 6)
    terminated[1, 1] = 1
    mask = targets.transition_mask(filled.unsqueeze(2), terminated.unsqueeze(2))
    expected = [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]
    assert mask.squeeze(2).tolist() == expected


def test_greedy_actions_by_hand():
    """The best available; the first of equals; 0 where nothing is available."""
    q = torch.tensor(
        [[1.0, 3.0, 2.0], [5.0, 5.0, 1.0], [9.0, 8.0, 8.0], [1.0, 2.0, 3.0]]
    )
    avail = torch.tensor([[1, 0, 1], [1, 1, 1], [0, 1, 1], [0, 0, 0]])
    greedy = targets.greedy_actions(q.reshape(1, 1, 4, 3), avail.reshape(1, 1, 4, 3))
    assert greedy.flatten().tolist() == [2, 0, 1, 0]


def lambda_case(td_lambda):
    """Rewards 1, 2, 4, 8; v_1…v_4 = 10, 20, 30, 40; γ = 1/2.

    Row 0 runs through; row 1 terminates at t = 1; row 2 is cut short after t = 1, its
    slots 2 and 3 are padding with values of 99.
    """
    reward = torch.tensor([[1.0, 2, 4, 8]]).repeat(3, 1).unsqueeze(2)
    value = torch.tensor([[0.0, 10, 20, 30, 40]]).repeat(3, 1).unsqueeze(2)
    terminated = torch.zeros(3, 4, 1)
    terminated[1, 1] = 1
    mask = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]).unsqueeze(2)
    value[1:, 3:], reward[1:, 2:] = 99.0, 99.0
    y = targets.td_targets(reward, terminated, mask, value, 0.5, td_lambda)
    return [row[: int(m.sum())].tolist() for row, m in zip(y.squeeze(2), mask)]


def test_one_step_targets_by_hand():
    # 1 + 10/2 = 6, 2 + 20/2 = 12, 4 + 30/2 = 19, 8 + 40/2 = 28; terminated: 2
    expected = [[6.0, 12.0, 19.0, 28.0], [6.0, 2.0], [6.0, 12.0]]
    assert lambda_case(None) == expected
    assert lambda_case(0.0) == expected


def test_lambda_one_is_the_bootstrapped_return():
    # 28; 4 + 28/2 = 18; 2 + 18/2 = 11; 1 + 11/2 = 6.5
    # terminated: 2; 1 + 2/2 = 2. Cut short: 2 + 20/2 = 12; 1 + 12/2 = 7
    expected = [[6.5, 11.0, 18.0, 28.0], [2.0, 2.0], [7.0, 12.0]]
    assert lambda_case(1.0) == expected


def test_lambda_half_by_hand():
    # 28; 4 + (30 + 28)/4 = 18.5; 2 + (20 + 18.5)/4 = 11.625; 1 + (10 + 11.625)/4
    # terminated: 2; 1 + (10 + 2)/4 = 4. Cut short: 12; 1 + (10 + 12)/4 = 6.5
    expected = [[6.40625, 11.625, 18.5, 28.0], [4.0, 2.0], [6.5, 12.0]]
    assert lambda_case(0.5) == expected


@pytest.mark.parametrize("td_lambda", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("slots", [1, 2, 3, 8, 61, 200])
def test_lambda_slot_by_slot(slots, td_lambda):
    """The recursion of the docstring; what lies behind an episode is not looked at."""
    rng = np.random.default_rng(slots)
    lengths = [slots, max(1, slots // 2), 1]
    reward, value = rng.normal(size=(3, slots, 1)), rng.normal(size=(3, slots + 1, 1))
    terminated, mask = np.zeros((3, slots, 1)), np.zeros((3, slots, 1))
    terminated[1, lengths[1] - 1] = 1
    expected = np.full((3, slots, 1), np.nan)
    for b, length in enumerate(lengths):
        mask[b, :length] = 1
        reward[b, length:] = value[b, length + 1 :] = np.nan
        y = value[b, length]
        for t in reversed(range(length)):
            mixed = (1 - td_lambda) * value[b, t + 1] + td_lambda * y
            y = expected[b, t] = reward[b, t] + 0.9 * (1 - terminated[b, t]) * mixed
    given = (torch.tensor(x) for x in (reward, terminated, mask, value))
    found = targets.td_targets(*given, 0.9, td_lambda).numpy()
    assert np.allclose(found[mask > 0], expected[mask > 0], rtol=0, atol=1e-12)


def test_ranks_must_agree():
    with pytest.raises(ValueError, match="different rank"):
        x = torch.zeros(2, 3, 1)
        targets.td_targets(torch.zeros(2, 3), x, x, torch.zeros(2, 4, 1), 0.9, None)


def test_optimal_joint_by_hand():
    """Q̂* = 10 q_1 + q_2 over two agents of three actions, as a table.

    q_1 = (0, 2, 1), q_2 = (5, 1, 5). The best is (1, 0) or (1, 2) with 25, a tie; with
    action 1 of agent 1 unavailable, (2, 0) or (2, 2) with 15.
    """

    def mixer(q, state):
        return 10 * q[..., 0, :] + q[..., 1, :]

    q = (
        torch.tensor([[0.0, 2, 1], [5.0, 1, 5]])
        .reshape(1, 1, 2, 3, 1)
        .repeat(1, 6, 1, 1, 1)
    )
    actions = torch.tensor([[1, 0], [1, 2], [1, 1], [2, 0], [2, 0], [0, 2]])
    avail = torch.ones(1, 6, 2, 3, dtype=torch.int)
    avail[0, 4:, 0, 1] = 0
    optimal = central.is_optimal_joint(
        mixer, q, torch.zeros(1, 6, 1), actions.reshape(1, 6, 2, 1), avail
    )
    assert optimal.flatten().tolist() == [True, True, False, False, True, False]


def test_optimal_joint_does_not_depend_on_the_chunks(monkeypatch):
    g = torch.Generator().manual_seed(0)
    mixer = central.CENTRAL_MIXERS["ff"](3, 4, 1, 8, 8)
    q = torch.randn(2, 3, 3, 5, 1, generator=g)
    state = torch.randn(2, 3, 4, generator=g)
    avail = (torch.rand(2, 3, 3, 5, generator=g) < 0.6).int()
    avail[..., 0] = 1
    found = []
    for rows in (1 << 17, 60, 1):
        monkeypatch.setattr(central, "ROWS_AT_ONCE", rows)
        best = torch.stack(
            [
                central.is_optimal_joint(
                    mixer,
                    q,
                    state,
                    torch.tensor(joint).reshape(1, 1, 3, 1).expand(2, 3, 3, 1),
                    avail,
                )
                for joint in ((0, 0, 0), (1, 2, 3), (4, 4, 0))
            ]
        )
        found.append(best)
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
