"""What every test may use, and the ground they all stand on."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test asks the network

import pytest
import torch
from doubles import TinyModels, make_tick

from clipguide.core import Tick

torch.set_num_threads(1)  # tiny tensors: a second thread only waits


@pytest.fixture(scope="session")
def models() -> TinyModels:
    """Its encoders are opened once for all tests; they are frozen, so that no test can change them."""
    return TinyModels()


@pytest.fixture
def tick() -> Tick:
    """The first of ten steps, with dice of its own."""
    return make_tick()
