"""A run that is resumed ends as the one that was never interrupted."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch as th

from wqmix.host.main import main
from wqmix.host.utils import buffer_files, checkpoints, random_state
from wqmix.storage import manifest, tensors

from .test_main import command, latest, record, run

SAVING = ["save_model=True", "save_model_interval=15", "save_buffer=True", "seed=3"]
PREY = ["env_args.world_shape=[4,4]", "env_args.n_agents=2", "env_args.n_prey=1"]
PREY += ["env_args.episode_limit=5", "test_nepisode=2"]
RUNNERS = {
    "episode": ["runner=episode"],
    "parallel": ["runner=parallel", "batch_size_run=2"],
    "vector": ["runner=vector", "batch_size_run=2"],
    "everything": [
        *("use_per=True", "per_beta=1", "lr_anneal_time=100", "td_lambda=0.5"),
        *("standardise_rewards=True", "standardise_returns=True"),
        *("target_update_interval_or_tau=7", "use_layer_norm=True"),
    ],
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def prey(*settings):
    return command(*PREY, *SAVING, *settings, env="predator_prey")


def final(results):
    """The last checkpoint's tensors and statistics, but for where they were saved."""
    [folder] = Path(results, "models").iterdir()
    last = folder / str(checkpoints.steps_in(str(folder))[-1])
    files = sorted(str(path.relative_to(last)) for path in last.rglob("*.th"))
    return last.name, {name: flat(tensors.load(str(last / name))) for name in files}


def flat(value):
    """Nested containers as text and exact numbers, comparable by `==`."""
    if th.is_tensor(value):
        return value.tolist()
    if isinstance(value, dict):
        return {key: flat(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [flat(item) for item in value]
    return value


def metrics(results):
    runs = [path for path in Path(results, "sacred").iterdir() if path.name.isdigit()]
    return record(max(runs, key=lambda path: int(path.name)), "info.json")


@pytest.mark.parametrize("runner", RUNNERS)
def test_resumed_equals_uninterrupted(runner):
    words = [*RUNNERS[runner], "t_max=120", "test_interval=40"]
    assert main(prey(*words, "local_results_path=straight")) == 0
    again = ["auto_resume=True", "local_results_path=resumed"]
    assert main(prey(*RUNNERS[runner], "test_interval=40", "t_max=60", *again)) == 0
    # The end at 60 tested and logged once more: back to what was saved before it.
    [folder] = Path("resumed/models").iterdir()
    checkpoints.folders.remove(str(folder / str(checkpoints.steps_in(str(folder))[-1])))
    assert main(prey(*words, *again)) == 0
    assert final("resumed") == final("straight")
    assert metrics("resumed") == metrics("straight")
    assert len(metrics("straight")["loss"]) > 5


def test_explicit_resume_and_another_seed():
    main(prey("t_max=40"))
    [folder] = Path("results/models").iterdir()
    again = [f"checkpoint_path={folder}", "resume=True", "t_max=60"]
    assert main(prey(*again)) == 0
    assert [path.name for path in Path("results/models").iterdir()] == [folder.name]
    assert main(prey(*again, "seed=4")) == 2
    # Without a seed on the command line it is the checkpoint's.
    words = [word for word in prey(*again, "t_max=80") if word != "seed=3"]
    assert main(words) == 0
    assert record(latest(), "config.json")["seed"] == 3


@pytest.mark.parametrize(
    "words, said",
    [
        (["resume=True"], "resume needs a checkpoint_path"),
        (["auto_resume=True", "seed=1"], "auto_resume needs save_model=True"),
        (["auto_resume=True", "save_model=True"], "auto_resume needs a seed"),
    ],
)
def test_mistakes(words, said, capsys):
    assert main(command(*words)) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert not Path("results").exists()


def test_changed_settings_are_named(capsys):
    main(prey("t_max=20"))
    [folder] = Path("results/models").iterdir()
    capsys.readouterr()
    assert main(prey(f"checkpoint_path={folder}", "resume=True", "lr=0.1")) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "needs the same settings: lr is 0.1, was 0.0005" in line


def test_a_damaged_checkpoint_is_passed_over(capsys):
    main(prey("t_max=60"))
    [folder] = Path("results/models").resolve().iterdir()
    *_, before, last = checkpoints.steps_in(str(folder))
    agent = folder / str(last) / "agent.th"
    agent.write_bytes(agent.read_bytes()[:-1])
    capsys.readouterr()
    assert main(prey("t_max=60", "auto_resume=True")) == 0
    said = capsys.readouterr().err
    assert "agent.th: has" in said and f"Loading model from {folder}/{before}" in said


def test_without_the_buffer():
    """All but the buffer is as it was; updates wait for `batch_size` episodes."""
    main(prey("t_max=40", "save_buffer=False"))
    [folder] = Path("results/models").iterdir()
    step = checkpoints.steps_in(str(folder))[-1]
    saved = tensors.load(str(folder / str(step) / "host.th"))
    again = ["auto_resume=True", "save_buffer=False", f"t_max={step + 1}"]
    assert main(prey(*again)) == 0
    last = checkpoints.steps_in(str(folder))[-1]
    for name in ("agent.th", "mixer.th", "opt.th", "target/q_learner.th"):
        one, other = (tensors.load(str(folder / str(s) / name)) for s in (step, last))
        assert flat(one) == flat(other)  # one episode more, no update yet
    now = tensors.load(str(folder / str(last) / "host.th"))
    assert now["episode"] == saved["episode"] + 1
    for key, (steps, values) in saved["logger"].items():
        assert flat(now["logger"][key])[0][: len(steps)] == flat(steps)
        assert flat(now["logger"][key])[1][: len(steps)] == flat(values)


def test_what_is_kept():
    saving = ["save_model=True", "save_model_interval=10", "seed=1", "test_interval=10"]
    run("t_max=95", *saving, "keep_checkpoints=2")
    [folder] = Path("results/models").iterdir()
    steps = checkpoints.steps_in(str(folder))
    returns = [manifest.read(str(folder / str(s)))["test_return"] for s in steps]
    assert steps[-2:] == [91, 96] and len(steps) <= 3
    assert returns[0] >= max(returns)


def test_a_run_in_the_same_folder_is_refused(capsys):
    main(prey("t_max=20"))
    [folder] = Path("results/models").iterdir()
    hold = f"import fcntl; f = open({str(folder / '.lock')!r}, 'w')\n"
    hold += "fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    other.stdout.readline()
    assert main(prey("t_max=40", "auto_resume=True")) == 2
    assert "another run uses it" in capsys.readouterr().err.splitlines()[-1]
    other.communicate(b"\n")


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "wqmix.host", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    "runner", ["episode", pytest.param("vector", marks=pytest.mark.exhaustive)]
)
def test_killed_and_resumed(runner):
    """SIGKILL, three times; benchmarks/kill_and_resume.py does it more often."""
    words = [*RUNNERS[runner], "t_max=300", "save_model_interval=10"]
    assert main(prey(*words, "local_results_path=straight")) == 0
    again = prey(*words, "local_results_path=killed", "auto_resume=True")
    draw = random.Random(1)
    for _ in range(3):
        process = start(*again)
        for line in process.stderr:
            if "Saved models" in line:
                break
        time.sleep(draw.random() / 4)
        process.kill()
        process.communicate()
    assert main(again) == 0
    assert final("killed") == final("straight")
    assert metrics("killed") == metrics("straight")


def test_the_first_signal_saves_and_ends():
    process = start(*prey("t_max=100000000", "save_model=False"))
    for line in process.stderr:
        if "Recent Stats" in line:
            break
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "SIGTERM: the episode and its update are finished" in said
    assert record(latest(), "run.json")["status"] == "INTERRUPTED"
    [folder] = Path("results/models").iterdir()
    [step] = checkpoints.steps_in(str(folder))
    assert checkpoints.verify(str(folder / str(step)))["t_env"] == step


def test_a_full_disk_is_told_once_and_training_goes_on():
    """A limit on the size of files stands in for it, from the third save on."""
    script = (
        "import resource, sys\n"
        "from wqmix.host.utils import checkpoints\n"
        "from wqmix.host.main import main\n"
        "saves, save = [], checkpoints.RunFolder._save\n"
        "def limited(self, *args):\n"
        "    saves.append(1)\n"
        "    size = 2000 if len(saves) > 2 else resource.RLIM_INFINITY\n"
        "    hard = resource.RLIM_INFINITY\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))\n"
        "    try:\n"
        "        save(self, *args)\n"
        "    finally:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "checkpoints.RunFolder._save = limited\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = [sys.executable, "-c", script, *prey("t_max=100")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr[-3000:]
    assert done.stderr.count("cannot save a checkpoint") == 1
    assert done.stderr.splitlines()[-1].startswith("error: no checkpoint of the end is")
    assert "Traceback" not in done.stderr
    [folder] = Path("results/models").iterdir()
    steps = checkpoints.steps_in(str(folder))
    assert len(steps) == 2
    for step in steps:
        assert checkpoints.verify(str(folder / str(step)))
    assert not [name for name in os.listdir(folder) if name.endswith(".partial")]


def test_results_that_cannot_be_written_are_one_message(monkeypatch, capsys):
    def read_only(**_):
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr("wqmix.host.main.tempfile.TemporaryFile", read_only)
    assert main(command("t_max=5")) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("written in results/sacred (Read-only file system)")


def test_random_state():
    saved = json.loads(json.dumps(flat(random_state.state_dict())))
    state = random_state.state_dict()
    drawn = [random.random(), random.gauss(0, 1), np.random.normal(), th.rand(1).item()]
    random_state.load_state_dict(state)
    assert flat(random_state.state_dict()) == saved
    again = [random.random(), random.gauss(0, 1), np.random.normal(), th.rand(1).item()]
    assert drawn == again


def test_only_new_episodes_are_written(tmp_path):
    from .doubles import make_scheme
    from .test_components import ReplayBuffer, make_batch

    scheme, groups, preprocess = make_scheme()
    buffer = ReplayBuffer(scheme, groups, 6, 5, preprocess=preprocess)
    files = buffer_files.BufferFiles(str(tmp_path))

    def add(count):
        batch = make_batch(count, 5)
        numbers = buffer.episodes_added + np.arange(count)
        batch.update({"reward": numbers[:, None, None].repeat(5, 1)})
        buffer.insert_episode_batch(batch)

    spans = []
    for count in (4, 1, 4, 3):
        add(count)
        kept = files.save(buffer)
        spans.append([(file["first"], file["last"]) for file in kept])
        other = ReplayBuffer(scheme, groups, 6, 5, preprocess=preprocess)
        loader = buffer_files.BufferFiles(str(tmp_path))
        loader.check(kept)
        loader.load(other, kept, buffer.episodes_added)
        assert other.buffer_index == buffer.buffer_index
        for key, field in buffer.fields().items():
            assert th.equal(field, other.fields()[key]), key
    assert spans == [
        [(0, 4)],
        [(0, 4), (4, 5)],
        [(0, 4), (4, 5), (5, 9)],
        [(5, 9), (9, 12)],
    ]
    (tmp_path / "notes.txt").write_text("mine")
    names = {file["name"] for file in kept}
    files.remove({*os.listdir(tmp_path)} - names - {"notes.txt"})
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "notes.txt"])
