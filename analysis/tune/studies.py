"""Optuna's studies, one for each algorithm, kept in one SQLite file."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import warnings
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from wqmix.errors import ConfigError

from .tuning import Tuned, Tuning, is_whole_range, values_of

FILE = "optuna.db"
STARTUP, WARMUP = 5, 3  # trials, and tests of a run, before anything is pruned
LEAST = 10  # complete trials before anything is said of what matters
REASON, ASKED, STEPS = "reason", "asked", "steps"


def optuna() -> Any:
    """Import it, silent."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    return optuna


def file_of(tuning: Tuning) -> Path:
    """Return where the studies are kept."""
    return (tuning.base.folder / FILE).resolve()


@contextlib.contextmanager
def kept_in(file: Path) -> Iterator[None]:
    """Say in one line what is wrong with the studies' file.

    Raises:
        ConfigError: it is no such file, or it cannot be read or written.
    """
    from sqlalchemy.exc import SQLAlchemyError

    optunas = optuna().exceptions.StorageInternalError
    try:
        yield
    except (optunas, SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, optunas) else None
        raise unusable(file, cause or error) from None


def unusable(file: Path, error: BaseException) -> ConfigError:
    """Return the one line for a file of studies that cannot be used."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return ConfigError(f"{file}: the trials are kept here ({reason})")


def studies(tuning: Tuning) -> List[Study]:
    """Return all studies; what an interrupted search left goes on.

    Raises:
        ConfigError: the file of another search or version.
    """
    file = str(file_of(tuning))
    # A URL could not name each file: versions differ in what "?", "{", "%" mean there.
    connect = {"creator": lambda: sqlite3.connect(file)}
    try:
        storage = optuna().storages.RDBStorage("sqlite:///file", connect)
    except RuntimeError as error:  # of another version of Optuna
        raise unusable(Path(file), error) from None
    return [Study(tuning, tuned, storage) for tuned in tuning.tuned]


class Study:
    """The trials of one algorithm."""

    def __init__(self, tuning: Tuning, tuned: Tuned, storage: Any) -> None:
        self.tuned, self._optuna = tuned, optuna()
        self._of = self._optuna.create_study(
            storage=storage,
            study_name=tuned.name,
            direction="minimize" if tuning.lower_is_better else "maximize",
            load_if_exists=True,
            pruner=self._pruner(tuning.prune),
        )
        digest = tuning.digest(tuned)
        if self._of.user_attrs.get(ASKED, digest) != digest:
            raise ConfigError(
                f"{file_of(tuning)}: was made for {tuned.name} with other settings, "
                "and trials of both cannot be compared: take another `name`, or undo "
                "the change"
            )
        self._of.set_user_attr(ASKED, digest)
        # Another seed each time, or it would propose the same again.
        self._of.sampler = self._optuna.samplers.TPESampler(
            seed=len(self._of.trials), constant_liar=True
        )
        self._recover()

    def _pruner(self, is_on: bool) -> Any:
        pruners = self._optuna.pruners
        return pruners.MedianPruner(STARTUP, WARMUP) if is_on else pruners.NopPruner()

    def _recover(self) -> None:
        """Have the trials of an interrupted search done again: runs are known again."""
        for trial in self._in("RUNNING"):
            if set(trial.params) == set(self.tuned.space):
                self._of.enqueue_trial(trial.params)
            self._of.tell(trial.number, state=self._state("FAIL"))

    # A trial --------------------------------------------------------------------------

    def ask(self) -> Tuple[Any, Dict[str, Any]]:
        """Return a trial and its settings, which no other trial has."""
        known = self._known()
        trial, values = self._ask()
        if spelt(values) in known:
            self._of.tell(trial, state=self._state("FAIL"))
            self._of.enqueue_trial(self._others(known))
            trial, values = self._ask()
        return trial, values

    def _ask(self) -> Tuple[Any, Dict[str, Any]]:
        trial = self._of.ask()
        return trial, {k: self._draw(trial, k, v) for k, v in self.tuned.space.items()}

    def _draw(self, trial: Any, key: str, space: Any) -> Any:
        if isinstance(space, list):
            return trial.suggest_categorical(key, space)
        low, high, step = space["low"], space["high"], space.get("step")
        log = space.get("log", False)
        if is_whole_range(space):
            return trial.suggest_int(key, low, high, step=step or 1, log=log)
        return trial.suggest_float(key, low, high, step=step, log=log)

    def _known(self) -> Set[str]:
        """Return the settings of all trials that count."""
        running = self._in("RUNNING")
        return {spelt(trial.params) for trial in [*self.ended, *running]}

    def _others(self, known: Set[str]) -> Dict[str, Any]:
        """Draw settings that are not known, of a space that is finite and has some."""
        draw = random.Random(len(known))
        values = {key: values_of(space) for key, space in self.tuned.space.items()}
        while True:
            found = {key: draw.choice(each or [0]) for key, each in values.items()}
            if spelt(found) not in known:
                return found

    def complete(self, trial: Any, value: float, steps: int) -> None:
        """Note a trial's score."""
        trial.set_user_attr(STEPS, steps)
        self._of.tell(trial, value)

    def prune(self, trial: Any, steps: int) -> None:
        """Note that a trial was ended early."""
        trial.set_user_attr(STEPS, steps)
        self._of.tell(trial, state=self._state("PRUNED"))

    def fail(self, trial: Any, reason: str, steps: int) -> None:
        """Note that a trial has no score, and why."""
        trial.set_user_attr(STEPS, steps)
        trial.set_user_attr(REASON, reason)
        self._of.tell(trial, state=self._state("FAIL"))

    # What there is --------------------------------------------------------------------

    @property
    def completed(self) -> List[Any]:
        """Return the trials that have a score."""
        return self._in("COMPLETE")

    @property
    def pruned(self) -> List[Any]:
        """Return the trials that were ended early."""
        return self._in("PRUNED")

    @property
    def failed(self) -> List[Any]:
        """Return the trials that failed; not those of which an interruption is left."""
        return [trial for trial in self._in("FAIL") if REASON in trial.user_attrs]

    @property
    def ended(self) -> List[Any]:
        """Return the trials that count against the budget, in their order."""
        found = [*self.completed, *self.pruned, *self.failed]
        return sorted(found, key=lambda trial: trial.number)

    @property
    def steps(self) -> int:
        """Return the environment steps of all trials."""
        return sum(trial.user_attrs.get(STEPS, 0) for trial in self.ended)

    @property
    def best(self) -> Optional[Any]:
        """Return the trial with the best score; None if none has one."""
        return self._of.best_trial if self.completed else None

    def importances(self) -> Dict[str, float]:
        """Return how much each setting matters; empty where that cannot be said."""
        if len(self.completed) < LEAST:
            return {}
        evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
        importances = self._optuna.importance.get_param_importances
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # of too few trials, say
                return importances(self._of, evaluator=evaluator)
        except (ValueError, RuntimeError, Warning):
            return {}

    def _in(self, state: str) -> List[Any]:
        return self._of.get_trials(deepcopy=False, states=(self._state(state),))

    def _state(self, name: str) -> Any:
        return self._optuna.trial.TrialState[name]


def spelt(values: Dict[str, Any]) -> str:
    """Return settings as one text, equal for equal ones."""
    return json.dumps(values, sort_keys=True)
