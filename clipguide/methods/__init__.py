"""The methods: name -> (module, one line).  A method is a module with `Settings` and `run`."""

METHODS: dict[str, tuple[str, str]] = {
    "fourier": ("clipguide.methods.fourier", "a picture from its spectrum: any size, no generator, painterly"),
    "pixelart": ("clipguide.methods.pixelart", "a grid of coloured cells: palettes, dither, symmetry, sprites"),
    "clipstyler": ("clipguide.methods.clipstyler", "a photo in a style, by a small network trained on it alone"),
    "pixels": ("clipguide.methods.pixels", "the pixels themselves: the plainest canvas, for changes of a photo"),
}

DEFAULT = "fourier"
