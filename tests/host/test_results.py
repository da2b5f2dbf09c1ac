"""What sacred's files cost, and that they are always whole."""

import datetime
import json

import pytest

from wqmix.host.utils import results
from wqmix.host.utils.results import ResultsObserver

NOW = datetime.datetime(2020, 1, 1)


class Clock:
    """Time that passes when told to; `save` says what writing takes."""

    def __init__(self):
        self.now = 100.0
        self.spent = 0.0

    def monotonic(self):
        return self.now

    def thread_time(self):
        return self.spent


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(results, "time", clock)
    return clock


@pytest.fixture
def observer(tmp_path, clock):
    observer = ResultsObserver.create(str(tmp_path))
    observer.dir = str(tmp_path)
    observer.run_entry = {}
    return observer


def beat(observer, info):
    observer.heartbeat_event(info, "", NOW, None)


def written(tmp_path):
    return json.loads((tmp_path / "info.json").read_text())


def test_writing_takes_a_bounded_share_of_the_time(observer, clock, tmp_path):
    write = json.dump

    def slow(*args, **kwargs):
        clock.spent += 0.1  # of the processor, for each file
        return write(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json, "dump", slow)
        seen = []
        for n in range(1, 13):
            beat(observer, {"loss": list(range(n))})
            seen.append(len(written(tmp_path)["loss"]))
            clock.now += 10
    # 0.1 s at 1/500 of the time: once in 50 s, of beats 10 s apart.
    assert seen == [1] * 5 + [6] * 5 + [11] * 2


@pytest.mark.parametrize("end", ["completed", "interrupted", "failed"])
def test_the_end_writes_what_is_pending(observer, clock, tmp_path, end):
    beat(observer, {"loss": [1.0]})
    observer._info_cost = 1.0
    info = {"loss": [1.0, 2.0]}
    beat(observer, info)
    assert written(tmp_path) == {"loss": [1.0]}
    info["loss"].append(3.0)
    getattr(observer, f"{end}_event")(NOW, "result")
    assert written(tmp_path) == {"loss": [1.0, 2.0, 3.0]}
    assert "stop_time" in json.loads((tmp_path / "run.json").read_text())


def test_a_write_that_fails_leaves_the_last_file_whole(
    observer, clock, tmp_path, monkeypatch
):
    beat(observer, {"loss": [1.0]})

    def full(content, file, **options):
        file.write('{"loss": [')
        raise OSError("no space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OSError):
        observer.save_json({"loss": [1.0, 2.0]}, "info.json")
    assert written(tmp_path) == {"loss": [1.0]}


def test_a_disk_that_fills_up_is_told_once(observer, clock, tmp_path, monkeypatch):
    """A heartbeat that cannot write ends nothing; later ones write."""
    said = []
    monkeypatch.setattr(
        results.get_logger(), "error", lambda *words: said.append(words)
    )
    beat(observer, {"loss": [1.0]})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json, "dump", full)
        for n in (2, 3):
            clock.now += 10
            beat(observer, {"loss": [1.0] * n})
        observer.interrupted_event(NOW, "INTERRUPTED")
    assert len(said) == 1 and "No space left" in said[0][0] % said[0][1:]
    assert written(tmp_path) == {"loss": [1.0]}
    observer.completed_event(NOW, "result")
    assert written(tmp_path) == {"loss": [1.0] * 3}
