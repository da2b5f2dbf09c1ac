import datetime
import os
from types import SimpleNamespace

import torch as th
from components.episode_buffer import ReplayBuffer
from components.transforms import OneHot
from controllers import REGISTRY as mac_REGISTRY
from runners import REGISTRY as r_REGISTRY
from utils.logging import Logger
from utils.report import Report

from learners import REGISTRY as le_REGISTRY


def run(_run, _config, _log):
    args = SimpleNamespace(**_config, device="cpu")
    logger = Logger(_log)
    logger.setup_sacred(_run)
    th.manual_seed(args.seed)
    run_sequential(args, logger, train)
    os._exit(os.EX_OK)


def train(learner, sample, t_env, episode):
    return learner.train(sample, t_env, episode)


def run_sequential(args, logger, train):
    # Real hosts name a run by the second: too short for a test.
    unique_token = "{}__{}".format(args.name, datetime.datetime.now().strftime("%Y"))
    args.unique_token = unique_token
    runner = r_REGISTRY[args.runner](args=args, logger=logger)
    info = runner.get_env_info()
    args.n_agents, args.n_actions = info["n_agents"], info["n_actions"]
    args.state_shape = info["state_shape"]
    agents = {"group": "agents"}
    scheme = {
        "state": {"vshape": info["state_shape"]},
        "obs": {"vshape": info["obs_shape"], **agents},
        "actions": {"vshape": (1,), "dtype": th.long, **agents},
        "avail_actions": {"vshape": (args.n_actions,), "dtype": th.int, **agents},
        "reward": {"vshape": (getattr(runner, "n_rewards", 1),)},
        "terminated": {"vshape": (1,), "dtype": th.uint8},
    }
    groups = {"agents": args.n_agents}
    onehot = {"actions": ("actions_onehot", [OneHot(out_dim=args.n_actions)])}
    slots = info["episode_limit"] + 1
    buffer = ReplayBuffer(scheme, groups, args.buffer_size, slots, preprocess=onehot)
    mac = mac_REGISTRY[args.mac](buffer.scheme, groups, args)
    runner.setup(scheme, groups, onehot, mac)
    learner = le_REGISTRY[args.learner](mac, buffer.scheme, logger, args)
    report = Report(learner, mac)
    if args.save_to:
        learner.save_models(args.save_to)
    for folder in filter(None, args.try_to_load.split(os.pathsep)):
        try:
            learner.load_models(folder)
            report.loaded[folder] = 0
        except SystemExit as end:
            report.loaded[folder] = end.code
    episode = 0
    while runner.t_env <= args.t_max:
        buffer.insert_episode_batch(runner.run(test_mode=False))
        if buffer.can_sample(args.batch_size):
            sample = buffer.sample(args.batch_size)
            sample = sample[:, : sample.max_t_filled()]
            returned = train(learner, sample, runner.t_env, episode)
            report.after_train(returned, episode)
            runner.run(test_mode=True)
        episode += args.batch_size_run
        if args.save_model:
            token, step = args.unique_token, str(runner.t_env)
            path = os.path.join(args.local_results_path, "models", token, step)
            os.makedirs(path, exist_ok=True)
            learner.save_models(path)
    runner.close_env()
    report.write(args, logger)
