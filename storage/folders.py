"""Folders that appear at once, complete and on disk, or not at all."""

import os
import shutil
import time
from contextlib import contextmanager

from . import manifest

PARTIAL, REPLACED = ".partial", ".replaced"
ABANDONED = 3600  # seconds after which a partial folder is nobody's any more


@contextmanager
def writing(path, **facts):
    """A temporary folder, which becomes `path` once the `with` block has ended well.

    It gets a manifest with `facts`. Whenever this process is killed, either what was
    at `path` before or the new folder can be had: there, or restored by `settle`.
    """
    path = os.path.abspath(path)
    settle(path)
    tidy(os.path.dirname(path))
    partial = path + PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    try:
        yield partial
        manifest.write(partial, facts)
        _put(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove(path):
    """Delete a folder; if killed meanwhile, no half of it stays under its name."""
    partial = os.path.abspath(path) + PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    os.rename(path, partial)
    shutil.rmtree(partial)


def settle(path):
    """Finish or undo a replacement of `path` that was cut short."""
    replaced = path + REPLACED
    if not os.path.isdir(replaced):
        return
    if _has_content(path):
        shutil.rmtree(replaced, ignore_errors=True)
    else:
        _rename(replaced, path)


def tidy(folder, age=ABANDONED):
    """Delete partial folders left by killed processes, `age` seconds ago or longer."""
    if not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.endswith(PARTIAL) and _age(path) >= age:
            shutil.rmtree(path, ignore_errors=True)


def _put(new, path):
    """Put folder `new` in the place of `path`, which may exist."""
    if _has_content(path):
        os.rename(path, path + REPLACED)
    _rename(new, path)
    manifest.sync_folder(os.path.dirname(path))
    shutil.rmtree(path + REPLACED, ignore_errors=True)


def _rename(source, path):
    if os.path.isdir(path):  # a host makes the folder before it asks for the files
        os.rmdir(path)
    os.rename(source, path)


def _has_content(path):
    return os.path.isdir(path) and bool(os.listdir(path))


def _age(path):
    try:
        return time.time() - os.path.getmtime(path)
    except OSError:
        return 0  # gone meanwhile
