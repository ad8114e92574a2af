"""What the add-on says about expressions for users' own meshes; the rest is in :mod:`.strings`."""

from __future__ import annotations

PANEL = "Your Own Mesh"
ABOUT = "ARKit's 52 expressions as shape keys for {}, whatever made it."
CLICK = "Click a mesh with a face; select its eyes and teeth too if they are other meshes."
FIND = "Find Landmarks"
FIND_TIP = (
    "Look for the face of the active mesh in pictures of it and mark it with points, which can be "
    "moved before the expressions are made"
)
PLACE = "Set Landmarks by Hand"
PLACE_TIP = (
    "Put points where a face may be, to be dragged where they belong; they stay on the surface. "
    "Right and left are the face's own"
)
REMOVE = "Remove Landmarks"
REMOVE_TIP = "Take the points away; the next run finds the face by itself"
MAKE = "Make Expressions"
MAKE_TIP = (
    "Give the active mesh shape keys with ARKit's 52 names, and other selected meshes, as eyes and "
    "teeth, those that move them; with the points that are set, else with what is found"
)
REPLACE = "Replace Keys of the Same Name"
REPLACE_TIP = "Shape keys that have one of the 52 names already are replaced once you keep the new"
SET = "{} landmarks are set"
NONE_SET = "No landmarks are set: the face is looked for"
FIT = "The face was met within {:.1f} mm (on a head of usual size), {:.0%} of it"
TRY = "Try"
TRY_TIP = "Show this expression; again: back to rest"
POSES = (
    ("REST", "Rest", {}),
    ("JAW", "Open", {"jawOpen": 0.8}),
    ("BLINK", "Blink", {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}),
    ("SMILE", "Smile", {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}),
    ("PUCKER", "Pucker", {"mouthPucker": 1.0}),
    ("LOOK", "Look", {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0}),
)
KEEP = "Keep"
KEEP_TIP = "Keep the shape keys; the points, and keys that were replaced, go"
DISCARD = "Discard"
DISCARD_TIP = "Take the shape keys away again; keys that were replaced come back"
PLACED = "The points lie on the surface of {}; drag those that are off, then make the expressions"


def added(name: str, others: int) -> str:
    """After the keys were made."""
    more = f" and {others} more" if others else ""
    return f"{name}{more} got ARKit's expressions: try them, then keep or discard them"
