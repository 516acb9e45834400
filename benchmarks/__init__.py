"""What `make bench` prints: one file a question, each with `measure() -> dict` of figures for this machine.

Times are medians of interleaved runs.  On a machine that does other work meanwhile take the ratios alone.
"""
