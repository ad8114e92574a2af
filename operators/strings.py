"""Every text that the add-on shows in Blender's interface."""

from __future__ import annotations

TAB = "Face"
PANEL = "Reconstruct Face"
EXPRESSION_PANEL = "Expression"
NO_HEAD = "Select a reconstructed head"

RECONSTRUCT = "Reconstruct Face"
RECONSTRUCT_TIP = "Make a textured, animatable head from the photo"
RESET = "Neutral"
RESET_TIP = "Set every expression slider of the active head to zero"

PHOTO = "Photo"
PHOTO_TIP = "The picture to reconstruct the head from"
FACE = "Face"
FACE_TIP = "Which face: 1 is the largest in the photo, 0 means all of them"
TEXTURE = "Texture"
TEXTURE_TIP = "What the head's texture holds"
TEXTURE_MODES = (
    ("albedo", "Skin colour", "The photo with its lighting divided out; can be lit anew"),
    ("photo", "As photographed", "The photo's colours with its light and shadow"),
    ("none", "None", "Plain materials without a texture"),
)
QUALITY = "Quality"
QUALITY_TIP = "How far the head is refined on the photo"
QUALITIES = (
    ("fast", "Fast", "The network's estimate, corrected by the landmarks"),
    ("balanced", "Balanced", "Refined on the photo's pixels, in about two seconds"),
    ("best", "Best", "Refined further, in several seconds"),
)

CHOOSE_PHOTO = "Choose a photo first."


def reconstructed(names: list[str]) -> str:
    """The message after success."""
    return f"Reconstructed {', '.join(names)}"
