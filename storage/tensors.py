"""Reading files of tensors as data only: they must not be able to run code."""

import inspect
import pickle
from types import SimpleNamespace

import torch

from . import Refused
from .files import open_regular

_KNOWN_TO_TORCH = "weights_only" in inspect.signature(torch.load).parameters
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

    def find_class(self, module, name):
        is_storage = module == "torch" and name.endswith("Storage")
        if is_storage or (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint")


RESTRICTED_PICKLE = SimpleNamespace(
    __name__="restricted_pickle",
    Unpickler=TensorUnpickler,
    load=lambda file, **kwargs: TensorUnpickler(file, **kwargs).load(),
)


def load(path):
    """Read a file of tensors, plain containers and numbers onto the CPU.

    Raises:
        Refused: the file is absent, broken, or holds anything else.
    """
    if _KNOWN_TO_TORCH:
        safe = {"weights_only": True}
    else:
        safe = {"pickle_module": RESTRICTED_PICKLE}
    try:
        with open_regular(path) as stream:
            return torch.load(stream, map_location="cpu", **safe)
    except Exception as error:  # whatever a broken file makes of the reader
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Refused(f"{path}: cannot be read as tensors ({reason})") from error
