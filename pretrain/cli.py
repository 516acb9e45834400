"""python -m pretrain COMMAND: those of COMMANDS, each a module that is imported when it is called."""

from __future__ import annotations

import sys
from importlib import import_module

from clipguide.errors import UserError

COMMANDS = {
    "data": ("pretrain.data.cli", "fetch sources, build shards, show them"),
    "align": ("pretrain.align", "the closed-form start of clip-mini"),
    "align-pairs": ("pretrain.align_pairs", "the start of clip-mini-b, fitted to pairs"),
    "begin": ("pretrain.begin", "a CLIP of any size to train, untrained or with pretrained weights"),
    "train": ("pretrain.run", "train a CLIP on shards, or resume"),
    "export": ("pretrain.export", "a checkpoint's averaged weights as a CLIP folder"),
    "deepen": ("pretrain.deepen", "a hidden layer for a CLIP's text projection"),
    "average": ("pretrain.average", "the mean of several CLIPs' weights"),
    "multilingual": ("pretrain.multilingual", "other languages for a CLIP with an English BERT"),
    "vqgan": ("pretrain.vqgan.run", "train a VQGAN on crops of open pictures, or resume"),
    "vqgan-evaluate": ("pretrain.vqgan.evaluate", "measure what a VQGAN loses"),
    "forward": ("pretrain.forward.run", "train the feed-forward start, or resume"),
    "forward-evaluate": ("pretrain.forward.evaluate", "does another CLIP recognise what it draws"),
    "forward-retarget": ("pretrain.forward.retarget", "fold it to read another CLIP's texts"),
    "keep": ("pretrain.keep", "a trained CLIP gets a name that clipguide knows"),
    "evaluate": ("pretrain.evaluate.cli", "measure a CLIP"),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. 0 when it is done, 1 for a fault at run time, 2 for bad input (one line on stderr)."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] in ("-h", "--help"):
        print("usage: python -m pretrain COMMAND [options]\n")
        print("\n".join(f"  {name:17}{text}" for name, (_, text) in COMMANDS.items()))
        return 0 if given else 2
    if given[0] not in COMMANDS:
        print(f"no command {given[0]!r}; use one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return import_module(COMMANDS[given[0]][0]).main(given[1:]) or 0
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:  # no file's fault
            raise
        print(f"{error.filename}: {error.strerror}; give another place, or mend this one", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
