"""The methods: name -> (module, one line).  A method is a module with `Settings` and `run`.

Other packages add methods by the entry point group "clipguide.methods"; see docs/plugins.md.
"""

from importlib.metadata import entry_points

GROUP = "clipguide.methods"

METHODS: dict[str, tuple[str, str]] = {
    "vqgan": ("clipguide.methods.vqgan", "a picture by a VQGAN, from words: any size, grown from coarse to fine"),
    "zoom": ("clipguide.methods.zoom", "a film by a VQGAN: a camera comes nearer, turns or moves on; MP4"),
    "fourier": ("clipguide.methods.fourier", "a picture from its spectrum: any size, no generator, painterly"),
    "clipdraw": ("clipguide.methods.clipdraw", "Bezier strokes in paint, ink, marker, charcoal or watercolour; SVG"),
    "sketch": ("clipguide.methods.sketch", "a photo in a few strokes; SVG"),
    "pixelart": ("clipguide.methods.pixelart", "a grid of coloured cells: palettes, dither, symmetry, sprites"),
    "clipstyler": ("clipguide.methods.clipstyler", "a photo in a style, by a small network trained on it alone"),
    "clipstyler-fast": ("clipguide.methods.clipstyler_fast", "a style learned once on many photos, then laid on any"),
    "textstyle": ("clipguide.methods.textstyle", "a photo in a style, in stones, cells, strokes or pixels"),
    "styleimage": ("clipguide.methods.styleimage", "a photo in the style of a picture, alone or mixed with words"),
    "texture": ("clipguide.methods.texture", "a thing with a [texture] painted on it, or a seamless tile"),
    "shapes": ("clipguide.methods.shapes", "triangles, rectangles or ellipses, by gradient or by evolution; SVG"),
    "pixels": ("clipguide.methods.pixels", "the pixels themselves: the plainest canvas, for changes of a photo"),
}

DEFAULT = "fourier"

EXAMPLES: dict[str, str] = {  # a prompt that shows what the method is good at; the default's stands for the others
    "fourier": "a painting of a starry night sky",
    "vqgan": "a sunset over the sea",
    "zoom": "a forest in the mist ^ a city at night",
    "clipdraw": "a lighthouse by the sea",
    "sketch": "a drawing of a face",
    "pixelart": "a castle on a hill",
    "clipstyler": "a mosaic of coloured tiles",
    "clipstyler-fast": "a mosaic of coloured tiles",
    "textstyle": "a watercolour painting",
    "styleimage": "an oil painting with thick strokes",
    "texture": "a painting of a [starry] car",
    "shapes": "a red sailing boat",
    "pixels": "a meadow full of flowers",
}


def table() -> dict[str, tuple[str, str]]:
    """`METHODS`, and those of installed packages, which cannot take a name that is taken.  Imports none of them."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    installed = {point.name: (point.value, f"from the package {point.dist.name}") for point in points}
    return METHODS | {name: entry for name, entry in installed.items() if name not in METHODS}
