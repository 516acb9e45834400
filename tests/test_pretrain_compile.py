"""Compiled towers compute what eager ones do."""

import shutil
from dataclasses import replace

import pytest
import torch
from tiny_clip import CONFIG, batches, inputs, tiny

from clipguide.errors import UserError
from pretrain import towers
from pretrain.state import start
from pretrain.train import train

PLAIN = replace(CONFIG, steps=2, radius=0.0, lock_text=False, bank=0)


def losses(compiled):
    model = tiny()
    if compiled:
        towers.compile_stacks(model, text=True)
    state = start(model, PLAIN)
    told = [step.losses["softmax"] for step in train(state, batches(), PLAIN, replace(inputs(model), cache=None))]
    return told, state.model.state_dict()


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="there is no C++ compiler here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_compiled_towers_have_the_losses_and_weights_of_eager_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch._dynamo.reset()
    (eager, expected), (compiled, found) = losses(False), losses(True)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 2  # both towers were compiled
    assert compiled == pytest.approx(eager, rel=1e-4)
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[name], expected[name], atol=1e-4) for name in expected)


def test_without_a_compiler_it_is_one_line(monkeypatch):
    from torch._inductor import cpp_builder
    from torch._inductor.exc import InvalidCxxCompiler

    def none():
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    with pytest.raises(UserError, match="install g\\+\\+") as caught:
        towers.compile_stacks(tiny(), text=True)
    assert "\n" not in str(caught.value)
