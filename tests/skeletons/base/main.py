import collections
import os
import sys
from copy import deepcopy
from os.path import abspath, dirname, join

import yaml
from run import run
from sacred import SETTINGS, Experiment
from sacred.observers import FileStorageObserver

SETTINGS["CAPTURE_MODE"] = "no"
ex = Experiment("skeleton")
results_path = join(dirname(dirname(abspath(__file__))), "results")


@ex.main
def my_main(_run, _config, _log):
    run(_run, dict(_config), _log)


def get_config(params, option, folder):
    for position, param in enumerate(params):
        if param.split("=")[0] == option:
            name = param.split("=")[1]
            del params[position]
            with open(join(dirname(__file__), "config", folder, name + ".yaml")) as f:
                return yaml.load(f)


def update(config, changes):
    for key, value in changes.items():
        if isinstance(value, collections.Mapping):
            value = update(config.get(key, {}), value)
        config[key] = value
    return config


if __name__ == "__main__":
    params = deepcopy(sys.argv)
    with open(join(dirname(__file__), "config", "default.yaml")) as f:
        config = yaml.load(f)
    env_config = get_config(params, "--env-config", "envs")
    alg_config = get_config(params, "--config", "algs")
    config = update(update(config, env_config), alg_config)
    ex.add_config(config)
    os.makedirs(results_path, exist_ok=True)
    ex.observers.append(FileStorageObserver.create(join(results_path, "sacred")))
    ex.run_commandline(params)
