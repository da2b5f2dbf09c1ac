"""Predator-prey on a grid, many copies at once (Rashid et al. 2020, section 6.1)."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from ..errors import ConfigError
from .checks import flag, number, pair, seed_of, whole
from .multiagentenv import BatchEnv, Outcomes

RIGHT, DOWN, LEFT, UP, STAY, CATCH = range(6)
N_ACTIONS = 6
MOVES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])  # (row, column) for RIGHT to UP

# What a cell holds. Only a prey tells agents that catch from those that do not.
FREE, WALL, PREY, AGENT, CATCHER = range(5)
N_CONTENTS = 5

# Observation planes: agents, prey, and an empty third one, which the published game has
# for a kind of prey that the paper does not use; kept so that sizes stay the same.
N_PLANES = 3
PLANES = np.zeros((N_CONTENTS, N_PLANES), dtype=np.float32)
PLANES[[AGENT, CATCHER], 0] = 1
PLANES[PREY, 1] = 1

# A draw in range(N_DRAWS) picks one of 1, 2, 3 or 4 free cells with equal chances.
N_DRAWS = 12
RADIX = N_CONTENTS ** np.arange(4, dtype=np.int16)


class PredatorPreyBatch(BatchEnv):
    """``N`` copies of the game in which agents must catch prey together.

    The rules are those of the game published with Weighted QMIX (which took it from
    Boehmer et al. 2020, DCG), in the paper's setting:

    1. Agents and prey start on distinct cells, uniformly at random.
    2. Actions: right, down, left, up, stay, catch. All agents act at once; their moves
       are carried out one agent after the other, in a random order drawn each step. A
       move off the grid or onto a cell that is occupied at that moment, by an agent or
       a prey, leaves the agent where it is. A cell left earlier in the step is free.
    3. Then the prey act one after the other, in a random order drawn each step. For
       each prey count the agents on its 4 adjacent cells that chose to catch:
       ``capture_agents`` or more capture it; fewer, but one at least, cost
       ``miscapture_punishment`` (once for each such prey, so one agent between two
       prey pays twice). A prey that is not captured moves to a uniformly random free
       adjacent cell, and stays only if there is none.
    4. A captured prey pays ``capture_reward`` and leaves the grid at once, and with it
       every agent that took part, so it does not count for prey that act later; the
       cells are free for these prey.
    5. An agent that left sees zeros and can only stay. Any other agent may stay, may
       move wherever the grid goes on (an occupied cell included) and may catch if a
       prey is adjacent.
    6. The episode ends when no prey or no agent is left, and after ``episode_limit``
       steps; ``info["episode_limit"]`` is true at that step even if the game ended with
       it.

    The state is the grid, ``[rows, columns, planes]`` flattened; the planes are agents,
    prey and an empty one. An observation is the part of it within ``agent_obs`` of the
    agent, which is in its centre; cells beyond the edge are zeros.

    On a toroidal grid all of this goes on over the edges. (In the published game
    catching and seeing then stop at the edge, though moving does not.)

    Further info, for the log: the episode's ``prey_caught`` and ``miscaptures`` so far.

    Args: see ``config/envs/predator_prey.yaml``; ``n_copies`` is ``N``.

    Raises:
        ConfigError: a size is no whole number or too small, or the grid is too small.
    """

    def __init__(
        self,
        n_copies: int,
        world_shape: Sequence[int],
        toroidal: bool,
        n_agents: int,
        n_prey: int,
        agent_obs: Sequence[int],
        episode_limit: int,
        capture_agents: int,
        capture_reward: float,
        miscapture_punishment: float,
        step_reward: float,
        seed: Optional[int],
    ) -> None:
        self.n_copies = n_copies
        self.n_actions = N_ACTIONS
        self.n_agents = whole("n_agents", n_agents, 1)
        self.n_prey = whole("n_prey", n_prey, 1)
        self.episode_limit = whole("episode_limit", episode_limit, 1)
        self.shape = pair("world_shape", world_shape, 1)
        view = pair("agent_obs", agent_obs, 0)
        self._check_room(flag("toroidal", toroidal))
        self.state_size = self._area * N_PLANES
        self.obs_size = (2 * view[0] + 1) * (2 * view[1] + 1) * N_PLANES
        self.seed = seed_of(seed)
        self._rng = np.random.default_rng(self.seed)
        self._step_reward = number("step_reward", step_reward)
        self._build_maps(toroidal, view)
        self._build_prey_tables(
            whole("capture_agents", capture_agents, 1),
            number("capture_reward", capture_reward),
            number("miscapture_punishment", miscapture_punishment),
        )
        self._allocate()
        self.reset()

    def _check_room(self, toroidal: bool) -> None:
        rows, columns = self.shape
        self._area = rows * columns
        if self.n_agents + self.n_prey > self._area:
            raise ConfigError(
                f"env_args.world_shape {[rows, columns]} has {self._area} cells: "
                f"too few for {self.n_agents} agents and {self.n_prey} prey"
            )
        if toroidal and min(self.shape) < 3:
            raise ConfigError(
                f"env_args.world_shape is {[rows, columns]}: a toroidal world needs 3 "
                "rows and 3 columns, or a cell would be its own neighbour"
            )

    # ---- what never changes ----------------------------------------------------------

    def _build_maps(self, toroidal: bool, view: Tuple[int, int]) -> None:
        """Tables over cells: which are adjacent, which are seen, which moves exist.

        Two cells follow those of the grid: ``_wall``, which stands for all that is
        beyond the edge, and ``_out``, where those are who left. Its neighbours are
        walls, so nobody there sees, meets or moves anything.
        """
        self._wall, self._out = self._area, self._area + 1
        self._n_cells = self._area + 2
        self._adjacent = self._relative_cells(MOVES, toroidal)
        self._next_cell = np.concatenate(
            [self._adjacent, np.tile(np.arange(self._n_cells)[:, None], (1, 2))], axis=1
        )
        window = np.indices((2 * view[0] + 1, 2 * view[1] + 1)).reshape(2, -1).T
        self._window = self._relative_cells(window - view, toroidal)
        self._can_move = (self._next_cell != self._wall).astype(np.uint8)

    def _relative_cells(self, offsets: np.ndarray, toroidal: bool) -> np.ndarray:
        """For each cell the cells at ``offsets`` (row, column) from it: [cells, n]."""
        rows, columns = self.shape
        here = np.indices(self.shape).reshape(2, -1, 1)
        row, column = here + offsets.T[:, None, :]
        if toroidal:
            inside = np.ones(row.shape, dtype=bool)
            row, column = row % rows, column % columns
        else:
            inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        table = np.full((self._n_cells, len(offsets)), self._wall)
        table[: self._area] = np.where(inside, row * columns + column, self._wall)
        return table

    def _build_prey_tables(
        self, capture_agents: int, capture_reward: float, punishment: float
    ) -> None:
        """What befalls a prey, by the contents of its 4 adjacent cells.

        These are read as one number, ``sum_u RADIX[u] * contents[u]``.
        """
        contents = np.arange(N_CONTENTS**4)[:, None] // RADIX % N_CONTENTS
        catchers = (contents == CATCHER).sum(axis=1)
        self._captured = catchers >= capture_agents
        self._miscaptured = (catchers > 0) & ~self._captured
        self._capture_reward, self._punishment = capture_reward, punishment
        self._prey_move = np.full((N_CONTENTS**4, N_DRAWS), STAY)
        for code in np.flatnonzero((contents == FREE).any(axis=1)):
            free = np.flatnonzero(contents[code] == FREE)
            self._prey_move[code] = free[np.arange(N_DRAWS) * len(free) // N_DRAWS]

    def _allocate(self) -> None:
        n, agents, prey = self.n_copies, self.n_agents, self.n_prey
        self._cells = np.empty((n, self._n_cells), dtype=np.int16)
        self._base = np.arange(n) * self._n_cells  # first cell of each copy, flattened
        self._agents = np.empty((n, agents), dtype=np.intp)
        self._prey = np.empty((n, prey), dtype=np.intp)
        self._left = np.zeros(n * self._n_cells, dtype=bool)
        self._steps = np.zeros(n, dtype=np.intp)
        self._caught = np.zeros(n, dtype=np.intp)
        self._missed = np.zeros(n, dtype=np.intp)
        self._over = np.zeros(n, dtype=bool)
        self._obs = np.empty((n, agents, self.obs_size), dtype=np.float32)
        self._state = np.empty((n, self.state_size), dtype=np.float32)
        self._avail = np.empty((n, agents, N_ACTIONS), dtype=np.uint8)

    # ---- the game --------------------------------------------------------------------

    def reset(self, copies: Optional[np.ndarray] = None) -> None:
        which = np.arange(self.n_copies)[slice(None) if copies is None else copies]
        start = self._rng.random((len(which), self._area)).argsort(axis=1)
        self.place(
            which,
            start[:, : self.n_agents],
            start[:, self.n_agents : self.n_agents + self.n_prey],
        )

    def place(self, which: np.ndarray, agents: np.ndarray, prey: np.ndarray) -> None:
        """Start an episode in the copies ``which``, everybody on the given cells.

        ``which`` holds ``n`` indices; ``agents`` ``[n, A]`` and ``prey`` ``[n, P]`` are
        cells: ``row * columns + column``.
        """
        self._agents[which], self._prey[which] = agents, prey
        self._cells[which, : self._area] = FREE
        self._cells[which, self._area :] = WALL
        self._cells[which[:, None], agents] = AGENT
        self._cells[which[:, None], prey] = PREY
        for counter in (self._steps, self._caught, self._missed, self._over):
            counter[which] = 0

    def step(self, actions: np.ndarray) -> Outcomes:
        actions = np.asarray(actions, dtype=np.intp)
        if actions.min() < 0 or actions.max() >= N_ACTIONS:
            raise IndexError(f"an action is outside 0 to {N_ACTIONS - 1}")
        self._move_agents(actions)
        captures, misses = self._move_prey(actions)
        self._steps += 1
        self._caught += captures
        self._missed += misses
        reward = captures * self._capture_reward + misses * self._punishment
        reward = (reward + self._step_reward).astype(np.float32)
        reward[self._over] = 0
        out_of_time = self._steps >= self.episode_limit
        nobody_left = (self._agents == self._out).all(axis=1)
        self._over |= out_of_time | nobody_left | (self._caught == self.n_prey)
        info = {
            "episode_limit": out_of_time,
            "prey_caught": self._caught.copy(),
            "miscaptures": self._missed.copy(),
        }
        return reward, self._over.copy(), info

    def _move_agents(self, actions: np.ndarray) -> None:
        """Rule 2. Row ``k`` below is whoever moves as the ``k``-th in each copy."""
        cells = self._cells.reshape(-1)
        order = self._random_order(self.n_agents)
        here = self._agents.take(order)
        there = self._next_cell.take(here * N_ACTIONS + actions.take(order))
        here += self._base
        there += self._base
        for source, target in zip(here, there):
            np.copyto(target, source, where=cells.take(target) != FREE)
            cells[source] = FREE
            cells[target] = AGENT
        self._agents.put(order, there - self._base)

    def _move_prey(self, actions: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Rules 3 and 4; returns each copy's number of captures and miscaptures."""
        cells = self._cells.reshape(-1)
        agent_cells = self._agents + self._base[:, None]
        cells[agent_cells[actions == CATCH]] = CATCHER
        order = self._random_order(self.n_prey)
        here = self._prey.take(order)
        around = self._next_cell.take(here, axis=0)[..., :5] + self._base[:, None]
        here += self._base
        draws = self._random_draws()
        codes = np.empty(order.shape, dtype=np.intp)
        rows = np.arange(self.n_copies)
        for k, source in enumerate(here):
            code = codes[k] = cells.take(around[k, :, :4]) @ RADIX
            target = around[k][rows, self._prey_move[code, draws[k]]]
            captured = np.flatnonzero(self._captured.take(code))
            if captured.size:
                self._remove_catchers(around[k, captured, :4])
                target[captured] = self._base[captured] + self._out
            cells[source] = FREE
            cells[target] = PREY
            here[k] = target
        self._prey.put(order, here - self._base)
        self._remove_agents(agent_cells)
        captures = self._captured.take(codes).sum(axis=0)
        return captures, self._miscaptured.take(codes).sum(axis=0)

    def _remove_catchers(self, cells_around: np.ndarray) -> None:
        cells = self._cells.reshape(-1)
        caught_from = cells_around[cells.take(cells_around) == CATCHER]
        cells[caught_from] = FREE
        self._left[caught_from] = True

    def _remove_agents(self, agent_cells: np.ndarray) -> None:
        left = self._left.take(agent_cells)
        self._agents[left] = self._out
        self._left[agent_cells] = False

    def _random_order(self, count: int) -> np.ndarray:
        """An order of ``count`` in each copy, [count, N]: indices into [N, count]."""
        keys = self._rng.random((self.n_copies, count), dtype=np.float32)
        order = keys.argsort(axis=1)
        order += np.arange(0, self.n_copies * count, count)[:, None]
        return np.ascontiguousarray(order.T)

    def _random_draws(self) -> np.ndarray:
        """For the ``k``-th prey of each copy what chooses its move: [P, N]."""
        return self._rng.integers(N_DRAWS, size=(self.n_prey, self.n_copies))

    # ---- what is seen ----------------------------------------------------------------

    def get_obs(self) -> np.ndarray:
        seen = self._window.take(self._agents, axis=0) + self._base[:, None, None]
        contents = self._cells.reshape(-1).take(seen)
        out = self._obs.reshape(contents.shape + (N_PLANES,))
        PLANES.take(contents, axis=0, out=out, mode="clip")
        return self._obs

    def get_state(self) -> np.ndarray:
        out = self._state.reshape(self.n_copies, self._area, N_PLANES)
        PLANES.take(self._cells[:, : self._area], axis=0, out=out, mode="clip")
        return self._state

    def get_avail_actions(self) -> np.ndarray:
        self._can_move.take(self._agents, axis=0, out=self._avail, mode="clip")
        around = self._adjacent.take(self._agents, axis=0) + self._base[:, None, None]
        near_prey = (self._cells.reshape(-1).take(around) == PREY).any(axis=2)
        self._avail[..., CATCH] = near_prey
        return self._avail

    def state_dict(self) -> Dict[str, Any]:
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._rng.bit_generator.state = state["rng"]

    def render(self, copy: int = 0) -> str:
        signs = np.array(list(".#oAA"))
        grid = signs[self._cells[copy, : self._area]].reshape(self.shape)
        return "\n".join("".join(row) for row in grid)
