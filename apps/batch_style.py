"""A folder of photos in several styles: a script for cron, a cluster's queue, or a double click.

    python -m apps.batch_style PHOTOS "mosaic" "watercolour" --seeds 0,1 --workers 2
    python -m apps.batch_style jobs.csv --out styled --engine ray

It takes what `clipguide batch` takes (--help lists it), and ends with its exit codes: 0 all is done, 1 some jobs
failed, 2 bad input, 130 stopped by Ctrl-C.
"""

import sys

from clipguide.cli import main

if __name__ == "__main__":
    sys.exit(main(["batch", *sys.argv[1:]]))
