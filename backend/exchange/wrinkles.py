"""What wrinkles the skin with an expression: what the backend draws and Blender drives.

Lines of every head, by groups of expressions, and the photo's own folds.

Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Expressions whose wrinkles share a channel of the maps."""

    name: str
    expressions: tuple[tuple[str, ...], tuple[str, ...]]  #: of the face's right and left half


def _both(name: str, *expressions: str) -> Group:
    """A group of ARKit's ``expressions``; ``*`` in a name stands for the side."""
    right, left = (
        tuple(one.replace("*", side) for one in expressions) for side in ("Right", "Left")
    )
    return Group(name, (right, left))


#: Red, green and blue of a map.
GROUPS = (
    _both("raised brows", "browInnerUp", "browOuterUp*"),
    _both("smile", "mouthSmile*", "cheekSquint*"),
    _both("frown", "browDown*", "noseSneer*"),
)
#: Depth of a wrinkle where a map holds 255; by eye, for a face of middle age with the shape keys at
#: 1.
DEEPEST_MM = 0.7
#: The picture of the photo's folds: value where there is none, and log brightness for each step
#: from there; -0.8 to 0.8 have room, and a step is not seen.
NO_FOLD, FOLD_STEP = 128, 1 / 160
#: How much more or less of a fold each channel has: light in a fold has been through skin and is
#: red.  The medians over eight photos in colour of what texture/neutral.py takes out, rounded, with
#: mean 1.
FOLD_HUE = (0.78, 1.05, 1.17)
