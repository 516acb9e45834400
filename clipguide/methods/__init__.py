"""The methods: name -> (module, one line).  A method is a module with `Settings` and `run`."""

METHODS: dict[str, tuple[str, str]] = {
    "fourier": ("clipguide.methods.fourier", "a picture from its spectrum: any size, no generator, painterly"),
    "pixels": ("clipguide.methods.pixels", "the pixels themselves: the plainest canvas, for changes of a photo"),
}

DEFAULT = "fourier"
