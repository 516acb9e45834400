"""GCompris: about 200 everyday photographs (animals, monuments, tools, fishes), and a drawing for each of about 115
words.

Half of the photographs, chosen by NAME, are held out for the test "photos": no photograph of those names is ever
trained on, though a drawing from another source may carry the name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pretrain.data.packages import fetch_debian, fetched_debian
from pretrain.data.pair import Pair, normalise
from pretrain.data.pictures import read_bytes
from pretrain.data.rcc import read_resources

PACKAGE = "gcompris-qt-data"
PHOTOS = {  # resource file -> which of its pictures are photographs
    "explore_farm_animals": r"resource/animals/(\w+)\.webp",
    "explore_world_animals": r"resource/animals/(\w+)\.webp",
    "explore_monuments": r"resource/\w+/(\w+)\.webp",
    "categorization": r"resource/images/(?:tools|renewable|monuments|fishes|others)/(\w+)\.webp",
}
WORDS = r"resource/words_sample/([\w-]+)\.webp"
NAMES = {  # file names that are not the words people would use
    "IndiaGate": "the India Gate", "kutubMinar": "Qutub Minar", "qutubMinar": "Qutub Minar", "leMusee": "the Louvre",
    "burj": "Burj Khalifa", "empireState": "the Empire State Building", "solar": "solar panels", "plier": "pliers",
    "nailCutter": "nail clipper", "operaHouse": "the Sydney Opera House", "zimniPalace": "the Winter Palace",
    "greatWall": "the Great Wall of China", "greatWallofChina": "the Great Wall of China", "spray": "spray can",
    "blackslate": "blackboard", "weighingMachine": "kitchen scale", "screwDriver": "screwdriver", "bulb": "light bulb",
    "orange-color": "the colour orange", "ajantaCave": "Ajanta caves", "arcDeTriomphe": "Arc de Triomphe",
    "arlesAmphitheater": "Arles amphitheatre", "aulaPalatina": "Aula Palatina", "bayterek": "Bayterek tower",
    "berlinCathedral": "Berlin cathedral", "brandenburgGate": "Brandenburg Gate", "cabrillo": "Cabrillo monument",
    "canyondeChelly": "Canyon de Chelly", "castillodeSanMarcos": "Castillo de San Marcos", "petra": "Petra",
    "castleClinton": "Castle Clinton", "charminar": "Charminar", "chateaudeChambord": "Chambord castle",
    "chateaudeChenonceau": "Chenonceau castle", "chichenItza": "Chichen Itza pyramid", "rocamadour": "Rocamadour",
    "christTheRedeemer": "Christ the Redeemer statue", "citedeCarcassonne": "Carcassonne fortress",
    "colosseum": "the Colosseum", "dragon": "Komodo dragon", "eiffelTower": "the Eiffel Tower",
    "fortSumter": "Fort Sumter",
    "gatewayofIndia": "Gateway of India", "georgeWashingtonBirthplace": "George Washington's birthplace",
    "geothermal": "geothermal power station", "goldenTemple": "the Golden Temple", "greatPyramid": "great pyramid",
    "greatPyramidOfGiza": "great pyramid", "greatStupa": "great stupa", "hawaMahal": "Hawa Mahal palace",
    "jucheTower": "Juche Tower", "konarkSunTemple": "Konark Sun Temple", "leaningTowerOfPisa": "Leaning Tower of Pisa",
    "lincolnMemorial": "Lincoln Memorial", "machuPicchu": "Machu Picchu", "meidumPyramid": "Meidum pyramid",
    "montStMichel": "Mont Saint-Michel", "mountRushmore": "Mount Rushmore", "mysorePalace": "Mysore palace",
    "navajo": "Navajo monument", "neuschwansteinCastle": "Neuschwanstein castle", "palaisdesPapes": "Palais des Papes",
    "parthenon": "the Parthenon", "pontduGard": "Pont du Gard bridge", "rangGhar": "Rang Ghar", "tweezer": "tweezers",
    "reimsCathedral": "Reims cathedral", "schwerinPalace": "Schwerin palace",
    "statueOfLiberty": "the Statue of Liberty",
    "statueofLiberty": "the Statue of Liberty", "tajMahal": "the Taj Mahal",
    "trierImperialBaths": "Trier imperial baths",
    "usCapitol": "the United States Capitol", "victoriaMemorial": "Victoria Memorial",
    "wormsCathedral": "Worms cathedral",
}  # fmt: skip
COLOURS = frozenset("pink yellow gray black white red blue green mauve brown".split())
COUNTED = frozenset("zero one two three four five six seven eight nine ten eleven twelve sixteen".split())


def fetch(cache: Path) -> None:
    """Fetch the resource files."""
    fetch_debian(cache, PACKAGE)


def pairs(cache: Path) -> Iterator[Pair]:
    """About 330 pairs."""
    root = fetched_debian(cache, PACKAGE) / "usr/share/gcompris-qt/rcc"
    for archive, pattern in PHOTOS.items():
        for path, data in sorted(read_resources(root / f"{archive}.rcc")):
            found = re.search(pattern + "$", path)
            if found:
                yield photograph(found[1], path, data)
    for path, data in sorted(read_resources(root / "lang.rcc")):
        found = re.search(WORDS + "$", path)
        if found and found[1] not in COUNTED | COLOURS:
            yield word_drawing(found[1], path, data)


def photograph(name: str, path: str, data: bytes) -> Pair:
    name = re.sub(r"\d+$", "", name)
    told = NAMES.get(name) or spaced(name)
    return Pair(
        image=partial(read_bytes, data),
        captions={"en": (told,)},
        concept=normalise(told),
        medium="photo",
        licence="CC-BY-SA / CC-BY / public domain, by file",
        origin=path.split("activities/")[-1],
        style="gcompris",
        held=held_side(normalise(told)),
    )


def word_drawing(name: str, path: str, data: bytes) -> Pair:
    told = NAMES.get(name) or spaced(name)
    return Pair(
        image=partial(read_bytes, data),
        captions={"en": (told,)},
        concept=normalise(told),
        medium="drawing",
        licence="CC-BY-SA-3.0",
        origin=path.split("activities/")[-1],
        style="gcompris-words",
    )


def held_side(concept: str) -> str:
    """Half of the names are test, a tenth validation, by the name alone."""
    share = hashlib.sha256(f"photo {concept}".encode()).digest()[0] / 256
    return "test" if share < 0.5 else "validation" if share < 0.6 else "train"


def spaced(name: str) -> str:
    """ "polar_bear" and "measuringTape" become "polar bear" and "measuring tape"."""
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", name.replace("_", " ").replace("-", " ")).lower()
