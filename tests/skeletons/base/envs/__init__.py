from smac.env import StarCraft2Env

from .own_game import OwnGame


def env_fn(env, **kwargs):
    return env(**kwargs)


REGISTRY = {"sc2": StarCraft2Env, "own_game": OwnGame}
