"""What an adapter is: the facts of one host, and the few verbs that use them.

An adapter is a subclass of `HostAdapter` with class attributes (the layout it is known
by, its mixers, what it lacks) and, where the host differs, one of the verbs
`optimizer`, `target_update`, `td_lambda`, `train_returns`, `prepare_mac`, `check`.
Nothing here imports a host; mixers are imported when the host builds its learner, by
the host's own module names.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ...config import schema
from ...config.names import nearest
from ...errors import ConfigError

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Mixer:
    """Where a host keeps a monotonic mixer, and whether it is built from `args`."""

    module: str
    name: str
    takes_args: bool = True


QMIX_AND_VDN = {
    "qmix": Mixer("modules.mixers.qmix", "QMixer"),
    "vdn": Mixer("modules.mixers.vdn", "VDNMixer", takes_args=False),
}
NMIX_AND_VDN = {
    "qmix": Mixer("modules.mixers.nmix", "Mixer"),
    "vdn": QMIX_AND_VDN["vdn"],
}


class HostAdapter:
    """Facts and verbs of one host (see the module's docstring).

    Attributes:
        name: as `--host` takes it. `title`: as messages say it. `about`: one line.
        package: the package its modules live in, "" where they are top-level.
        present, absent: paths under its source folder that must (not) exist.
        text: (path, words) pairs: a file that must contain these words.
        aliases: `inherit:` names of ours → the host's file names, where they differ.
        fallbacks: settings that the host lacks, listed so that sacred accepts them.
        mixers: the host's own monotonic mixers by their `mixer:` name.
        stand_ins: modules that the host imports but may lack → the remedy to name.
        replaced: modules of the host's → packages without which they cannot be
            imported; a stand-in takes their place when one is absent.
        steps_as_gymnasium: its runners take five values from an environment's `step`.
        passed_to_envs: settings of its own that it passes beside `env_args`.
        compared_by_tests: the parity probe would tell nothing new of its learner.
        finds_sacred: it can import sacred beside any setuptools.
        results_beside_main: it writes results beside the outermost frame's file.
        loss_factor: of its QMIX loss.
        models_named_by: settings that its folder of models is named by:
            `<first>/models/<others>/`; empty where it sees to it that no two share one.
        not_restored: what training that goes on from a checkpoint starts anew.
    """

    name = ""
    title = ""
    about = ""
    package = ""
    present: Tuple[str, ...] = ()
    absent: Tuple[str, ...] = ()
    text: Tuple[Tuple[str, str], ...] = ()
    aliases: Mapping[str, str] = {}
    fallbacks: Mapping[str, Any] = {}
    mixers: Mapping[str, Mixer] = QMIX_AND_VDN
    stand_ins: Mapping[str, str] = {}
    replaced: Mapping[str, Tuple[str, ...]] = {}
    steps_as_gymnasium = False
    passed_to_envs: Tuple[str, ...] = ()
    compared_by_tests = False
    finds_sacred = False
    results_beside_main = False
    loss_factor = 1.0
    models_named_by: Tuple[str, ...] = ("local_results_path", "unique_token")
    not_restored = (
        "the replay buffer, the episode count, random numbers, logged statistics and "
        "the times of the next test, log and save (its step count, and so epsilon, is "
        "the folder's number)"
    )

    # Layout -------------------------------------------------------------------------

    def missing(self, root: Path) -> List[str]:
        """What a folder lacks to be this host; empty when it is."""
        lacks = [path for path in self.present if not (root / path).exists()]
        lacks += [f"no {path}" for path in self.absent if (root / path).exists()]
        for path, words in self.text:
            if not contains(root / path, words):
                lacks.append(f"{words!r} in {path}")
        return lacks

    def at(self, root: Path) -> HostAdapter:
        """Return the adapter for the checkout in `root`."""
        return self

    def based_on(self, name: Optional[str]) -> HostAdapter:
        """Return the adapter with another configuration than `qmix` to inherit."""
        if name is None:
            return self
        other = copy.copy(self)
        other.aliases = {**self.aliases, "qmix": name}
        return other

    def config_dir(self, root: Path) -> Path:
        """The folder that holds default.yaml, algs/ and envs/."""
        return root / "config"

    def module(self, name: str) -> str:
        """The full name of one of the host's modules, `learners` for example."""
        return f"{self.package}.{name}" if self.package else name

    # Settings -----------------------------------------------------------------------

    def host_settings(self, config: Config) -> Any:
        """Return the `HostSettings` that a merged configuration means in this host.

        Raises:
            ConfigError: a key is missing or of the wrong type, or asks for something
                that Weighted QMIX cannot do here.
        """
        from ...settings import HostSettings  # imports torch: not before it is needed

        self.check_mixer(config)
        self.check_common_reward(config)
        self.check_agent_output(config)
        self.check(config)
        optimizer = self.optimizer(config)
        rmsprop = optimizer == "rmsprop"
        return HostSettings(
            name=self.title,
            lr=self.number(config, "lr"),
            optimizer=optimizer,
            optim_alpha=self.number(config, "optim_alpha") if rmsprop else 0.0,
            optim_eps=self.number(config, "optim_eps") if rmsprop else 0.0,
            weight_decay=self.weight_decay(config),
            grad_norm_clip=self.number(config, "grad_norm_clip"),
            gamma=self.number(config, "gamma"),
            loss_factor=self.loss_factor,
            double_q=self.flag(config, "double_q", True),
            td_lambda=self.td_lambda(config),
            target_update=self.target_update(config),
            standardise_rewards=self.flag(config, "standardise_rewards", False),
            standardise_returns=self.flag(config, "standardise_returns", False),
            build_mixer=self.build_mixer,
            prepare_mac=self.prepare_mac,
            train_returns=self.train_returns(config),
        )

    # Verbs: what PyMARL does; a host that differs overrides ---------------------------

    def check(self, config: Config) -> None:
        """Refuse settings of this host's that Weighted QMIX does not support."""

    def optimizer(self, config: Config) -> str:
        """`rmsprop` or `adam`."""
        return "rmsprop"

    def weight_decay(self, config: Config) -> float:
        """Weight decay of the optimiser."""
        return 0.0

    def td_lambda(self, config: Config) -> Optional[float]:
        """λ of TD(λ) targets, None for one-step targets."""
        return None

    def target_update(self, config: Config) -> Any:
        """When target networks follow, a `TargetUpdate`."""
        return each_episodes(self, config)

    def train_returns(self, config: Config) -> Callable[[Any, Any], Any]:
        """What the host reads from `train`'s result, from (td_error, mask)."""
        return nothing

    def prepare_mac(self, mac: Any, device: Any) -> None:
        """Bring the controller into training mode and onto the device."""

    # Folders --------------------------------------------------------------------------

    def models_folder(self, args: Any) -> Optional[str]:
        """Where the host saves a run's models, a folder a step; None: it sees to it."""
        if not self.models_named_by:
            return None
        named: List[Any] = [getattr(args, key, None) for key in self.models_named_by]
        return None if None in named else os.path.join(named[0], "models", *named[1:])

    def name_anew(self, args: Any, mark: str) -> None:
        """Have it save into another folder."""
        key = self.models_named_by[-1]
        setattr(args, key, getattr(args, key) + mark)

    # Helpers --------------------------------------------------------------------------

    def build_mixer(self, args: Any) -> Any:
        """Build the host's own monotonic mixer for `args.mixer`."""
        mixer = self.mixers[args.mixer]
        built = getattr(importlib.import_module(self.module(mixer.module)), mixer.name)
        return taking_state(built(args) if mixer.takes_args else built(), self.title)

    def check_mixer(self, config: Config) -> None:
        """Refuse any mixer but the host's monotonic ones and a vouched one."""
        mixer = config.get("mixer")
        vouched = config.get("monotonic_mixer")
        if mixer not in self.mixers and (mixer is None or mixer != vouched):
            names = ", ".join(sorted(self.mixers)) or "none that is known"
            raise ConfigError(
                f"{self.title}: mixer={mixer!r}, but Weighted QMIX weighs the errors "
                f"of a monotonic mixer: one of {names}{nearest(mixer, self.mixers)}. "
                f"If this one is monotonic too: monotonic_mixer={mixer}"
            )

    def check_common_reward(self, config: Config) -> None:
        """Refuse individual rewards: Q_tot has one."""
        if config.get("common_reward", True) is False:
            raise ConfigError(
                f"{self.title}: common_reward=False, but Weighted QMIX needs one "
                "reward for the team: set common_reward=True"
            )

    def check_agent_output(self, config: Config) -> None:
        """Refuse policies: they have no action values to mix."""
        output = config.get("agent_output_type", "q")
        if output != "q":
            raise ConfigError(
                f"{self.title}: agent_output_type={output!r}, but Weighted QMIX mixes "
                "action values: set agent_output_type=q"
            )

    def number(self, config: Config, key: str) -> float:
        """Read a number, or raise ConfigError."""
        value = self.value(config, key)
        self.check_value(key, value, "number")
        return float(value)

    def flag(self, config: Config, key: str, otherwise: bool) -> bool:
        """Read True or False; `otherwise` in a host that has no such key."""
        value: bool = config.get(key, otherwise)
        self.check_value(key, value, "flag")
        return value

    def check_value(self, key: str, value: Any, kind: str) -> None:
        """Refuse what a setting cannot be; `kind`: of one that is not ours."""
        wrong = schema.wrong(key, value, kind)
        if wrong is not None:
            raise ConfigError(f"{self.title}: {wrong}")

    def value(self, config: Config, key: str) -> Any:
        """Read a key that the host must have."""
        if key not in config:
            raise ConfigError(
                f"{self.title}: its configuration has no {key!r}{nearest(key, config)}"
            )
        return config[key]


def taking_state(mixer: Any, host: str) -> Any:
    """Return a mixer of (utilities, state), or raise ConfigError: it takes more."""
    parameters = inspect.signature(mixer.forward).parameters.values()
    needed = [
        p.name for p in parameters if p.default is p.empty and p.kind < p.VAR_POSITIONAL
    ]
    if len(needed) != 2:
        raise ConfigError(
            f"{host}: its mixer {type(mixer).__name__} is called with "
            f"({', '.join(needed)}), but Weighted QMIX has the utilities and the state "
            "for it: another mixer, or one of its own with two arguments, is needed"
        )
    return mixer


def each_episodes(host: HostAdapter, config: Config) -> Any:
    """`target_update_interval`: a copy each so many episodes (PyMARL)."""
    from ...settings import TargetUpdate

    return TargetUpdate("episodes", host.number(config, "target_update_interval"))


def each_steps_or_soft(host: HostAdapter, config: Config) -> Any:
    """`target_update_interval_or_tau`: train steps, or soft where ≤ 1 (EPyMARL)."""
    from ...settings import TargetUpdate

    amount = host.number(config, "target_update_interval_or_tau")
    return TargetUpdate("steps" if amount > 1 else "soft", amount)


def adam_or_rmsprop(host: HostAdapter, config: Config) -> str:
    """`optimizer: adam`, else RMSprop (PyMARL2 and 3, the embedded host)."""
    return "adam" if config.get("optimizer") == "adam" else "rmsprop"


def adam_weight_decay(host: HostAdapter, config: Config) -> float:
    """`weight_decay`, which PyMARL2 and 3 hand to Adam alone."""
    has_one = config.get("optimizer") == "adam" and "weight_decay" in config
    return host.number(config, "weight_decay") if has_one else 0.0


def nothing(td_error: Any, mask: Any) -> None:
    """PyMARL reads nothing from `train`."""


def contains(path: Path, words: str) -> bool:
    """Whether a text file exists and contains `words`."""
    return path.is_file() and words in read_text(path)


def read_text(path: Path) -> str:
    """Read a source file as text; never executed, undecodable bytes replaced."""
    return path.read_text(encoding="utf-8", errors="replace")


def merged(*mappings: Mapping[str, Any]) -> Dict[str, Any]:
    """Merge nested mappings, later ones winning, as the hosts' main files do."""
    result: Dict[str, Any] = {}
    for mapping in mappings:
        for key, value in mapping.items():
            old = result.get(key)
            if isinstance(value, Mapping) and isinstance(old, Mapping):
                value = merged(old, value)
            result[key] = value
    return result
