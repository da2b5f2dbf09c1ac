"""The controller whose agents share one network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Dict, Iterator, Optional

import torch as th

from ..components.action_selectors import REGISTRY as action_REGISTRY
from ..components.episode_buffer import EpisodeBatch, Scheme
from ..modules.agents import REGISTRY as agent_REGISTRY
from ..utils.checkpoints import load_tensors


class BasicMAC:
    """Parameter sharing; the agents' utilities are `[B, A, U]`.

    An agent sees its observation, its last action as a one-hot vector
    (`obs_last_action`) and its own number as a one-hot vector (`obs_agent_id`).
    """

    def __init__(
        self, scheme: Scheme, groups: Dict[str, int], args: SimpleNamespace
    ) -> None:
        self.n_agents = args.n_agents
        self.args = args
        self._build_agents(self._get_input_shape(scheme))
        self.agent_output_type = args.agent_output_type
        self.action_selector = action_REGISTRY[args.action_selector](args)
        self.hidden_states: Optional[th.Tensor] = None
        self._agent_ids = th.eye(self.n_agents)

    def select_actions(
        self,
        ep_batch: EpisodeBatch,
        t_ep: int,
        t_env: int,
        bs: Any = slice(None),
        test_mode: bool = False,
    ) -> th.Tensor:
        """Actions `[len(bs), A]` at time slot `t_ep`, for the episodes `bs`."""
        avail_actions = ep_batch["avail_actions"][:, t_ep]
        agent_outputs = self.forward(ep_batch, t_ep, test_mode=test_mode)
        return self.action_selector.select_action(
            agent_outputs[bs], avail_actions[bs], t_env, test_mode=test_mode
        )

    def forward(
        self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False
    ) -> th.Tensor:
        """Utilities `[B, A, U]` at time slot `t`; moves the hidden states on."""
        agent_inputs = self._build_inputs(ep_batch, t)
        agent_outs, self.hidden_states = self.agent(agent_inputs, self.hidden_states)
        return agent_outs.view(ep_batch.batch_size, self.n_agents, -1)

    def init_hidden(self, batch_size: int) -> None:
        hidden = self.agent.init_hidden().unsqueeze(0)
        self.hidden_states = hidden.expand(batch_size, self.n_agents, -1)

    def parameters(self) -> Iterator[th.nn.Parameter]:
        return self.agent.parameters()

    def load_state(self, other_mac: Any) -> None:
        self.agent.load_state_dict(other_mac.agent.state_dict())

    def cuda(self) -> None:
        self.agent.cuda()

    def save_models(self, path: str) -> None:
        th.save(self.agent.state_dict(), f"{path}/agent.th")

    def load_models(self, path: str) -> None:
        self.agent.load_state_dict(load_tensors(f"{path}/agent.th"))

    def _build_agents(self, input_shape: int) -> None:
        self.agent = agent_REGISTRY[self.args.agent](input_shape, self.args)

    def _build_inputs(self, batch: EpisodeBatch, t: int) -> th.Tensor:
        """The agents' inputs at time slot `t`, `[B * A, input_shape]`."""
        inputs = [batch["obs"][:, t]]
        if self.args.obs_last_action:
            last = batch["actions_onehot"]
            inputs.append(th.zeros_like(last[:, 0]) if t == 0 else last[:, t - 1])
        if self.args.obs_agent_id:
            ids = self._agent_ids = self._agent_ids.to(batch.device)
            inputs.append(ids.expand(batch.batch_size, -1, -1))
        return th.cat(inputs, dim=-1).flatten(0, 1)

    def _get_input_shape(self, scheme: Scheme) -> int:
        input_shape = scheme["obs"]["vshape"]
        if self.args.obs_last_action:
            input_shape += scheme["actions_onehot"]["vshape"][0]
        if self.args.obs_agent_id:
            input_shape += self.n_agents
        return input_shape
