"""Importing torchvision beside a torch that was built without CUDA."""

import importlib
import sys
from types import ModuleType
from typing import Any

_library: Any = None  # a torch.library.Library un-registers its operators when it is collected: keep it


def import_torchvision() -> ModuleType:
    """torchvision, also where its wheel was built for CUDA and torch for the CPU alone.

    Such a pair fails with "operator torchvision::nms does not exist". Then the two operators that torchvision describes
    at import are declared (not implemented: nothing here calls them) and the import is tried again. They are never
    declared first: doing so before a working torchvision aborts the interpreter.
    Call this before importing open_clip, timm or diffusers, which all import torchvision.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [name for name in list(sys.modules) if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    _declare_operators()
    return importlib.import_module("torchvision")


def _declare_operators() -> None:
    import torch

    global _library
    _library = torch.library.Library("torchvision", "DEF")
    _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
