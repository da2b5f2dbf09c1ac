import numpy as np


class OwnGame:
    """Two agents, three actions, three steps; a reward when both choose the same."""

    n_agents, n_actions, episode_limit = 2, 3, 3

    def __init__(self, map_name=None, seed=None, breaks_at=None):
        self.breaks_at, self.played = breaks_at, 0

    def reset(self):
        self.t = 0

    def step(self, actions):
        self.t += 1
        self.played += 1
        if self.played == self.breaks_at:
            raise RuntimeError("the game broke")
        reward = float(int(actions[0]) == int(actions[1]))
        return reward, self.t == self.episode_limit, {}

    def get_obs(self):
        return [np.array([self.t, agent], dtype=np.float32) for agent in range(2)]

    def get_state(self):
        return np.array([self.t, 1], dtype=np.float32)

    def get_avail_actions(self):
        return [[1, 1, 1], [1, 1, 0]]

    def get_stats(self):
        return {}

    def close(self):
        pass

    def get_env_info(self):
        return {
            "n_agents": 2,
            "n_actions": 3,
            "state_shape": 2,
            "obs_shape": 2,
            "episode_limit": self.episode_limit,
        }
