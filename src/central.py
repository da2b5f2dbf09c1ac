"""Q̂*: the unrestricted central value.

`B` episodes, `T` time slots, `A` agents, `U` actions, `E` outputs per action.
"""

from __future__ import annotations

from typing import Any, Iterator, cast

import torch
from torch import Tensor, nn

from .errors import ConfigError
from .inputs import flat_size, input_size
from .mixing import scale_last_layers
from .modules.agents import CENTRAL_AGENTS
from .modules.mixers import CENTRAL_MIXERS
from .settings import WQMixSettings

ROWS_AT_ONCE = 1 << 17  # states × joint actions evaluated in one call of the mixer


def build_central_agent(scheme: Any, args: Any, settings: WQMixSettings) -> nn.Module:
    """Build the per-agent network of Q̂*, ([P, A, I], slots) → [P, A, U, E].

    Raises:
        ConfigError: the observations are images.
    """
    shape = scheme["obs"]["vshape"]
    if not isinstance(shape, int) and len(shape) != 1:
        raise ConfigError(
            f"observations of shape {tuple(shape)}: Weighted QMIX takes flat "
            "observations, not images; encode them in the environment"
        )
    agent: nn.Module = CENTRAL_AGENTS[settings.central_agent](
        input_size(scheme, args, settings.central_inputs),
        settings.central_rnn_hidden_dim,
        args.n_agents,
        args.n_actions,
        settings.central_action_embed,
    )
    return agent


def build_central_mixer(args: Any, settings: WQMixSettings) -> nn.Module:
    """Build the mixer of Q̂*, ([..., A, E], [..., S]) → [..., 1]."""
    mixer = CENTRAL_MIXERS[settings.central_mixer](
        args.n_agents,
        flat_size(args.state_shape),
        settings.central_action_embed,
        settings.central_mixing_embed_dim,
        settings.central_hypernet_embed,
    )
    scale_last_layers([mixer.net, mixer.V], settings.central_mixer_init_scale)
    return cast(nn.Module, mixer)


def take(q: Tensor, actions: Tensor) -> Tensor:
    """Per-agent values of given actions.

    Args:
        q: [..., A, U] or [..., A, U, E].
        actions: [..., A, 1].

    Returns:
        [..., A] or [..., A, E].
    """
    if q.dim() == actions.dim():
        return q.gather(-1, actions).squeeze(-1)
    index = actions.unsqueeze(-1).expand(*actions.shape, q.shape[-1])
    return q.gather(-2, index).squeeze(-2)


def check_enumerable(n_actions: int, n_agents: int, limit: int) -> None:
    """Raise ConfigError where `weighting: ideal` would enumerate more than `limit`."""
    if n_actions**n_agents > limit:
        raise ConfigError(
            f"weighting='ideal' enumerates all joint actions: {n_actions}^{n_agents} "
            f"is over ideal_max_joint_actions={limit}; use weighting=cw, which needs "
            "no enumeration"
        )


@torch.no_grad()
def is_optimal_joint(
    mixer: nn.Module, q: Tensor, state: Tensor, actions: Tensor, avail: Tensor
) -> Tensor:
    """Whether u maximises Q̂*(s, ·) over all available joint actions; ties count.

    Args:
        mixer: of Q̂*.
        q: per-agent outputs of all actions [B, T, A, U, E].
        state: [B, T, S].
        actions: u [B, T, A, 1].
        avail: available actions [B, T, A, U].

    Returns:
        [B, T, 1], bool.
    """
    b, t, a, u = avail.shape
    q, state = q.reshape(b * t, a, u, -1), state.reshape(b * t, -1)
    avail, actions = avail.reshape(b * t, a, u) != 0, actions.reshape(b * t, a)
    best = state.new_full((b * t,), float("-inf"))
    taken = torch.full_like(best, float("nan"))
    agents = torch.arange(a, device=q.device)
    for joint in _joint_actions(a, u, max(1, ROWS_AT_ONCE // (b * t)), q.device):
        rows = q[:, agents, joint]  # [b·t, J, A, E]
        states = state.unsqueeze(1).expand(-1, len(joint), -1)
        value = mixer(rows, states).squeeze(-1)
        is_taken = (joint == actions.unsqueeze(1)).all(dim=2)
        taken = torch.where(is_taken.any(1), (value * is_taken).sum(1), taken)
        available = avail[:, agents, joint].all(dim=2)
        best = torch.maximum(best, value.masked_fill(~available, float("-inf")).amax(1))
    return (taken >= best).reshape(b, t, 1)


def draw_joint(avail: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw joint actions, uniformly from the available ones, [count, B, T, A, 1].

    Where an agent has no available action (padding), from all.
    """
    chances = (avail != 0).float()
    chances += (chances.sum(-1, keepdim=True) == 0).float()
    flat = chances.flatten(0, -2)
    drawn = torch.multinomial(flat, count, replacement=True, generator=generator)
    return drawn.t().reshape(count, *avail.shape[:-1], 1)


def _joint_actions(
    n_agents: int, n_actions: int, at_once: int, device: torch.device
) -> Iterator[Tensor]:
    """Yield all joint actions in chunks [J, A] of at most `at_once`."""
    place = n_actions ** torch.arange(n_agents - 1, -1, -1, device=device)
    for start in range(0, n_actions**n_agents, at_once):
        end = min(start + at_once, n_actions**n_agents)
        numbers = torch.arange(start, end, device=device).unsqueeze(1)
        yield numbers // place % n_actions
