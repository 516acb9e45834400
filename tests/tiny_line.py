"""What tests of the command line share."""

import json

from doubles import tiny_checkpoints

TINY = ["--clip", str(tiny_checkpoints() / "clip-mini"), "--size", "32x24", "--cutouts", "2"]


def facts(called):
    code, out, err = called
    assert code == 0, err
    return json.loads(out)
