"""Battles of the real SMAClite, and the order in which its units acted.

    WQMIX_SMACLITE=<its clone> python -m tests.host.envs.smaclite_twin

records the first steps of a few of them, for where it is not installed.
"""

import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

CHECKOUT = os.environ.get("WQMIX_SMACLITE")
FOLDER = Path(__file__).parent / "recorded_battles"
RECORDED = ("2s3z", "MMM", "corridor", "bane_vs_bane")
N_STEPS = 24
GAP = 1e-4
TICKS = 8
FIELDS = ("is_there", "x", "y", "health", "shield", "energy", "cooldown")


class Twin:
    """One battle.

    Attributes:
        orders: for each step the units in the order in which they acted [TICKS, n].
        t: steps so far.
    """

    def __init__(self, name, seed):
        from wqmix.host.envs import REGISTRY

        self.game = REGISTRY["smaclite"](map_name=name, seed=seed)
        self.env, self.orders, self.t = self.game._env, [], 0
        self._rng, self._ticks = np.random.default_rng(seed), []
        self.game.reset()
        self.env._np_random = self  # which it asks to shuffle, and nothing else
        self._units = list(self.env.all_units.values())

    @staticmethod
    def needed():
        """Skip where SMAClite is not."""
        if not CHECKOUT:
            pytest.skip("WQMIX_SMACLITE names no clone of uoe-agents/smaclite")
        if CHECKOUT not in sys.path:
            sys.path.insert(0, CHECKOUT)
        for module in ("rtree", "sklearn", "smaclite"):
            pytest.importorskip(module)

    def shuffle(self, units):
        self._rng.shuffle(units)
        acting = [unit.id for unit in units]
        gone = set(range(len(self._units))) - set(acting)
        self._ticks.append([*acting, *sorted(gone)])

    def step(self, actions):
        """Returns what it pays, whether the battle has ended, and whether it is won."""
        self._ticks = []
        _, reward, ended, _, info = self.env.step([int(action) for action in actions])
        self.orders.append(np.array(self._ticks, dtype=np.int16))
        self.t += 1
        return float(reward), ended, info["battle_won"]

    def now(self):
        """All that can be compared."""
        there = self.env.all_units
        units = {
            "x": [unit.pos[0] for unit in self._units],
            "y": [unit.pos[1] for unit in self._units],
            "health": [unit.hp for unit in self._units],
        }
        for key in ("shield", "energy", "cooldown"):
            units[key] = [getattr(unit, key) for unit in self._units]
        units["is_there"] = [unit.id in there for unit in self._units]
        return {
            **{key: np.array(value, dtype=np.float64) for key, value in units.items()},
            "obs": np.array(self.env.get_obs()),
            "state": self.env.get_state(),
            "avail": np.array(self.env.get_avail_actions()),
        }

    @staticmethod
    def order_of(order):
        """What stands in for `kernel.chance`: the order that SMAClite had."""

        class Told:
            @staticmethod
            def shuffle(luck, orders):
                orders[0] = order

        return Told


def gaps(record, t, batch):
    """The largest differences of a moment from the batch's only copy."""
    of = {
        key: value if t is None else value[t]
        for key, value in record.items()
        if key in (*FIELDS, "obs", "state", "avail")
    }
    units, there = batch.units[0], of["is_there"] == 1
    found = {key: units[key][there] - of[key][there] for key in FIELDS[1:]}
    found["is_there"] = units["is_there"] - of["is_there"]
    found["obs"] = batch.get_obs()[0] - of["obs"]
    found["state"] = batch.get_state()[0] - of["state"]
    found["avail"] = batch.get_avail_actions()[0] - of["avail"]
    return {key: float(np.abs(value).max(initial=0)) for key, value in found.items()}


def read(name):
    with np.load(FOLDER / f"{name}.npz") as record:
        return dict(record)


def record(name, seed=0):
    """The first steps of a battle, with random actions, as arrays."""
    twin, rng = Twin(name, seed), np.random.default_rng(seed)
    moments, actions, rewards, ended = [twin.now()], [], [], False
    while twin.t < N_STEPS and not ended:
        avail = moments[-1]["avail"]
        actions.append((rng.random(avail.shape) * avail).argmax(axis=1))
        reward, ended, _ = twin.step(actions[-1])
        rewards.append(reward)
        moments.append(twin.now())
    arrays = {key: np.array([m[key] for m in moments]) for key in moments[0]}
    small = {"avail": np.uint8, "is_there": np.uint8, "x": np.float32, "y": np.float32}
    arrays = {
        key: value.astype(small.get(key, value.dtype)) for key, value in arrays.items()
    }
    return {
        **arrays,
        "actions": np.array(actions, dtype=np.int16),
        "orders": np.array(twin.orders),
        "reward": np.array(rewards),
    }


def main():
    if not CHECKOUT:
        sys.exit("WQMIX_SMACLITE must name a clone of uoe-agents/smaclite")
    sys.path.insert(0, CHECKOUT)
    importlib.import_module("smaclite")
    FOLDER.mkdir(exist_ok=True)
    for name in RECORDED:
        np.savez_compressed(FOLDER / f"{name}.npz", **record(name))
        print(FOLDER / f"{name}.npz")


if __name__ == "__main__":
    main()
