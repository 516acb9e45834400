"""Does peak memory grow with the number of views?  Each is measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import resource, sys, clipguide
for step in clipguide.stream("a castle", steps=2, cutouts=int(sys.argv[1])): pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure() -> dict[str, str]:
    peak = {}
    for views in (16, 128):
        line = [sys.executable, "-c", CODE, str(views)]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        peak[views] = int(done.stdout) / 1024  # KiB on Linux
    figures = {f"peak with {views} views": f"{mib:.0f} MiB" for views, mib in peak.items()}
    return figures | {"128 views against 16": f"{peak[128] / peak[16] - 1:+.1%} (aim: at most +10 %)"}
