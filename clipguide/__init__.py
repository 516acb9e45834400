"""clipguide: make and edit pictures by following CLIP's gradient.

    import clipguide
    clipguide.generate("a castle", seed=1).image
    for step in clipguide.stream("a castle", steps=50):
        ...
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipguide.api import Picture, generate, load_encoder, stream
    from clipguide.weights import Models

__all__ = ["Models", "Picture", "generate", "load_encoder", "stream"]


def __getattr__(name: str) -> Any:
    """The public names, imported when first asked for: `import clipguide` costs nothing."""
    if name == "__version__":
        from importlib.metadata import version

        return version("clipguide")
    if name not in __all__:
        raise AttributeError(f"module 'clipguide' has no attribute '{name}'")
    from clipguide import api

    return getattr(api, name)
