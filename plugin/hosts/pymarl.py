"""PyMARL (oxwhirl/pymarl): the API that all others vary."""

from __future__ import annotations

from .base import HostAdapter

SMAC_REMEDY = (
    "StarCraft's smac installs from https://github.com/oxwhirl/smac and needs the "
    "game; `smac` on PyPI is another package, a hyper-parameter optimiser"
)


class PyMARL(HostAdapter):
    name = "pymarl"
    title = "PyMARL"
    about = "oxwhirl/pymarl, the original"
    present = ("run.py", "learners/q_learner.py", "config/algs/qmix.yaml")
    absent = (
        "run/__init__.py",
        "learners/nq_learner.py",
        "components/standarize_stream.py",
        "config/algs/qmix_smac.yaml",
    )
    text = (("learners/q_learner.py", "RMSprop"), ("learners/__init__.py", "REGISTRY"))
    stand_ins = {"smac": SMAC_REMEDY, "smac.env": SMAC_REMEDY}
