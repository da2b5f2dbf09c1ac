"""One run: build the parts, then train or evaluate."""

from __future__ import annotations

import datetime
import inspect
import logging
import os
import pprint
import time
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Type

import numpy as np
import torch as th

from ..storage import curves, manifest, memory
from .components.episode_buffer import Layout, Preprocess, ReplayBuffer, Scheme
from .components.prioritised_buffer import PrioritisedReplayBuffer
from .components.transforms import OneHot
from .controllers import REGISTRY as mac_REGISTRY
from .controllers.acting import acting_copy
from .envs.contract import SIZES
from .errors import ConfigError, HostError, LostError, NonFiniteError
from .learners import REGISTRY as le_REGISTRY
from .runners import REGISTRY as r_REGISTRY
from .runners.base import Runner
from .utils import random_state
from .utils.checkpoints import (
    HOST_FILE,
    RunFolder,
    differences,
    load_tensors,
    nearest_step,
    own_state,
    verify,
)
from .utils.logging import Logger, Progress
from .utils.signals import stop_on_signal
from .utils.timehelper import time_str


def run(_run: Any, config: Dict[str, Any], _log: logging.Logger) -> None:
    """Run a validated configuration as the sacred run `_run`."""
    random_state.seed_globals(config["seed"])
    args = make_args(config, _log, run_id=_run._id)
    parameters = pprint.pformat(config, indent=4, width=1)
    _log.info("Experiment Parameters:\n\n%s\n", parameters)
    logger = Logger(_log)
    logger.setup_sacred(_run)
    try:
        for each in curves_asked_for(args, config):
            logger.also_to(each)
        run_sequential(args, logger)
    finally:
        logger.close()


def curves_asked_for(args: SimpleNamespace, config: Dict[str, Any]) -> Iterator[Any]:
    """Where the numbers go besides sacred, made one after the other."""
    results, name = args.local_results_path, args.unique_token
    if args.use_tensorboard:
        yield curves.TensorBoard(os.path.join(results, "tb_logs", name))
    if args.use_wandb:
        yield curves.Wandb(config, results, name, config)


def make_args(
    config: Dict[str, Any], _log: logging.Logger, run_id: Any
) -> SimpleNamespace:
    """The configuration as a namespace, with what depends on machine and moment."""
    args = SimpleNamespace(**config)
    if args.use_cuda and not th.cuda.is_available():
        args.use_cuda = False
        _log.info("use_cuda: no GPU here, running on the CPU")
    args.device = "cuda" if args.use_cuda else "cpu"
    moment = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    # With sacred's id: two runs may well start within the same second.
    args.unique_token = f"{args.name}__{moment}__{run_id}"
    if args.resume:  # in the folder of the run that it continues
        args.unique_token = os.path.basename(os.path.abspath(args.checkpoint_path))
    args.identity = manifest.identity(config)
    return args


def run_sequential(args: SimpleNamespace, logger: Logger) -> None:
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


def build(
    args: SimpleNamespace, logger: Logger, runner: Runner
) -> Tuple[ReplayBuffer, Any]:
    """The replay buffer and the learner, from what the environment says of itself."""
    env_info = runner.get_env_info()
    scheme, groups, preprocess = layout(args, env_info)
    foresee_memory(args, logger, scheme, groups, preprocess, env_info)
    kind: Type[ReplayBuffer] = ReplayBuffer
    options: Dict[str, Any] = {}
    if args.use_per:
        kind = PrioritisedReplayBuffer
        options = dict(alpha=args.per_alpha, beta=args.per_beta, t_max=args.t_max)
    buffer = kind(
        scheme,
        groups,
        args.buffer_size,
        env_info["episode_limit"] + 1,
        preprocess=preprocess,
        device="cpu" if args.buffer_cpu_only else args.device,
        seed=args.seed,
        **options,
    )
    with random_state.Own(args.seed):  # whatever the environment has seeded or drawn
        mac = mac_REGISTRY[args.mac](buffer.scheme, groups, args)
        acting = acting_copy(mac) if args.cpu_inference and args.use_cuda else mac
        runner.setup(scheme=scheme, groups=groups, preprocess=preprocess, mac=acting)
        learner = le_REGISTRY[args.learner](mac, buffer.scheme, logger, args)
    if args.use_per:
        _check_takes_weights(learner, args.learner)
    if args.use_cuda:
        learner.cuda()
    return buffer, learner


def foresee_memory(
    args: SimpleNamespace,
    logger: Logger,
    scheme: Scheme,
    groups: Dict[str, int],
    preprocess: Preprocess,
    env_info: Dict[str, Any],
) -> None:
    """Say what episodes will take; refuse what is more than there is.

    Raises:
        ConfigError: so many episodes do not fit.
    """
    there_is: Optional[int]
    slot = memory.bytes_per_slot(scheme, groups, preprocess)
    episode = slot * (env_info["episode_limit"] + 1)
    if args.use_cuda and not args.buffer_cpu_only:
        there_is = th.cuda.get_device_properties(args.device).total_memory
    else:
        there_is = memory.of_this_machine()
    logger.console_logger.info(
        "Memory: %s for the replay buffer once it is full (buffer_size=%s), %s for a "
        "batch (batch_size=%s), %s for a rollout (batch_size_run=%s)",
        memory.told(args.buffer_size * episode),
        args.buffer_size,
        memory.told(args.batch_size * episode),
        args.batch_size,
        memory.told(args.batch_size_run * episode),
        args.batch_size_run,
    )
    others = args.batch_size + args.batch_size_run
    reason = memory.too_much(episode, args.buffer_size, others, there_is)
    if reason:
        raise ConfigError(reason)


def layout(args: SimpleNamespace, env_info: Dict[str, Any]) -> Layout:
    """The scheme, groups and preprocessing of batches; sizes are noted in `args`."""
    args.n_agents = env_info["n_agents"]
    args.n_actions = env_info["n_actions"]
    args.state_shape = env_info["state_shape"]
    scheme: Scheme = {
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
    onehot = [OneHot(out_dim=args.n_actions)]
    return scheme, groups, {"actions": ("actions_onehot", onehot)}


def _check_takes_weights(learner: Any, name: str) -> None:
    try:
        inspect.signature(learner.train).bind(None, None, None, None)
    except TypeError:
        raise HostError(
            f"use_per=True: the train of learner {name!r} takes no importance weights "
            "(batch, t_env, episode_num, per_weight)"
        ) from None


def load_checkpoint(
    args: SimpleNamespace, logger: Logger, runner: Runner, learner: Any
) -> None:
    """Load the step that `load_step` asks for, and count on from there."""
    step = nearest_step(args.checkpoint_path, args.load_step)
    path = os.path.join(args.checkpoint_path, str(step))
    facts = verify(path)
    logger.console_logger.info("Loading model from %s", path)
    if facts is not None and "config" in facts:
        _say_what_differs(args, logger, facts)
    learner.load_models(path)
    runner.t_env = step
    if not (args.resume or args.evaluate or args.save_replay):
        logger.console_logger.warning(
            "from this checkpoint come the learner and the step count alone; the "
            "replay buffer, the episode count, random numbers, statistics and the "
            "times of the next test and log start anew (resume=True: from it too)"
        )


def _say_what_differs(
    args: SimpleNamespace, logger: Logger, facts: Dict[str, Any]
) -> None:
    """A checkpoint may well be tested on another game; not without a word."""
    others = differences(args.identity, facts, besides=("seed", "env_args.seed"))
    if others:
        logger.console_logger.warning("settings are not the checkpoint's: %s", others)


def evaluate_sequential(args: SimpleNamespace, logger: Logger, runner: Runner) -> None:
    """Test once; write a replay if asked to."""
    runner.test()
    logger.log_stat("episode", 0, runner.t_env)
    logger.print_recent_stats()
    if args.save_replay:
        runner.save_replay()


class Every:
    """True once per `interval` steps."""

    def __init__(self, interval: int, last: float = -np.inf) -> None:
        self.interval = interval
        self.last = last

    def is_due(self, t: int) -> bool:
        if t - self.last < self.interval:
            return False
        self.last = t
        return True


def train_sequential(
    args: SimpleNamespace,
    logger: Logger,
    runner: Runner,
    buffer: ReplayBuffer,
    learner: Any,
) -> None:
    """Roll out, store, update, test, log and save until `t_max`."""
    Training(args, logger, runner, buffer, learner).run()


class Training:
    """The loop, and all that it must know to go on where it ended."""

    def __init__(
        self,
        args: SimpleNamespace,
        logger: Logger,
        runner: Runner,
        buffer: ReplayBuffer,
        learner: Any,
    ) -> None:
        self.args, self.logger, self.runner = args, logger, runner
        self.buffer, self.learner = buffer, learner
        self.log = logger.console_logger
        self.episode = 0
        self.due = {
            "test": Every(args.test_interval),
            "log": Every(args.log_interval, last=0),
            "save": Every(args.save_model_interval),
        }
        self.saved_at: Optional[int] = None
        # For manifests: with these a policy can act where no environment is.
        sizes = {key: int(runner.get_env_info()[key]) for key in SIZES}
        self.facts = {"config": args.identity, "sizes": sizes}
        # Called after each test, where somebody asked for it.
        self.after_test: Optional[Callable[[], Any]] = None
        models = os.path.join(args.local_results_path, "models", args.unique_token)
        path = args.checkpoint_path if args.resume else models
        self.folder = RunFolder(path, args.keep_checkpoints, args.save_buffer, self.log)
        if args.resume:
            state = os.path.join(path, str(runner.t_env))
            self.folder.lock()
            self.folder.go_on_from(runner.t_env)
            with own_state(state):
                self._resume(state)

    def run(self) -> None:
        """Train until `t_max`, or until a signal asks for the end; test, log and save.

        Raises:
            KeyboardInterrupt: the signal's, once a checkpoint is saved.
        """
        self.log.info("Beginning training for %s timesteps", self.args.t_max)
        started = time.monotonic()
        progress = Progress(self.runner.t_env, self.args.t_max, self.log)
        with stop_on_signal() as stop:
            try:
                while self.runner.t_env <= self.args.t_max and not stop:
                    self._step()
                    progress.update(self.runner.t_env)
            except NonFiniteError as error:
                self._save_evidence(error)
                raise
            finally:
                progress.close()
            if not stop:
                self._finish()
            if stop:
                self._save()
                raise stop.interruption()
        self.log.info("Finished training in %s", time_str(time.monotonic() - started))
        if self.folder.reason:
            raise LostError(
                f"no checkpoint of the end is in {self.folder.path}: "
                f"{self.folder.reason}"
            )

    def _step(self) -> None:
        """A rollout and its updates; then the state is one that can be saved."""
        args, runner = self.args, self.runner
        self.buffer.insert_episode_batch(runner.run(test_mode=False))
        update(args, self.buffer, self.learner, runner, self.episode)
        self.episode += args.batch_size_run
        if self.due["test"].is_due(runner.t_env):
            self._test()
        if self.due["log"].is_due(runner.t_env):
            self._log()
        if args.save_model and self.due["save"].is_due(runner.t_env):
            self._save()

    def _finish(self) -> None:
        """What the last step was not due for.

        The checkpoint holds what was before it: a run that goes on from there is the
        one that never ended here.
        """
        t_env, before = self.runner.t_env, self.state_dict()
        if self.due["test"].last != t_env:
            self.due["test"].last = t_env
            self._test()
        if self.due["log"].last != t_env:
            self.due["log"].last = t_env
            self._log()
        if self.args.save_model and self.due["save"].last != t_env:
            self.due["save"].last = t_env
            self._save(before)

    def _test(self) -> None:
        self.runner.test()
        if self.after_test is not None:
            self.after_test()

    def _log(self) -> None:
        self.logger.log_stat("episode", self.episode, self.runner.t_env)
        self.logger.print_recent_stats()

    def _save(self, state: Optional[Dict[str, Any]] = None) -> None:
        t_env = self.runner.t_env
        if self.saved_at == t_env:
            return
        self.saved_at = t_env
        self.save_into(self.folder, state)

    def save_into(
        self, folder: RunFolder, state: Optional[Dict[str, Any]] = None
    ) -> None:
        """Write a checkpoint, from which a run can go on, into a RunFolder.

        Args:
            state: what `state_dict` returned since the last rollout; else as it is.
        """
        tests = self.logger.stats.get("test_return_mean")
        folder.save(
            self.learner,
            self.runner.t_env,
            self.state_dict() if state is None else state,
            self.buffer,
            **self.facts,
            test_return=tests[-1][1] if tests else None,
        )

    def _save_evidence(self, error: NonFiniteError) -> None:
        facts = {"t_env": error.t_env, "episode": self.episode, "terms": error.terms}
        fields = {key: field.cpu() for key, field in error.batch.fields().items()}
        self.folder.save_evidence(
            self.learner,
            self.runner.t_env,
            {**facts, "batch": fields},
            **self.facts,
        )

    def state_dict(self) -> Dict[str, Any]:
        """All but the learner's own and the buffer's episodes."""
        per = {}
        if isinstance(self.buffer, PrioritisedReplayBuffer):
            per["per"] = self.buffer.priorities()
        return {
            "episode": self.episode,
            "due": {name: every.last for name, every in self.due.items()},
            "runner": self.runner.state_dict(),
            "logger": self.logger.state_dict(),
            "episodes_added": self.buffer.episodes_added,
            "random": random_state.state_dict(),
            "replay": self.buffer.rng.bit_generator.state,
            "exploration": _state_of(self.runner.mac.action_selector),
            **per,
        }

    def _resume(self, path: str) -> None:
        """Take over from a checkpoint, whose learner is loaded already."""
        facts, state = verify(path) or {}, load_tensors(os.path.join(path, HOST_FILE))
        self.saved_at = state["runner"]["t_env"]
        self.episode = state["episode"]
        for name, last in state["due"].items():
            self.due[name].last = last
        self.runner.load_state_dict(state["runner"])
        self.logger.load_state_dict(state["logger"])
        if facts["buffer"]:
            files = facts["buffer"]
            self.folder.buffer_files.load(self.buffer, files, state["episodes_added"])
            if isinstance(self.buffer, PrioritisedReplayBuffer):
                self.buffer.load_priorities(state["per"])
        elif state["episodes_added"]:
            self.log.warning(
                "the checkpoint is without the replay buffer (save_buffer=False): "
                "updates begin again after %s episodes",
                self.args.batch_size,
            )
        self._load_generators(state)
        random_state.load_state_dict(state["random"])  # last: nothing may draw after it

    def _load_generators(self, state: Dict[str, Any]) -> None:
        """What is drawn by the buffer and by who explores."""
        if "replay" not in state:
            self.log.warning(
                "the checkpoint is of an older version, which drew from the global "
                "generators: from here on episodes and exploration are drawn anew"
            )
            return
        self.buffer.rng.bit_generator.state = state["replay"]
        if state["exploration"] is not None:
            self.runner.mac.action_selector.load_state_dict(state["exploration"])


def _state_of(selector: Any) -> Any:
    """None for an action selector of somebody's own that has no such method."""
    return selector.state_dict() if hasattr(selector, "state_dict") else None


def update(
    args: SimpleNamespace,
    buffer: ReplayBuffer,
    learner: Any,
    runner: Runner,
    episode: int,
) -> None:
    """Train, once there are enough episodes, as often as the runner and the args say.

    `training_iters` times after each episode that the runner names, of the rollout that
    began with episode `episode`; of these only each `episodes_per_update`-th.
    """
    if not buffer.can_sample(args.batch_size):
        return
    for number in runner.episodes_to_update_after(episode):
        if (number + 1) % args.episodes_per_update != 0:
            continue
        for _ in range(args.training_iters):
            _learn(args, buffer, learner, runner.t_env, number)


def _learn(
    args: SimpleNamespace, buffer: ReplayBuffer, learner: Any, t_env: int, number: int
) -> None:
    """One update; with prioritised replay the episodes' new priorities are kept."""
    weights: List[np.ndarray] = []
    if isinstance(buffer, PrioritisedReplayBuffer):
        sample, slots, *weights = buffer.sample_by_priority(args.batch_size, t_env)
    else:
        sample = buffer.sample(args.batch_size)
    sample = sample[:, : sample.max_t_filled()]
    if sample.device != args.device:
        sample.to(args.device)
    try:
        found = learner.train(sample, t_env, number, *weights)
    except NonFiniteError as error:
        error.batch = sample
        raise
    if isinstance(buffer, PrioritisedReplayBuffer):
        if not found or "td_errors_abs" not in found:
            raise HostError(
                f"use_per=True needs priorities, but train of learner {args.learner!r} "
                "returns no {'td_errors_abs': [episodes, 1]}"
            )
        errors = found["td_errors_abs"].reshape(-1).cpu().numpy()
        buffer.update_priorities(slots, errors)
