from wqmix.host.modules.agents import rnn_agent


class RNNAgent(rnn_agent.RNNAgent):
    pass
