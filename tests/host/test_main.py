"""Whole runs: results, determinism, checkpoints, interruption."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import wandb_stand_in
from wqmix.host import envs
from wqmix.host.main import main

from .doubles import CountingEnv

SMALL = ["batch_size=4", "buffer_size=8", "rnn_hidden_dim=8", "use_cuda=False"]
INTERVALS = ["test_interval=20", "log_interval=20", "runner_log_interval=5"]
INTERVALS += ["learner_log_interval=5", "epsilon_anneal_time=50"]


def command(*settings, config="qmix", env="matrix_game"):
    base = [f"--config={config}", f"--env-config={env}", "with"]
    return [*base, *SMALL, *INTERVALS, *settings]


def run(*settings, **configs):
    """The folder and the metrics of a run that succeeds."""
    assert main(command(*settings, **configs)) == 0
    folder = latest()
    return folder, record(folder, "info.json")


def latest():
    """The folder of the newest run in the current folder."""
    runs = [path for path in Path("results/sacred").iterdir() if path.name.isdigit()]
    return max(runs, key=lambda path: int(path.name))


def record(folder, name):
    return json.loads((folder / name).read_text())


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def counting_game(counting):
    Path("counting.yaml").write_text(
        "env: counting\nenv_args: {seed: null, fail_at: null}\ntest_nepisode: 4\n"
    )
    return "counting.yaml"


def test_a_run(capsys):
    folder, metrics = run("t_max=50", "seed=3")
    assert record(folder, "run.json")["status"] == "COMPLETED"
    config = record(folder, "config.json")
    assert (config["seed"], config["env_args"]["seed"]) == (3, 3)
    for key in ("loss", "grad_norm", "td_error_abs", "q_taken_mean", "target_mean"):
        assert all(type(value) is float for value in metrics[key])
        assert len(metrics[key]) == len(metrics[f"{key}_T"]) > 5
    # Episodes are one step long. First after the first, and a last one at the end.
    assert metrics["test_return_mean_T"] == [1, 21, 41, 51]
    assert metrics["episode_T"] == [20, 40, 51]
    console = capsys.readouterr().err
    assert "Recent Stats | t_env:         20 | Episode:       20" in console
    assert "Recent Stats" in (folder / "cout.txt").read_text()


@pytest.mark.parametrize("runner", ["episode", "parallel"])
@pytest.mark.parametrize("config", ["iql", "vdn", "qmix"])
def test_the_same_seed_twice(counting_game, config, runner):
    settings = ["t_max=60", "seed=5", f"runner={runner}"]
    settings += ["batch_size_run=2"] if runner == "parallel" else []
    metrics = [run(*settings, config=config, env=counting_game)[1] for _ in range(2)]
    assert metrics[0] == metrics[1]
    assert len(metrics[0]["loss"]) > 3
    other = run(*settings, "seed=6", config=config, env=counting_game)[1]
    assert other["loss"] != metrics[0]["loss"]


def test_a_seed_is_drawn_and_recorded():
    first, second = (record(run("t_max=1")[0], "config.json") for _ in range(2))
    assert first["seed"] != second["seed"]
    assert first["env_args"]["seed"] == first["seed"]


def test_checkpoints(capsys):
    saving = ["save_model=True", "save_model_interval=20"]
    trained = run("t_max=45", "seed=1", *saving)[1]["test_return_mean"][-1]
    [models] = Path("results/models").iterdir()
    assert models.name.startswith("qmix__")
    steps = {path.name for path in models.iterdir() if path.name.isdigit()}
    assert steps == {"1", "21", "41", "46"}
    names = {path.name for path in (models / "46").iterdir()}
    pymarls = {"agent.th", "mixer.th", "opt.th"}
    assert names == pymarls | {"target", "host.th", "manifest.json"}
    capsys.readouterr()

    loading = [f"checkpoint_path={models}", "seed=2"]
    metrics = run("evaluate=True", *loading)[1]
    assert "Loading model from" in capsys.readouterr().err
    assert (metrics["test_return_mean"], metrics["test_return_mean_T"]) == (
        [trained],
        [46],
    )
    assert "loss" not in metrics

    metrics = run("t_max=60", "load_step=20", *loading)[1]
    assert metrics["test_return_mean_T"] == [22, 42, 61]


def test_a_checkpoint_that_is_damaged(capsys):
    run("t_max=1", "save_model=True")
    [agent] = Path("results/models").glob("*/2/agent.th")
    agent.write_bytes(b"damaged")
    capsys.readouterr()
    checkpoint = f"checkpoint_path={agent.parent.parent}"
    assert main(command("evaluate=True", checkpoint)) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "agent.th: has 7 bytes instead of" in line
    assert latest().name == "1"  # nothing was written


@pytest.mark.parametrize(
    "changed, config",
    [("rnn_hidden_dim=9", "qmix"), ("mixing_embed_dim=9", "qmix"), ("seed=1", "vdn")],
)
def test_a_checkpoint_of_other_networks(capsys, changed, config):
    run("t_max=1", "save_model=True", config=config)
    [models] = Path("results/models").resolve().iterdir()
    capsys.readouterr()
    words = [changed, "evaluate=True", f"checkpoint_path={models}"]
    assert main(command(*words)) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: {models}/2") and "Traceback" not in line
    assert "of other networks" in line or "mixer.th" in line
    assert len(line) < 300  # not all of PyTorch's list


class DivergingEnv(CountingEnv):
    """Rewards that are no numbers from the tenth episode on."""

    def step(self, actions):
        reward, over, info = super().step(actions)
        return (float("nan") if self.episode >= 10 else reward), over, info


def test_a_loss_that_is_not_finite(counting_game, capsys, monkeypatch):
    monkeypatch.setitem(envs.REGISTRY, "counting", DivergingEnv)
    settings = ["t_max=1000", "seed=4", "batch_size=8"]
    assert main(command(*settings, env=counting_game)) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: loss is nan at environment step ")
    assert record(latest(), "run.json")["status"] == "FAILED"
    [saved] = Path("results/models").glob("*/*/agent.th")
    assert f"step {saved.parent.name};" in error
    metrics = run(
        "evaluate=True", f"checkpoint_path={saved.parent.parent}", env=counting_game
    )[1]
    assert len(metrics["test_return_mean"]) == 1


def test_a_failing_worker(counting_game, capsys):
    settings = ["runner=parallel", "batch_size_run=2", "env_args.fail_at=0"]
    assert main(command(*settings, env=counting_game)) == 1
    assert (
        "FileNotFoundError: the counting game lost its map" in capsys.readouterr().err
    )
    assert record(latest(), "run.json")["status"] == "FAILED"


def test_a_learner_file_written_for_pymarl():
    path = Path(__file__).parent / "written_for_pymarl" / "pymarl_style_learner.py"
    metrics = run("t_max=30", f"learner={path}:CountingLearner")[1]
    # Updates begin with the fourth of 31 episodes of one step.
    assert metrics["n_updates"] == list(range(1, 29))
    assert all(type(value) is float for value in metrics["n_updates"])


def test_code_that_ends_the_process(capsys):
    """It is a run that failed, whatever exit code was meant."""
    text = "from learners.q_learner import QLearner\n\nclass Ends(QLearner):\n"
    Path("ends.py").write_text(
        text + "    def train(self, *args): raise SystemExit(0)\n"
    )
    assert main(command("t_max=30", "learner=ends.py:Ends")) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == "error: the run was ended by SystemExit: 0 (ends.py, line 4)"
    assert record(latest(), "run.json")["status"] == "FAILED"


def test_updates_per_rollout():
    path = Path(__file__).parent / "written_for_pymarl" / "pymarl_style_learner.py"
    settings = ["t_max=30", "training_iters=3", f"learner={path}:CountingLearner"]
    assert run(*settings)[1]["n_updates"][-1] == 3 * 28


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_interruption(name):
    """By signal: workers end, sacred says INTERRUPTED, metrics are on disk."""
    settings = ["t_max=100000000", "seed=1", "runner=parallel", "batch_size_run=2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "wqmix.host", *command(*settings)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        # Background jobs of a shell ignore Ctrl-C; a terminal's do not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        start_new_session=True,
    )
    for line in process.stderr:
        if "Recent Stats" in line:
            break
    # As a terminal does, to the whole group; as a scheduler does, to the process.
    (os.killpg if name == signal.SIGINT else os.kill)(process.pid, name)
    process.stderr.read()
    assert process.wait(timeout=60) == 128 + name
    assert record(latest(), "run.json")["status"] == "INTERRUPTED"
    assert record(latest(), "info.json")["return_mean"]
    with pytest.raises(ProcessLookupError):  # nobody of its group is left
        for _ in range(50):
            os.killpg(process.pid, 0)
            time.sleep(0.1)


def test_runpy_as_the_launcher_does():
    script = (
        "import runpy, sys\n"
        f"sys.argv = ['main.py', *{command('t_max=5', 'seed=1')!r}]\n"
        "runpy.run_module('wqmix.host.main', run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert record(latest(), "run.json")["status"] == "COMPLETED"


def test_tensorboard(tmp_path, monkeypatch):
    """Every statistic goes there too; a stand-in takes the place of tensorboardX."""
    (tmp_path / "tensorboardX.py").write_text(
        "class SummaryWriter:\n"
        "    def __init__(self, folder):\n"
        "        import os\n"
        "        os.makedirs(folder)\n"
        "        self.file = open(os.path.join(folder, 'events'), 'w')\n"
        "    def add_scalar(self, key, value, t):\n"
        "        print(key, value, t, file=self.file)\n"
        "    def close(self):\n"
        "        self.file.close()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorboardX", raising=False)
    metrics = run("t_max=5", "seed=1", "use_tensorboard=True")[1]
    del sys.modules["tensorboardX"]  # the stand-in, which other tests must not find
    [events] = Path("results/tb_logs").glob("qmix__*/events")
    lines = events.read_text().splitlines()
    assert f"loss {metrics['loss'][0]} {metrics['loss_T'][0]}" in lines


def test_wandb(tmp_path, monkeypatch):
    """Every statistic goes there too; a stand-in takes the place of wandb."""
    wandb_stand_in.write(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    metrics = run("t_max=5", "seed=1", "use_wandb=True", "wandb_team=us")[1]
    del sys.modules["wandb"]  # the stand-in, which other tests must not find
    begun, *logged, ended = wandb_stand_in.lines(Path("results"))
    begun = begun["init"]
    assert (begun["project"], begun["entity"]) == ("wqmix", "us")
    assert begun["mode"] == "offline" and begun["config"]["t_max"] == 5
    loss = {"loss": metrics["loss"][0], "t_env": metrics["loss_T"][0]}
    assert loss in logged and ended == {"exit_code": 0}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_real_wandb_offline():
    pytest.importorskip("wandb", exc_type=ImportError)
    words = command("t_max=5", "seed=1", "use_wandb=True")
    done = subprocess.run(
        [sys.executable, "-m", "wqmix.host.main", *words],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    [record_of_run] = Path("results/wandb").glob("offline-run-*/run-*.wandb")
    assert b"test_return_mean" in record_of_run.read_bytes()


def test_networks_that_no_memory_holds(capsys):
    assert main(command("rnn_hidden_dim=100_000_000_000", config="iql")) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: there is not the memory for these settings")
