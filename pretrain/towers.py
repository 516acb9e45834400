"""The towers of any CLIP that open_clip or we build: where their blocks are."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from clipguide.errors import UserError


def stacks(model: nn.Module, *, text: bool) -> list[nn.Module]:
    """The part of the image tower that holds its blocks and is called as a module; with `text` the text tower's too."""
    towers = [model.visual, getattr(model, "text", model)] if text else [model.visual]
    return [getattr(tower, "trunk", getattr(tower, "transformer", tower)) for tower in towers]


def blocks(stack: nn.Module) -> Iterator[nn.Module]:
    """The members of the outermost lists of modules: a Transformer's blocks, the stages of a ResNet."""
    for child in stack.children():
        if isinstance(child, nn.ModuleList | nn.Sequential):
            yield from (member for member in child if any(True for _ in member.parameters()))
        else:
            yield from blocks(child)


def compile_stacks(model: nn.Module, *, text: bool) -> None:
    """Compiles the stacks in place, at their first call.  Errors: UserError on a CPU without a C++ compiler."""
    if next(model.parameters()).device.type == "cpu":
        from torch._inductor.cpp_builder import get_cpp_compiler
        from torch._inductor.exc import InvalidCxxCompiler

        try:
            get_cpp_compiler()
        except InvalidCxxCompiler as error:
            raise UserError("--compile needs a C++ compiler on a CPU; install g++, or leave --compile out") from error
    for stack in stacks(model, text=text):
        stack.compile()
