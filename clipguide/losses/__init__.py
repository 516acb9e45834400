"""What is wanted of a picture: functions that make a loss, `(Scene) -> ()`; everything is minimised.

Other packages add losses by the entry point group "clipguide.losses"; see docs/plugins.md.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from clipguide.errors import UserError

GROUP = "clipguide.losses"


def plugins() -> dict[str, EntryPoint]:
    """The losses of installed packages, by name.  Imports none of them."""
    return {point.name: point for point in entry_points(group=GROUP)}


def find(name: str) -> EntryPoint:
    """UserError when no installed package has a loss of that name.  Imports none."""
    found = plugins()
    if name not in found:
        raise UserError(f"no installed package has a loss '{name}'; there are: {', '.join(found) or 'none'}")
    return found[name]


def installed(name: str) -> Callable[[], Any]:
    """What an installed package calls `name`: a function without arguments that makes a loss.

    UserError when no package has it, or when it cannot be imported.
    """
    point = find(name)
    try:
        return point.load()
    except Exception as error:  # whatever a foreign module raises at import
        raise UserError(f"the loss '{name}' cannot be loaded ({error!r}); update or uninstall its package") from error
