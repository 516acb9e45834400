"""How long does `clipguide --help` take?"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 9


def measure() -> dict[str, str]:
    lines = {"clipguide --help": "clipguide.cli", "python alone": "platform"}
    times: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(RUNS):
        for name, module in lines.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, check=True)
            times[name].append(time.perf_counter() - began)
    return {name: f"{statistics.median(seconds):.3f} s" for name, seconds in times.items()}
