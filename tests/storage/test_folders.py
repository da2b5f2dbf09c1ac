"""Folders that appear at once or not at all, and what they say of themselves."""

from __future__ import annotations

import json
import os

import pytest

from wqmix.storage import Refused, folders, manifest


def write(path, text, **facts):
    with folders.writing(str(path), **facts) as partial:
        with open(os.path.join(partial, "a.th"), "w") as stream:
            stream.write(text)


def read(path):
    manifest.verify(str(path))
    return (path / "a.th").read_text()


def test_a_folder_and_its_manifest(tmp_path):
    write(tmp_path / "1", "abc", t_env=7, config={"lr": 0.1, "t_max": 5, "f": print})
    body = manifest.verify(str(tmp_path / "1"))
    assert body["format"] == 1 and body["t_env"] == 7
    sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert body["files"] == {"a.th": {"bytes": 3, "sha256": sha}}  # FIPS 180-2's "abc"
    assert body["config"] == {"lr": 0.1}  # of plain types, and of those what matters
    assert set(body["versions"]) == {"wqmix", "python", "torch", "numpy"}


def test_a_setting_that_older_runs_lack_is_what_they_did():
    older = manifest.identity({"seed": 1})
    assert manifest.identity({"seed": 1, "optimizer": "rmsprop"}) == older
    assert manifest.identity({"seed": 1, "optimizer": "adam"}) != older


def test_identity_and_digest():
    one = manifest.identity({"seed": 1, "t_max": 9, "name": "x", "shape": (2, 3)})
    assert one == {"seed": 1, "shape": [2, 3]}
    same = manifest.identity({"shape": [2, 3], "test_interval": 5, "seed": 1})
    assert manifest.digest(one) == manifest.digest(same)
    other = manifest.identity({"seed": 2, "shape": [2, 3]})
    assert manifest.digest(one) != manifest.digest(other)
    kept = manifest.identity({"target_update_interval": 200})
    assert kept == {"target_update_interval": 200}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", range(6))
def test_killed_at_any_moment_of_a_replacement(tmp_path, monkeypatch, moment):
    """At each call that changes the disk: the former or the new folder, never none."""
    write(tmp_path / "1", "former")
    calls = iter(range(100))

    def counted(function):
        def call(*args, **kwargs):
            if next(calls) >= moment:
                raise Killed
            return function(*args, **kwargs)

        return call

    for owner, name in (
        (os, "rename"),
        (os, "makedirs"),
        (folders.manifest, "write"),
        (folders.shutil, "rmtree"),  # from then on nothing is cleaned up, as if killed
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    with pytest.raises(Killed):
        write(tmp_path / "1", "new")
    monkeypatch.undo()
    folders.settle(str(tmp_path / "1"))
    assert read(tmp_path / "1") in ("former", "new")
    write(tmp_path / "1", "newer")
    assert read(tmp_path / "1") == "newer"
    assert os.listdir(tmp_path) == ["1"]


def test_the_gap_between_two_renames(tmp_path):
    write(tmp_path / "1", "former")
    os.rename(tmp_path / "1", tmp_path / "1.replaced")
    os.makedirs(tmp_path / "1")  # the host again, before it asks for the files
    folders.settle(str(tmp_path / "1"))
    assert read(tmp_path / "1") == "former"


def test_leftovers_are_cleaned_up_when_old(tmp_path):
    for name, age in (("old.partial", 3601), ("young.partial", 10), ("other", 9999)):
        (tmp_path / name).mkdir()
        then = os.stat(tmp_path).st_mtime - age
        os.utime(tmp_path / name, (then, then))
    write(tmp_path / "1", "abc")
    assert sorted(os.listdir(tmp_path)) == ["1", "other", "young.partial"]


def test_removed_at_once(tmp_path, monkeypatch):
    write(tmp_path / "1", "abc")

    def killed(path, **_):
        if os.path.isdir(path):
            raise Killed

    monkeypatch.setattr(folders.shutil, "rmtree", killed)
    with pytest.raises(Killed):
        folders.remove(str(tmp_path / "1"))
    assert not (tmp_path / "1").exists()


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "not a manifest"),
        (b"[1, 2]", "not a manifest"),
        (b"[" * 100_000, "not a manifest"),
        (b'{"sha256": "0", "files": {}}', "is damaged"),
        (b"\xff\xfe", "not a manifest"),
    ],
)
def test_what_is_no_manifest(tmp_path, content, reason):
    write(tmp_path / "1", "abc")
    (tmp_path / "1" / "manifest.json").write_bytes(content)
    with pytest.raises(Refused, match=f"manifest.json: {reason}"):
        manifest.verify(str(tmp_path / "1"))


def test_another_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "FORMAT", 2)
    write(tmp_path / "1", "abc")
    monkeypatch.undo()
    with pytest.raises(Refused, match="is of format 2, this version knows 1"):
        manifest.verify(str(tmp_path / "1"))


def test_spaces_count_too(tmp_path):
    write(tmp_path / "1", "abc")
    file = tmp_path / "1" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text())))
    with pytest.raises(Refused, match="its checksum differs"):
        manifest.verify(str(tmp_path / "1"))


def test_files_are_all_there_and_no_others(tmp_path):
    write(tmp_path / "1", "abc")
    (tmp_path / "1" / "b.th").write_text("b")
    with pytest.raises(Refused, match="b.th: is not in the manifest"):
        manifest.verify(str(tmp_path / "1"))
    os.remove(tmp_path / "1" / "b.th")
    (tmp_path / "1" / "a.th").write_text("abd")
    with pytest.raises(Refused, match="a.th: is damaged"):
        manifest.verify(str(tmp_path / "1"))
    os.remove(tmp_path / "1" / "a.th")
    with pytest.raises(Refused, match="incomplete, a.th is missing"):
        manifest.verify(str(tmp_path / "1"))


def test_no_manifest_is_no_error(tmp_path):
    assert manifest.verify(str(tmp_path)) is None
