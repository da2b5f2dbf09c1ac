"""What each adapter makes of its host's settings: the rows of the hosts' table."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from wqmix.errors import ConfigError
from wqmix.plugin.hosts import HOSTS

PYMARL = {
    "mixer": "qmix",
    "lr": 0.0005,
    "optim_alpha": 0.99,
    "optim_eps": 0.00001,
    "grad_norm_clip": 10,
    "gamma": 0.99,
    "double_q": True,
    "target_update_interval": 200,
}
PYMARL2 = {**PYMARL, "optimizer": "adam", "td_lambda": 0.6, "use_per": False}
del PYMARL2["double_q"]
EPYMARL = {
    **PYMARL,
    "target_update_interval_or_tau": 200,
    "standardise_rewards": True,
    "standardise_returns": False,
    "common_reward": True,
}
CONFIGS = {
    "embedded": PYMARL,
    "pymarl": PYMARL,
    "wqmix": PYMARL,
    "pymarl2": PYMARL2,
    "pymarl3": PYMARL2,
    "epymarl": EPYMARL,
    "pymarlzooplus": EPYMARL,
}
ROWS = {  # optimiser, TD(λ), target updates in units of, each; rewards standardised
    "embedded": ("rmsprop", None, "episodes", 200, False),
    "pymarl": ("rmsprop", None, "episodes", 200, False),
    "wqmix": ("rmsprop", None, "episodes", 200, False),
    "pymarl2": ("adam", 0.6, "episodes", 200, False),
    "pymarl3": ("adam", 0.6, "episodes", 200, False),
    "epymarl": ("adam", None, "steps", 200, True),
    "pymarlzooplus": ("adam", None, "steps", 200, True),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_row_of_a_host(name: str) -> None:
    settings = HOSTS[name].host_settings(CONFIGS[name])
    update = settings.target_update
    row = (settings.optimizer, settings.td_lambda, update.unit, update.amount)
    assert (*row, settings.standardise_rewards) == ROWS[name]
    assert settings.double_q  # PyMARL2 has no such key and always does
    assert (settings.lr, settings.gamma) == (0.0005, 0.99)
    assert settings.grad_norm_clip == 10


def test_rmsprop_where_pymarl2_is_not_told_adam() -> None:
    config = {**PYMARL2, "optimizer": "RMSProp", "weight_decay": 0.1}
    settings = HOSTS["pymarl2"].host_settings(config)
    assert (settings.optimizer, settings.weight_decay) == ("rmsprop", 0.0)
    config["optimizer"] = "adam"
    assert HOSTS["pymarl2"].host_settings(config).weight_decay == 0.1


def test_adam_where_the_embedded_host_is_told_so() -> None:
    config = {**CONFIGS["embedded"], "optimizer": "adam"}
    assert HOSTS["embedded"].host_settings(config).optimizer == "adam"


def test_targets_without_lambda_are_one_step() -> None:
    config = {**PYMARL2}
    del config["td_lambda"]
    assert HOSTS["pymarl3"].host_settings(config).td_lambda is None


def test_an_interval_of_at_most_one_is_soft() -> None:
    config = {**EPYMARL, "target_update_interval_or_tau": 0.01}
    update = HOSTS["epymarl"].host_settings(config).target_update
    assert (update.unit, update.amount) == ("soft", 0.01)


@pytest.mark.parametrize(
    "name, key, value, message",
    [
        ("epymarl", "common_reward", False, "set common_reward=True"),
        ("pymarl", "mixer", None, "one of qmix, vdn"),
        ("pymarl2", "mixer", "qatte", "did you mean 'qatten'?"),
        ("pymarl2", "q_lambda", True, "set q_lambda=False"),
        ("pymarl3", "q_lambda", True, "set q_lambda=False"),
        ("pymarl3", "enable_data_augmentation", True, "its own learner"),
        ("pymarl2", "agent_output_type", "pi_logits", "set agent_output_type=q"),
        ("pymarlzooplus", "use_emdqn", True, "set use_emdqn=False"),
        ("pymarl", "gamma", "high", "gamma is 'high': a number"),
        ("pymarl", "lr", True, "lr is True: a number > 0"),
        ("pymarl", "gamma", 1.5, "a number within [0, 1] is needed"),
        ("epymarl", "standardise_rewards", 1, "is 1: True or False is needed"),
    ],
)
def test_what_cannot_be_is_refused(
    name: str, key: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        HOSTS[name].host_settings({**CONFIGS[name], key: value})
    assert message in str(error.value)
    assert str(error.value).startswith(f"{HOSTS[name].title}: ")


def test_a_setting_that_a_host_lacks_is_named() -> None:
    config = {**PYMARL}
    config["gama"] = config.pop("gamma")
    with pytest.raises(ConfigError, match="no 'gamma' .did you mean 'gama'"):
        HOSTS["pymarl"].host_settings(config)


# What `train` returns -----------------------------------------------------------------

TD_ERROR = torch.tensor([[[3.0], [-1.0], [5.0]], [[2.0], [7.0], [7.0]]])
MASK = torch.tensor([[[1.0], [1.0], [0.0]], [[1.0], [0.0], [0.0]]])


def test_pymarl_reads_nothing() -> None:
    assert HOSTS["pymarl"].host_settings(PYMARL).train_returns(TD_ERROR, MASK) is None


def test_pymarl2_reads_priorities_from_a_dictionary() -> None:
    per = HOSTS["pymarl2"].host_settings({**PYMARL2, "use_per": True})
    priorities = per.train_returns(TD_ERROR, MASK)["td_errors_abs"]
    # (3 + 1) / sqrt(2 steps) and 2 / sqrt(1 step)
    torch.testing.assert_close(priorities, torch.tensor([[4 / 2**0.5], [2.0]]))
    plain = HOSTS["pymarl2"].host_settings(PYMARL2)
    assert plain.train_returns(TD_ERROR, MASK) == {}


def test_priorities_by_return_are_refused() -> None:
    config = {**PYMARL2, "use_per": True, "return_priority": True}
    with pytest.raises(ConfigError, match="return_priority=False"):
        HOSTS["pymarl2"].host_settings(config)


def test_pymarlzooplus_reads_squared_errors() -> None:
    config = {**EPYMARL, "prioritized_buffer": True}
    returns = HOSTS["pymarlzooplus"].host_settings(config).train_returns
    # (9 + 1) / 2 steps and 4 / 1 step, a plain number for each episode
    assert returns(TD_ERROR, MASK) == [5.0, 4.0]
    config["prioritized_buffer"] = False
    returns = HOSTS["pymarlzooplus"].host_settings(config).train_returns
    assert returns(TD_ERROR, MASK) is None


# The MAC before an update -------------------------------------------------------------


class Mac:
    """Notes what is asked of it."""

    def __init__(self, on: str = "cpu") -> None:
        self.agent = torch.nn.Linear(1, 1).eval()
        self.asked = []
        self._on = on

    def get_device(self) -> str:
        return self._on

    def cuda(self) -> None:
        self.asked.append("cuda")

    def set_train_mode(self) -> None:
        self.asked.append("train")


def test_pymarl2_trains_in_training_mode() -> None:
    mac = Mac()
    HOSTS["pymarl2"].prepare_mac(mac, torch.device("cpu"))
    assert mac.agent.training


@pytest.mark.parametrize(
    "on, device, asked",
    [
        ("cpu", "cpu", ["train"]),
        ("cpu", "cuda:0", ["cuda", "train"]),  # after `cpu_inference`
        ("cuda:0", "cuda:0", ["train"]),
    ],
)
def test_pymarl3_brings_the_mac_back(on: str, device: str, asked: list) -> None:
    mac = Mac(on)
    HOSTS["pymarl3"].prepare_mac(mac, torch.device(device))
    assert mac.asked == asked


def test_other_macs_are_left_alone() -> None:
    for name in ("pymarl", "wqmix", "epymarl", "pymarlzooplus", "embedded"):
        mac = Mac()
        HOSTS[name].prepare_mac(mac, torch.device("cpu"))
        assert mac.asked == [] and not mac.agent.training


def test_an_unknown_mac_is_used_by_what_it_has() -> None:
    mac = Mac()
    HOSTS["generic"].prepare_mac(mac, torch.device("cpu"))
    assert mac.asked == ["train"]
    plain = SimpleNamespace(agent=torch.nn.Linear(1, 1).eval())
    HOSTS["generic"].prepare_mac(plain, torch.device("cpu"))
    assert plain.agent.training


def test_every_adapter_is_described() -> None:
    for name, host in HOSTS.items():
        assert host.name == name and host.title and host.about
        needs = {need for absent in host.replaced.values() for need in absent}
        assert needs <= set(host.stand_ins)


def test_the_documented_adapter_is_one() -> None:
    page = Path(__file__).parents[2] / "docs" / "adding_a_host.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    package = "wqmix.plugin.hosts"
    names = {"__name__": f"{package}.myfork", "__package__": package}
    exec(compile(code, str(page), "exec"), names)
    settings = names["MyFork"]().host_settings(EPYMARL)
    assert (settings.name, settings.optimizer) == ("MyFork", "adam")
    assert settings.target_update.unit == "steps"
