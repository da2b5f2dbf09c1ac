"""Why a file is not read as tensors, or a state does not fit: short, in our words."""

from __future__ import annotations

import argparse
import pickle

import pytest
import torch
from torch import nn

from wqmix.storage import Refused, tensors


class Bomb:
    """Raises when it is unpickled."""

    def __reduce__(self):
        return exit, (1,)


@pytest.mark.parametrize(
    "content, part",
    [
        (Bomb(), r"it names code, (builtins|_sitebuiltins)\S*, which is never run"),
        (argparse.Namespace(a=1), "it names code, argparse.Namespace, which is never"),
        (nn.Linear(1, 1), "it names code, torch.nn.modules.linear.Linear, which"),
        (pickle.dumps(Bomb()), "it holds more than tensors|it names code"),
        (b"text", "damaged, or not of PyTorch's form: |it holds more than tensors"),
        (b"", "damaged, or not of PyTorch's form: EOFError"),
        (None, "No such file or directory"),
    ],
)
@pytest.mark.parametrize("has_safe_load", [True, False])
def test_no_advice_to_read_it_all_the_same(
    tmp_path, monkeypatch, recwarn, content, part, has_safe_load
):
    monkeypatch.setattr(tensors, "_KNOWN_TO_TORCH", has_safe_load)
    if not has_safe_load:  # as the older releases that have none
        load = torch.load
        monkeypatch.setattr(
            torch, "load", lambda *args, **safe: load(*args, weights_only=False, **safe)
        )
    path = tmp_path / "agent.th"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(Refused, match=part) as refused:
        tensors.load(path)
    told = str(refused.value)
    assert "weights_only" not in told and "trust" not in told and "\n" not in told
    assert len(told) < len(str(path)) + 150
    assert not len(recwarn)


def test_the_first_difference_and_how_many_more():
    """Of Linear(2, 3), Linear(3, 1) in Linear(2, 4): two sizes, and two keys."""
    two = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    one = nn.Sequential(nn.Linear(2, 4))
    narrow = nn.Sequential(nn.Linear(2, 3))
    cases = [
        (one, two, "0.weight is [3, 2] in it, [4, 2] here, 3 more"),
        (two, narrow, "1.weight is not in it, 1 more"),
        (narrow, two, "1.weight is in it, not here, 1 more"),
    ]
    for net, other, expected in cases:
        with pytest.raises(RuntimeError) as error:
            net.load_state_dict(other.state_dict())
        assert tensors.what_differs(error.value) == expected


def test_anything_else_is_cut():
    assert tensors.what_differs(KeyError()) == "KeyError"
    assert len(tensors.what_differs(ValueError("a\nb " * 100))) == 160
