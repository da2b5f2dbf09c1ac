"""Which settings make a run another run; of plain types, imports nothing."""

# Settings that a run may change and still be the same run: how long it is, when it
# reports and saves, where its files and its tensors lie.
FREE = frozenset(
    "t_max test_interval log_interval runner_log_interval learner_log_interval "
    "save_model save_model_interval keep_checkpoints save_buffer "
    "name label repeat_id unique_token local_results_path use_tensorboard "
    "use_wandb wandb_mode wandb_project wandb_team "
    "own_test_env checkpoint_path load_step evaluate save_replay resume auto_resume "
    "use_cuda device cpu_inference buffer_cpu_only "
    "worker_timeout worker_restarts".split()
)
# Settings that older runs lack, and what they did.
ADDED = {
    "optimizer": "rmsprop",
    "episodes_per_update": 1,
    "td_lambda": 0,
    "mixer_init_scale": 1,
    "central_mixer_init_scale": 1,
    "state_norm": False,
    "mixing": "host",
    "monotonicity_loss": 0,
    "monotonicity_power": 1,
    "bootstrap": "greedy",
    "lr_anneal_time": 0,
    "lr_finish": 0,
    "target_update_interval_or_tau": 0,
    "standardise_rewards": False,
    "standardise_returns": False,
    "use_per": False,
    "per_alpha": 0.6,
    "per_beta": 0.4,
    "use_layer_norm": False,
    "use_orthogonal": False,
    "gain": 0.01,
}
