"""`manifest.json`: what a checkpoint folder holds, and what it was made with."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from typing import Any, Dict, List, Mapping, Optional

import numpy
import torch

from . import Refused
from .files import create, open_regular
from .settings import ADDED, FREE

NAME = "manifest.json"
FORMAT = 1
_LARGEST = 50_000_000
_SUM = {"bytes": int, "sha256": str}
_FORM = {"files": {str: _SUM}, "config": dict, "config_digest": str}
# What the embedded host adds: of a checkpoint that a run can go on from.
_EPISODES = {**_SUM, "name": str, "first": int, "last": int}
_ADDED = {"t_env": int, "buffer": [_EPISODES], "line": [[int]]}


def write(folder: str, facts: Mapping[str, Any]) -> None:
    """Describe the folder's files in its manifest; everything is on disk afterwards.

    Args:
        folder: a folder of files, which may hold an older manifest.
        facts: more to note; of its `config` only what makes a run another run.
    """
    facts = {**facts, "config": identity(facts.get("config", {}))}
    files = {name: _describe(os.path.join(folder, name)) for name in _names(folder)}
    body = {
        **facts,
        "format": FORMAT,
        "config_digest": digest(facts["config"]),
        "files": files,
        "versions": {
            "wqmix": _own_version(),
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": numpy.__version__,
        },
    }
    _put(os.path.join(folder, NAME), body)
    sync_folder(folder)


def note(folder: str, **facts: Any) -> None:
    """Change facts in the manifest of a folder that stays as it is; all or nothing."""
    before = read(folder)
    if before is None:
        raise Refused(f"{folder}: has no {NAME}")
    body = {**before, **facts}
    partial = os.path.join(os.path.dirname(folder), f"{NAME}.partial")
    _put(partial, body)
    os.replace(partial, os.path.join(folder, NAME))
    sync_folder(folder)


def _put(path: str, body: Mapping[str, Any]) -> None:
    with create(path) as stream:
        stream.write(_sealed(body))
        stream.flush()
        os.fsync(stream.fileno())


def read(folder: str) -> Optional[Dict[str, Any]]:
    """The folder's manifest, itself intact; None if there is none.

    Raises:
        Refused: it is not a manifest as it was written.
    """
    path = os.path.join(folder, NAME)
    try:
        with open_regular(path) as stream:
            content = stream.read(_LARGEST)
        body: Dict[str, Any] = json.loads(content.decode("utf-8"))
        del body["sha256"]
        is_intact = content == _sealed(body)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise Refused(f"{path}: not a manifest ({_reason(error)})") from error
    if not is_intact:
        raise Refused(f"{path}: is damaged, its checksum differs")
    if body.get("format") != FORMAT:
        version = body.get("format")
        raise Refused(f"{path}: is of format {version!r}, this version knows {FORMAT}")
    known = {**_FORM, **{key: _ADDED[key] for key in _ADDED if key in body}}
    for key, form in known.items():
        if not _has_form(body.get(key), form):
            raise Refused(f"{path}: not a manifest ({key} is missing, or of no use)")
    return body


def verify(folder: str) -> Optional[Dict[str, Any]]:
    """Hold every file of the folder against its manifest.

    Returns:
        The manifest; None if there is none.

    Raises:
        Refused: a file is absent, damaged, or not in the manifest.
    """
    body = read(folder)
    if body is None:
        return None
    files, present = body["files"], _names(folder)
    for name in sorted(set(files) - set(present)):
        raise Refused(f"{folder}: incomplete, {name} is missing")
    for name in present:
        path = os.path.join(folder, name)
        if name not in files:
            raise Refused(f"{path}: is not in the manifest of its folder")
        check(path, files[name])
    return body


def check(path: str, expected: Mapping[str, Any]) -> None:
    """Hold a file against what `describe` said of it; Refused if it differs."""
    try:
        found = os.path.getsize(path)
        if found != expected["bytes"]:
            raise Refused(f"{path}: has {found} bytes instead of {expected['bytes']}")
        if sha256(path) != expected["sha256"]:
            raise Refused(f"{path}: is damaged, its checksum differs")
    except (OSError, KeyError, TypeError) as error:
        raise Refused(f"{path}: cannot be checked ({_reason(error)})") from error


def sha256(path: str) -> str:
    """A file's SHA-256, in hexadecimal digits."""
    found = hashlib.sha256()
    with open_regular(path) as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()


def identity(config: Mapping[str, Any]) -> Dict[str, Any]:
    """The settings, of plain types, that make a run another run if they change."""
    return {
        key: plain
        for key, value in sorted(config.items())
        for plain in [_plain(value)]
        if key not in FREE and plain is not _NOT_PLAIN and ADDED.get(key) != plain
    }


def digest(settings: Mapping[str, Any]) -> str:
    """A short name for `identity(config)`."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def sync_folder(folder: str) -> None:
    """Put the folder's list of names on disk."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # Windows, where folders cannot be opened
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_NOT_PLAIN = object()


def _has_form(value: Any, form: Any) -> bool:
    """Whether a value is of a type, a list of such, or a mapping with such entries."""
    if isinstance(form, list):
        return isinstance(value, list) and all(_has_form(v, form[0]) for v in value)
    if not isinstance(form, dict):
        return isinstance(value, form)
    if not isinstance(value, dict):
        return False
    if str in form:  # any keys
        return all(_has_form(each, form[str]) for each in value.values())
    return all(_has_form(value.get(key), form[key]) for key in form)


def _plain(value: Any) -> Any:
    """The value as JSON has it, or `_NOT_PLAIN`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return _NOT_PLAIN if _NOT_PLAIN in items else items
    if isinstance(value, dict):
        entries = {str(key): _plain(item) for key, item in value.items()}
        return _NOT_PLAIN if _NOT_PLAIN in entries.values() else entries
    return _NOT_PLAIN


def _describe(path: str) -> Dict[str, Any]:
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())
    return {"bytes": os.path.getsize(path), "sha256": sha256(path)}


def _names(folder: str) -> List[str]:
    """The files in the folder, and in folders of it, but the manifest."""
    found = []
    for parent, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(parent, n), folder) for n in names]
    return sorted(name.replace(os.sep, "/") for name in found if name != NAME)


def _sealed(body: Mapping[str, Any]) -> bytes:
    """The manifest's bytes, with a checksum of all that it says."""
    text = json.dumps(body, sort_keys=True)
    seal = hashlib.sha256(text.encode("utf-8")).hexdigest()
    sealed = json.dumps({**body, "sha256": seal}, sort_keys=True, indent=1)
    return (sealed + "\n").encode("utf-8")


def _own_version() -> str:
    from importlib import metadata

    try:
        return metadata.version("pymarl-wqmix")
    except metadata.PackageNotFoundError:
        return "not installed"


def _reason(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:200]
