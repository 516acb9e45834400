"""Which pairs are trained on, which choose settings, which are tested: by concept, never by file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pretrain.data.pair import Pair

SIDES = ("train", "validation", "test")
VALIDATION, TEST = 0.04, 0.06
ALWAYS_TRAINED = frozenset(  # what the product's own example prompts name: held out, they could not be drawn well
    (
        "cat|cat face|kitten|bicycle|castle|apple|red apple|mountain|snow capped mountain|cake|shortcake|"
        "birthday cake|bride|wedding|groom|alien|alien monster|flying saucer|ufo|hamburger|french fries|hot dog|"
        "pizza|car|automobile|night with stars|milky way|sunset|sunrise|cityscape|cityscape at dusk|night|selfie|"
        "ghost|star|moon|crescent moon|house|dog|dog face|tree|cheese|cheese wedge|person with veil|man in tuxedo|"
        "woman with veil|robot|rocket|fox|flower|bird|fish|horse|boat|sailboat|water wave|snowman"
    ).split("|")
)


def side_of(pair: Pair) -> str:
    """The split of a pair: where it is held, else by the hash of its concept, 90 : 4 : 6."""
    return pair.held or side_of_concept(pair.concept)


def side_of_concept(concept: str) -> str:
    """The split of a concept, the same in every source and every build."""
    if concept in ALWAYS_TRAINED:
        return "train"
    share = int.from_bytes(hashlib.sha256(f"concept {concept}".encode()).digest()[:4], "big") / 2**32
    return "test" if share < TEST else "validation" if share < TEST + VALIDATION else "train"


def task_of(pair: Pair) -> str:
    """The test a held pair belongs to.

    "photos": photographs of names of which no photograph was trained on; drawings of the name may have been.
    "snapshots": photographs of a source that is never trained on, for choosing settings alone.
    "style": a drawing style never trained on, of concepts that were. "style-concepts": that style, and concepts
    never trained on. One such style is for the test, another for choosing settings.
    "concepts": styles that were trained on, of names that were not, in any source; a longer name may contain the
    held one.
    """
    if pair.style == "gcompris":
        return "photos"
    if pair.style == "snapshots":
        return "snapshots"
    seen = side_of_concept(pair.concept) == "train"
    if pair.held:
        return "style" if seen else "style-concepts"
    return "concepts"


def held_names(pairs: Sequence[Pair]) -> frozenset[str]:
    """Every concept that is held out by its hash: no caption of the training set may be one of them."""
    return frozenset(pair.concept for pair in pairs if side_of_concept(pair.concept) != "train")
