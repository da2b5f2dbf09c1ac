from modules.agents import REGISTRY as agent_REGISTRY
from wqmix.host.controllers import basic_controller


class BasicMAC(basic_controller.BasicMAC):
    """Inputs [B * A, I]; the agent returns [B * A, U] and its hidden state."""

    def _build_agents(self, input_shape):
        self.agent = agent_REGISTRY[self.args.agent](input_shape, self.args)
