"""oxwhirl/wqmix: the code that the paper published, on PyMARL."""

from __future__ import annotations

from .base import HostAdapter
from .pymarl import SMAC_REMEDY


class WQMix(HostAdapter):
    name = "wqmix"
    title = "oxwhirl/wqmix"
    about = "oxwhirl/wqmix, the code published with the paper"
    present = ("run.py", "learners/max_q_learner.py", "config/algs/qmix_smac.yaml")
    absent = ("run/__init__.py",)
    aliases = {"qmix": "qmix_smac"}
    stand_ins = {
        "smac": SMAC_REMEDY,
        "smac.env": SMAC_REMEDY,
        "pygame": "its stag_hunt draws with it: pip install pygame",
        "modules.mixers.qmix_ablations": "this repository never contained it",
        "envs.matrix_game.matrix_game": "this repository never contained it",
    }
