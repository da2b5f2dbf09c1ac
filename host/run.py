"""One run: build the parts, then train or evaluate."""

import datetime
import os
import pprint
import random
import time
from types import SimpleNamespace

import numpy as np
import torch as th

from .components.episode_buffer import ReplayBuffer
from .components.transforms import OneHot
from .controllers import REGISTRY as mac_REGISTRY
from .errors import NonFiniteError
from .learners import REGISTRY as le_REGISTRY
from .runners import REGISTRY as r_REGISTRY
from .utils.logging import Logger, Progress
from .utils.timehelper import time_str
from .validation import checkpoint_step


def run(_run, config, _log):
    """Run a validated configuration as the sacred run `_run`."""
    random.seed(config["seed"])
    np.random.seed(config["seed"])
    th.manual_seed(config["seed"])
    args = make_args(config, _log, run_id=_run._id)
    parameters = pprint.pformat(config, indent=4, width=1)
    _log.info("Experiment Parameters:\n\n%s\n", parameters)
    logger = Logger(_log)
    logger.setup_sacred(_run)
    if args.use_tensorboard:
        folder = os.path.join(args.local_results_path, "tb_logs", args.unique_token)
        logger.setup_tb(folder)
    try:
        run_sequential(args, logger)
    finally:
        logger.close()


def make_args(config, _log, run_id):
    """The configuration as a namespace, with what depends on machine and moment."""
    args = SimpleNamespace(**config)
    if args.use_cuda and not th.cuda.is_available():
        args.use_cuda = False
        _log.info("use_cuda: no GPU here, running on the CPU")
    args.device = "cuda" if args.use_cuda else "cpu"
    moment = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    # With sacred's id: two runs may well start within the same second.
    args.unique_token = f"{args.name}__{moment}__{run_id}"
    return args


def run_sequential(args, logger):
    """Train, or evaluate a checkpoint."""
    runner = r_REGISTRY[args.runner](args=args, logger=logger)
    try:
        buffer, learner = build(args, logger, runner)
        if args.checkpoint_path != "":
            load_checkpoint(args, logger, runner, learner)
        if args.evaluate or args.save_replay:
            evaluate_sequential(args, logger, runner)
        else:
            train_sequential(args, logger, runner, buffer, learner)
    finally:
        runner.close_env()


def build(args, logger, runner):
    """The replay buffer and the learner, from what the environment says of itself."""
    env_info = runner.get_env_info()
    args.n_agents = env_info["n_agents"]
    args.n_actions = env_info["n_actions"]
    args.state_shape = env_info["state_shape"]
    scheme = {
        "state": {"vshape": env_info["state_shape"]},
        "obs": {"vshape": env_info["obs_shape"], "group": "agents"},
        "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
        "avail_actions": {
            "vshape": (args.n_actions,),
            "group": "agents",
            "dtype": th.int,
        },
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": th.uint8},
    }
    groups = {"agents": args.n_agents}
    preprocess = {"actions": ("actions_onehot", [OneHot(out_dim=args.n_actions)])}
    buffer = ReplayBuffer(
        scheme,
        groups,
        args.buffer_size,
        env_info["episode_limit"] + 1,
        preprocess=preprocess,
        device="cpu" if args.buffer_cpu_only else args.device,
    )
    mac = mac_REGISTRY[args.mac](buffer.scheme, groups, args)
    runner.setup(scheme=scheme, groups=groups, preprocess=preprocess, mac=mac)
    learner = le_REGISTRY[args.learner](mac, buffer.scheme, logger, args)
    if args.use_cuda:
        learner.cuda()
    return buffer, learner


def load_checkpoint(args, logger, runner, learner):
    """Load the step that `load_step` asks for, and count on from there."""
    step = checkpoint_step(args.checkpoint_path, args.load_step)
    path = os.path.join(args.checkpoint_path, str(step))
    logger.console_logger.info("Loading model from %s", path)
    learner.load_models(path)
    runner.t_env = step


def save_checkpoint(args, logger, learner, t_env):
    """Save under results/models/<run>/<step>; the folder appears once complete."""
    path = os.path.join(
        args.local_results_path, "models", args.unique_token, str(t_env)
    )
    partial_path = f"{path}.partial"
    os.makedirs(partial_path, exist_ok=True)
    learner.save_models(partial_path)
    os.replace(partial_path, path)
    logger.console_logger.info("Saved models to %s", path)


def evaluate_sequential(args, logger, runner):
    """Test once; write a replay if asked to."""
    run_tests(runner)
    logger.log_stat("episode", 0, runner.t_env)
    logger.print_recent_stats()
    if args.save_replay:
        runner.save_replay()


def run_tests(runner):
    for _ in range(runner.test_episodes // runner.batch_size):
        runner.run(test_mode=True)


class Every:
    """True once per `interval` steps."""

    def __init__(self, interval, last=-np.inf):
        self.interval = interval
        self.last = last

    def is_due(self, t):
        if t - self.last < self.interval:
            return False
        self.last = t
        return True


def train_sequential(args, logger, runner, buffer, learner):
    """Roll out, store, update, test, save and log until `t_max`; then test and save."""
    log = logger.console_logger
    log.info("Beginning training for %s timesteps", args.t_max)
    test_due = Every(args.test_interval)
    save_due = Every(args.save_model_interval)
    log_due = Every(args.log_interval, last=0)
    progress = Progress(runner.t_env, args.t_max, log)
    started, episode = time.time(), 0
    try:
        while runner.t_env <= args.t_max:
            buffer.insert_episode_batch(runner.run(test_mode=False))
            update(args, buffer, learner, runner, episode)
            if test_due.is_due(runner.t_env):
                run_tests(runner)
            if args.save_model and save_due.is_due(runner.t_env):
                save_checkpoint(args, logger, learner, runner.t_env)
            episode += args.batch_size_run
            if log_due.is_due(runner.t_env):
                logger.log_stat("episode", episode, runner.t_env)
                logger.print_recent_stats()
            progress.update(runner.t_env)
    except NonFiniteError:
        save_checkpoint(args, logger, learner, runner.t_env)
        raise
    finally:
        progress.close()
    if test_due.last != runner.t_env:
        run_tests(runner)
    if args.save_model and save_due.last != runner.t_env:
        save_checkpoint(args, logger, learner, runner.t_env)
    if log_due.last != runner.t_env:
        logger.log_stat("episode", episode, runner.t_env)
        logger.print_recent_stats()
    log.info("Finished training in %s", time_str(time.time() - started))


def update(args, buffer, learner, runner, episode):
    """Train, once there are enough episodes, as often as the runner and the args say.

    `training_iters` times after each episode, of the rollout that began with episode
    `episode`, that the runner names.
    """
    if not buffer.can_sample(args.batch_size):
        return
    for number in runner.episodes_to_update_after(episode):
        for _ in range(args.training_iters):
            sample = buffer.sample(args.batch_size)
            sample = sample[:, : sample.max_t_filled()]
            if sample.device != args.device:
                sample.to(args.device)
            learner.train(sample, runner.t_env, number)
