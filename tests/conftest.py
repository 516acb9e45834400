"""What every test may use."""

from __future__ import annotations

import pytest
from doubles import TinyModels, make_tick

from clipguide.core import Tick


@pytest.fixture(scope="session")
def models() -> TinyModels:
    """Its encoders are opened once for all tests; they are frozen, so that no test can change them."""
    return TinyModels()


@pytest.fixture
def tick() -> Tick:
    """The first of ten steps, with dice of its own."""
    return make_tick()
