"""Reading files of tensors as data only: they must not be able to run code.

PyTorch's own messages are not passed on: they are long, and those about code advise to
read it all the same.
"""

from __future__ import annotations

import inspect
import pickle
import re
import warnings
from types import SimpleNamespace
from typing import Any, Dict

import torch

from . import Refused
from .files import Path, open_regular

_KNOWN_TO_TORCH = "weights_only" in inspect.signature(torch.load).parameters
_LONGEST = 160
# As PyTorch words it: in `load` of code, in `load_state_dict` of other networks.
_CODE = re.compile(r"GLOBAL ([\w.]+)|([\w.]+) is not allowed in a checkpoint")
_SIZES = re.compile(
    r"size mismatch for (\S+): .*?torch\.Size\(\[(.*?)\]\).*?torch\.Size\(\[(.*?)\]\)"
)
_KEYS = re.compile(r"(Missing|Unexpected) key\(s\) in state_dict: (.*)")
_ALLOWED = {
    ("collections", "OrderedDict"),
    ("torch", "Size"),
    ("torch", "device"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch._utils", "_rebuild_tensor_v2"),
}


class TensorUnpickler(pickle.Unpickler):
    """Builds tensors and plain containers, and refuses every other class.

    For releases of torch whose `load` has no `weights_only` (before 1.13).
    """

    def find_class(self, module: str, name: str) -> Any:
        is_storage = module == "torch" and name.endswith("Storage")
        if is_storage or (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint")


RESTRICTED_PICKLE = SimpleNamespace(
    __name__="restricted_pickle",
    Unpickler=TensorUnpickler,
    load=lambda file, **kwargs: TensorUnpickler(file, **kwargs).load(),
)


def load(path: Path) -> Any:
    """Read a file of tensors, plain containers and numbers onto the CPU.

    Raises:
        Refused: the file is absent, broken, or holds anything else.
    """
    safe: Dict[str, Any] = {"pickle_module": RESTRICTED_PICKLE}
    if _KNOWN_TO_TORCH:
        safe = {"weights_only": True}
    try:
        with open_regular(path) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd pickles, which are refused
            return torch.load(stream, map_location="cpu", **safe)
    except Exception as error:  # whatever a broken file makes of the reader
        reason = _why_not_read(error)
        raise Refused(f"{path}: cannot be read as tensors ({reason})") from error


def _why_not_read(error: Exception) -> str:
    named = _CODE.search(str(error))
    if named is not None:
        return f"it names code, {named[1] or named[2]}, which is never run"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, pickle.UnpicklingError):
        return "it holds more than tensors, numbers, text and their containers"
    if isinstance(error, RuntimeError):
        return str(error).strip().splitlines()[0][:_LONGEST]
    return f"damaged, or not of PyTorch's form: {type(error).__name__}"


def what_differs(error: BaseException) -> str:
    """Say in a few words why PyTorch does not load a state into a network.

    Args:
        error: what `load_state_dict` raised.

    Returns:
        The first difference, and how many more there are.
    """
    found = [
        f"{name} is [{there}] in it, [{here}] here"
        for name, there, here in _SIZES.findall(str(error))
    ]
    for what, keys in _KEYS.findall(str(error)):
        place = "not in it" if what == "Missing" else "in it, not here"
        found += [f"{key} is {place}" for key in re.findall(r'"(.*?)"', keys)]
    if not found:
        return " ".join((str(error) or type(error).__name__).split())[:_LONGEST]
    return found[0] + (f", {len(found) - 1} more" if len(found) > 1 else "")
