"""`manifest.json`: what a checkpoint folder holds, and what it was made with."""

import hashlib
import json
import os
import platform

import numpy
import torch

from . import Refused
from .files import open_regular
from .settings import ADDED, FREE

NAME = "manifest.json"
FORMAT = 1


def write(folder, facts):
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
    path = os.path.join(folder, NAME)
    with open(path, "wb") as stream:
        stream.write(_sealed(body))
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(folder)


def read(folder):
    """The folder's manifest, itself intact; None if there is none.

    Raises:
        Refused: it is not a manifest as it was written.
    """
    path = os.path.join(folder, NAME)
    try:
        with open_regular(path) as stream:
            content = stream.read()
        body = json.loads(content.decode("utf-8"))
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
    return body


def verify(folder):
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


def check(path, expected):
    """Hold a file against what `describe` said of it; Refused if it differs."""
    try:
        found = os.path.getsize(path)
        if found != expected["bytes"]:
            raise Refused(f"{path}: has {found} bytes instead of {expected['bytes']}")
        if sha256(path) != expected["sha256"]:
            raise Refused(f"{path}: is damaged, its checksum differs")
    except (OSError, KeyError, TypeError) as error:
        raise Refused(f"{path}: cannot be checked ({_reason(error)})") from error


def sha256(path):
    """A file's SHA-256, in hexadecimal digits."""
    found = hashlib.sha256()
    with open_regular(path) as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()


def identity(config):
    """The settings, of plain types, that make a run another run if they change."""
    return {
        key: plain
        for key, value in sorted(config.items())
        for plain in [_plain(value)]
        if key not in FREE and plain is not _NOT_PLAIN and ADDED.get(key) != plain
    }


def digest(settings):
    """A short name for `identity(config)`."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def sync_folder(folder):
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


def _plain(value):
    """The value as JSON has it, or `_NOT_PLAIN`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return _NOT_PLAIN if _NOT_PLAIN in items else items
    if isinstance(value, dict):
        items = {str(key): _plain(item) for key, item in value.items()}
        return _NOT_PLAIN if _NOT_PLAIN in items.values() else items
    return _NOT_PLAIN


def _describe(path):
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())
    return {"bytes": os.path.getsize(path), "sha256": sha256(path)}


def _names(folder):
    """The files in the folder, and in folders of it, but the manifest."""
    found = []
    for parent, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(parent, n), folder) for n in names]
    return sorted(name.replace(os.sep, "/") for name in found if name != NAME)


def _sealed(body):
    """The manifest's bytes, with a checksum of all that it says."""
    text = json.dumps(body, sort_keys=True)
    seal = hashlib.sha256(text.encode("utf-8")).hexdigest()
    sealed = json.dumps({**body, "sha256": seal}, sort_keys=True, indent=1)
    return (sealed + "\n").encode("utf-8")


def _own_version():
    from importlib import metadata

    try:
        return metadata.version("pymarl-wqmix")
    except metadata.PackageNotFoundError:
        return "not installed"


def _reason(error):
    return " ".join((str(error) or type(error).__name__).split())[:200]
