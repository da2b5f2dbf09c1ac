"""A stand-in for gfootball, with the parts of its interface that are used.

Two players of ours, a keeper behind and a striker, and one of theirs. The striker has
the ball; `right` carries it 0.1 forward, `short_pass` gives it to the opponent, and a
`shot` beyond x = 0.5 is a goal. What is drawn from the seed: the keeper's y.
"""

import random
import sys
import types

import numpy as np

RIGHT, SHORT_PASS, SHOT, SPRINT, DRIBBLE = 5, 11, 12, 13, 17
DURATIONS = {"academy_3_vs_1_with_keeper": 400, "11_vs_11_stochastic": 3000, "own": 9}
DURATIONS["academy_empty_goal_close"] = 400


class Config:
    def __init__(self, values):
        self.values = dict(values)
        if "game_engine_random_seed" not in self.values:
            random.random()  # as the real one: from the global generator

    def update(self, values):
        self.values.update(values)

    def ScenarioConfig(self):
        duration = DURATIONS[self.values["level"]]
        return types.SimpleNamespace(
            controllable_left_players=2, game_duration=duration
        )


class FootballEnvCore:
    def __init__(self, config):
        self.config = config
        (players,) = config.values["players"]
        self.n_agents = int(players.partition("left_players=")[2])
        self.reset()

    def reset(self):
        rng = np.random.default_rng(self.config.values["game_engine_random_seed"])
        self.t, self.x, self.score, self.team, self.over = 0, 0.2, [0, 0], 0, False
        self.y, self.sticky = rng.uniform(-0.4, 0.4), np.zeros((self.n_agents, 10), int)
        return True

    def step(self, actions):
        assert len(actions) == self.n_agents and not self.over
        assert all(type(action) is int for action in actions)
        self.t += 1
        before = self.score[0]
        for action, sticky in zip(actions, self.sticky):
            if 1 <= action <= 8:
                sticky[:8] = np.arange(1, 9) == action
            if action in (SPRINT, DRIBBLE):
                sticky[8 if action == SPRINT else 9] = 1
        if actions[-1] == RIGHT:
            self.x += 0.1
        if actions[-1] == SHORT_PASS:
            self.team = 1
        if actions[-1] == SHOT and self.x > 0.5:
            self.score[0] += 1
        ended = self.score[0] or self.team == 1 or self.x > 1
        self.over = bool(ended) or self.t >= self.config.ScenarioConfig().game_duration
        return self.observation(), self.score[0] - before, self.over, {}

    def observation(self):
        return {
            "ball": np.array([self.x, 0.0, 0.1]),
            "ball_direction": np.array([0.01, 0.0, 0.5]),
            "ball_owned_team": self.team,
            "ball_owned_player": 0 if self.team else 1,
            "left_team": np.array([[-1.0, self.y], [self.x, 0.0]]),
            "left_team_direction": np.array([[0.0, 0.0], [0.01, 0.0]]),
            "right_team": np.array([[0.9, 0.1]]),
            "right_team_direction": np.array([[0.0, -0.02]]),
            "left_agent_controlled_player": [0, 1][-self.n_agents :],
            "left_agent_sticky_actions": list(self.sticky.astype(np.uint8)),
            "game_mode": 0,
            "score": list(self.score),
        }

    def close(self):
        pass


class Simple115StateWrapper:
    @staticmethod
    def convert_observation(each, fixed_positions):
        assert fixed_positions
        rows = np.zeros((len(each), 115), dtype=np.float32)
        for row, seen in zip(rows, each):
            row[97 + seen["active"]] = 1
        return rows


def install(monkeypatch):
    """Put the stand-in where gfootball is imported from."""
    parts = {
        "": {},
        ".env": {},
        ".env.config": {"Config": Config},
        ".env.scenario_builder": {"all_scenarios": lambda: [*DURATIONS, "tests"]},
        ".env.football_env_core": {"FootballEnvCore": FootballEnvCore},
        ".env.wrappers": {"Simple115StateWrapper": Simple115StateWrapper},
    }
    for name, content in parts.items():
        module = types.ModuleType("gfootball" + name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)
