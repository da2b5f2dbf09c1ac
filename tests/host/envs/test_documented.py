"""The environment and the code of the documentation, as they are written there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"


def blocks(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def run(folder, *words):
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_environment_of_20_lines_checks_and_trains(tmp_path):
    (code,) = blocks("environments.md")
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 20
    (tmp_path / "my_game.py").write_text(code)
    ended = run(tmp_path, "-m", "wqmix", "check-env", "my_game.py:Meet")
    assert ended.returncode == 0 and "nothing wrong" in ended.stdout, ended.stdout
    words = ["--config=cw_qmix", "--env-config=custom", "with", "t_max=60"]
    words += ["env_args.entry_point=my_game.py:Meet", "env_args.options.size=12"]
    ended = run(tmp_path, "-m", "wqmix", *words, "batch_size=4", "test_nepisode=2")
    assert ended.returncode == 0, ended.stderr
    words = ["--config=cw_qmix", "--env-config=my_game.py", "with", "t_max=60"]
    words.append("env_args.options.size=12")
    ended = run(tmp_path, "-m", "wqmix", *words, "batch_size=4", "test_nepisode=2")
    assert ended.returncode == 0, ended.stderr
    assert "test_return_mean" in ended.stderr


@pytest.mark.slow
def test_the_page_s_environment_can_be_learned(tmp_path, monkeypatch):
    """Both go towards each other: 10 less 0.1 for each step that it takes."""
    import wqmix

    (code,) = blocks("environments.md")
    namespace = {"__name__": "documented"}
    exec(code, namespace)
    settings = {"epsilon_anneal_time": 1000, "lr": 0.002, "batch_size": 16}
    with wqmix.get_runner(
        "qmix", namespace["Meet"], seed=1, use_cuda=False, **settings
    ) as runner:
        before = runner.evaluate(40)["return_mean"]
        runner.play(300)
        assert runner.evaluate(40)["return_mean"] > max(9, before)


def test_the_python_page_s_code_runs(tmp_path):
    """A tenth of its steps."""
    first, second = blocks("python.md")
    code = first + "print(stats['test_return_mean'][-1])\n" + second
    script = tmp_path / "page.py"
    script.write_text(code.replace("t_max=3000", "t_max=300").replace("1500", "150"))
    ended = run(tmp_path, str(script))
    assert ended.returncode == 0, ended.stderr
    assert "t_env  test_return_mean" in ended.stdout
    assert ended.stdout.splitlines()[0].startswith("(301, ")
    assert (tmp_path / "kept" / "151").is_dir()
