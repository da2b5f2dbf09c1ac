"""The name that somebody may have meant: misspelt, or as other hosts have it."""

from __future__ import annotations

import difflib
from typing import Iterable

# What hosts and libraries call the same setting.
_SAME = (
    ("lr", "learning_rate"),
    ("rnn_hidden_dim", "hidden_dim", "hidden_size"),
    ("batch_size", "minibatch_size", "buffer_batch_size"),
    ("buffer_size", "replay_size", "buffer_capacity", "memory_size"),
    ("batch_size_run", "num_envs", "n_envs", "n_rollout_threads", "parallel_envs"),
    ("epsilon_start", "eps_start", "epsilon_initial"),
    ("epsilon_finish", "eps_finish", "eps_end", "epsilon_end", "epsilon_min"),
    ("mixing_embed_dim", "mixer_embedding_dim", "mixing_hidden_dim"),
    ("hypernet_embed", "mixer_hypernet_hidden_dim", "hypernet_hidden_dim"),
    ("test_interval", "eval_interval", "evaluate_freq"),
    ("test_nepisode", "eval_episodes", "test_episodes", "num_test_episodes"),
    ("double_q", "use_double_q", "double_dqn"),
    ("target_update_interval_or_tau", "tau"),
    ("target_update_interval", "target_update_interval_or_tau", "target_update_freq"),
    ("optimizer", "optim_type", "optimiser"),
    ("alpha", "w"),
    ("weighting", "hysteretic_qmix"),
    ("t_max", "total_timesteps", "total_steps", "max_steps"),
    ("gamma", "discount"),
    ("td_lambda", "lambda", "gae_lambda"),
    ("epsilon_anneal_time", "epsilon_decay", "epsilon_anneal", "eps_decay"),
    ("grad_norm_clip", "max_grad_norm"),
    ("use_cuda", "device"),
)
_OTHER_NAMES = {name: names for names in _SAME for name in names}


def nearest(name: object, accepted: Iterable[object]) -> str:
    """` (did you mean 'x'?)` for the accepted name most like it, or ""."""
    names = {_alike(each): str(each) for each in accepted}
    for other in _OTHER_NAMES.get(_alike(name), ()):
        if other in names:
            return f" (here it is {other!r})"
    found = difflib.get_close_matches(_alike(name), names, n=1)
    return f" (did you mean {names[found[0]]!r}?)" if found else ""


def _alike(name: object) -> str:
    return str(name).lower().replace("-", "_")
