"""`python -m pretrain keep`: a trained CLIP gets a name that clipguide's commands know on this machine."""

from __future__ import annotations

from pathlib import Path

from clipguide import weights
from clipguide.models.clip import BERT, CONFIG, TOKENIZER, WEIGHTS, open_folder
from pretrain.arguments import Parser
from pretrain.models import refuse_shared_text


def main(arguments: list[str]) -> int:
    parser = Parser(prog="python -m pretrain keep", description=__doc__)
    parser.add_argument("folder", type=Path, help="CLIP folder that export wrote")
    parser.add_argument("name", help="its name; one that was kept under it before is replaced")
    parser.add_argument("--about", default="", help="a line for `clipguide models`")
    options = parser.parse_args(arguments)
    size = open_folder(options.folder).size  # a folder that cannot be opened is not kept
    refuse_shared_text(options.folder)
    about = options.about or f"trained here, pictures at {size} px"
    files = {
        file: (options.folder / file).read_bytes()
        for file in (CONFIG, WEIGHTS, TOKENIZER, BERT)
        if (options.folder / file).is_file()
    }
    place = weights.keep(options.name, "clip", about, files)
    print(f'{place}; use it: clipguide generate "a castle" --clip {options.name}')
    return 0
