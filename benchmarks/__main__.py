"""python -m benchmarks [QUESTION...]: measures and prints, a line a figure."""

from __future__ import annotations

import importlib
import os
import sys

QUESTIONS = ("start", "picture", "step", "memory", "strokes", "vqgan", "reach", "style", "batch", "train")

if __name__ == "__main__":
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    for question in sys.argv[1:] or QUESTIONS:
        for figure, value in importlib.import_module(f"benchmarks.{question}").measure().items():
            print(f"{question:<8} {figure:<48} {value}", flush=True)
