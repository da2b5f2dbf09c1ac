"""What no host has: notes on the learner, for the test to read."""

import json
import os
import sys

import torch as th


class Report:
    def __init__(self, learner, mac):
        self.learner, self.mac = learner, mac
        self.returned, self.copied, self.modes = [], [], []
        self.loaded = {}
        self.target = self._target()
        forward = mac.agent.forward

        def noting(*args, **kwargs):
            if th.is_grad_enabled():
                self.modes.append(mac.agent.training)
            return forward(*args, **kwargs)

        mac.agent.forward = noting

    def _target(self):
        net = getattr(self.learner, "target_central_mixer", None)
        return net and th.cat([p.flatten() for p in net.parameters()]).clone()

    def after_train(self, returned, episode):
        self.returned.append(plain(returned))
        target = self._target()
        if target is not None and not th.equal(target, self.target):
            self.copied.append((len(self.returned), episode))
        self.target = target

    def write(self, args, logger):
        host = getattr(self.learner, "host", None)
        optimiser = self.learner.optimiser
        report = {
            "learner": type(self.learner).__name__,
            "optimiser": getattr(optimiser, "name", type(optimiser).__name__),
            "mixer": type(self.learner.mixer).__name__,
            "mixer_module": type(self.learner.mixer).__module__,
            "returned": self.returned,
            "copied": self.copied,
            "loaded": self.loaded,
            "modes": sorted(set(self.modes)),
            "losses": [value for _, value in logger.stats["loss"]],
            "modules": [
                name
                for name in ("learners", "controllers", "run")
                if name in sys.modules
            ],
        }
        if host is not None:
            for key in (
                "lr",
                "td_lambda",
                "double_q",
                "weight_decay",
                "standardise_rewards",
                "standardise_returns",
            ):
                report[key] = getattr(host, key)
        with open(os.environ["SKELETON_REPORT"], "w") as f:
            json.dump(report, f)


def plain(value):
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value.tolist() if isinstance(value, th.Tensor) else value
