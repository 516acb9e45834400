"""What tests of the web page share."""

import time
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from apps import studio
from apps.runner import Runner
from apps.safety import Screen

SMALL = {"size": (32, 32), "steps": 4, "cutouts": 2}
PATIENCE = 120  # seconds, on a busy machine


@contextmanager
def opened(root: Path, models):
    """A studio over the folder, with one worker."""
    runner = Runner(models, root)
    yield studio.Studio(models, root, runner, Screen())
    runner.close()


def until(true, what="it"):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"{what} took too long"
        time.sleep(0.02)


def picture(path: Path, size=(40, 30), colour="red") -> Path:
    Image.new("RGB", size, colour).save(path)
    return path
