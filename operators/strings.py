"""Every text that the add-on shows in Blender's interface."""

from __future__ import annotations

TAB = "Face"
PANEL = "Reconstruct Face"
EXPRESSION_PANEL = "Expression"
SETTINGS_PANEL = "Settings"
HEAD_PANEL = "Head"
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

TEXTURE_SIZE = "Texture Size"
TEXTURE_SIZE_TIP = "Width and height of the head's texture in pixels"
TEXTURE_SIZES = (
    ("512", "512", "For small or many heads"),
    ("1024", "1024", "For games"),
    ("2048", "2048", "For pictures in which the head is large"),
    ("4096", "4096", "For close-ups, of photos that hold so much detail"),
)
ESTIMATE = "Estimate"
ESTIMATE_TIP = "What the head is found by"
ESTIMATES = (
    ("network", "Network", "The network's estimate, refined on the photo"),
    ("landmarks", "Landmarks", "A fit to the 68 landmarks alone: quick, of frontal faces only"),
)
USE_LANDMARKS = "Use dlib's Landmarks"
USE_LANDMARKS_TIP = (
    "Off: do without dlib's landmark file, which was trained on data whose terms exclude "
    "commercial use"
)
MODEL = "Face Model"
MODEL_TIP = "A face model's file in this project's format; empty: the one that comes along"
SHOW = "Show"
SHOW_TIP = "See the new head as its photo does"

# -- the photo

PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif",
)  # fmt: skip
CHOOSE = "Choose Photo"
CHOOSE_TIP = "Choose the photo in the file selector"
DROP = "Drop Photo"
DROP_TIP = "Take the dropped picture as the photo for a head"
USE_IMAGE = "Open Image"
USE_IMAGE_TIP = "Take an image that is open in Blender"
IMAGE = "Image"
NO_IMAGE = "No image is open in Blender"
PASTE = "Paste Photo"
PASTE_TIP = "Take the photo from the clipboard: a copied picture, or a picture file that was copied"
NOTHING_TO_PASTE = (
    "The clipboard holds neither a picture that Blender can paste nor the path of one; copy a "
    "picture file and try again."
)
FIND_FACES = "Find Faces"
FIND_FACES_TIP = "Look for the faces in the photo"
FINDING = "Looking for faces"
NO_FACE = "No face was found in this photo"
ALL_FACES = "All Faces"
FACES = "Faces"


def one_of(name: str, count: int) -> str:
    """When several pictures were dropped at once."""
    return f"Took {name}, the first of {count} pictures; drop them one by one."


# -- the run

BUSY = "A reconstruction is going on; wait for it or cancel it."
CANCEL = "Cancel"
CANCEL_TIP = "Stop; the scene stays as it is"
CANCELLED = "Cancelled; the scene is unchanged."
MEND = "Restart Backend"
MEND_TIP = "End the process that finds and fits faces; the next run starts a new one"
MENDED = "The backend starts anew with the next run"
DISMISS = "Dismiss"
DISMISS_TIP = "Take the message off the panel"
OPEN_REPORT = "Open Report"
OPEN_REPORT_TIP = "Open the file with the details of what went wrong"


def unexpected(error: Exception) -> str:
    """When something fails that should not."""
    return f"Unexpected {type(error).__name__}: {error}; the report has the details."


def reconstructed(names: list[str]) -> str:
    """The message after success."""
    return f"Reconstructed {', '.join(names)}"


# -- the head

PHOTO_VIEW = "Photo View"
PHOTO_VIEW_TIP = "See the head as the photo does, with the photo behind it; again: leave that view"
OVERLAY = "Photo Overlay"
OVERLAY_TIP = "How much of the photo is laid over the head in the photo's view"
REFIT = "Fit Again"
REFIT_TIP = (
    "Fit this head to its photo again, with the settings as they are now and the landmarks as you "
    "put them; its place, materials and keyframes stay"
)
REPLACE_PHOTO = "Replace Photo"
REPLACE_PHOTO_TIP = "Fit this head to another photo; its place, materials and keyframes stay"
EDIT_LANDMARKS = "Edit Landmarks"
EDIT_LANDMARKS_TIP = "Drag the 68 landmarks over the photo to where they belong, then fit again"
LANDMARK_KEYS = (
    "Drag landmarks   |   Enter: fit   |   X: put back   |   Ctrl Z: undo   |   Esc: cancel"
)
FORGET_LANDMARKS = "Forget Corrections"
FORGET_LANDMARKS_TIP = "The next fit decides about all landmarks itself"


def refitted(name: str) -> str:
    """The message after a new fit."""
    return f"{name} was fitted again"


def head_gone(name: str) -> str:
    """When the head was deleted while it was fitted."""
    return f"{name} is not in the scene any more, so its new fit was dropped."


def no_camera(name: str) -> str:
    """When the photo's view cannot be shown."""
    return f"The camera of {name} was deleted or hidden; undo that or reconstruct the head again."


def no_landmarks(name: str) -> str:
    """When a head holds no landmarks."""
    return f"{name} holds no landmarks; use Fit Again first."


def corrections(count: int) -> str:
    """How many landmarks were set by hand."""
    return f"{count} landmark{'' if count == 1 else 's'} set by hand"


# -- the backend's installation

SET_UP = "Set Up Backend"
SET_UP_TIP = (
    "Download and install what finds and fits the face, into a folder of its own; takes minutes "
    "and some gigabytes. Blender can be used meanwhile"
)
SET_UP_AGAIN = "Set Up Again"
UPDATE_BACKEND = "Update Backend"
REPAIR_BACKEND = "Repair Backend"
SET_UP_DONE = "The backend is ready"
SETTING_UP = "Setting up the backend"
CANCEL_SET_UP = "Cancel Set-up"
CANCEL_SET_UP_TIP = "Stop, and delete what is half made; a backend that was there stays"
REMOVE_BACKEND = "Remove Backend"
REMOVE_BACKEND_TIP = "Delete the backend's packages from the disk"
REMOVED_BACKEND = "The backend was removed"
CHECK_BACKEND = "Check Backend"
CHECK_BACKEND_TIP = "Look whether all of the backend's packages load"
OPEN_LOG = "Open Log"
OPEN_LOG_TIP = "Open the file that says what the last set-up did"
NO_LOG = "There is no log: the backend was not set up here."
OPEN_PREFERENCES = "Open Preferences"
OPEN_PREFERENCES_TIP = "Show the add-on's preferences"
CHOOSE_PYTHON = "Use an Existing Python"
PYTHON = "Python"
PYTHON_TIP = (
    "An existing Python environment that has the backend's packages, its folder or its program; "
    "empty: the one that is set up here"
)
DEVICE = "Device"
DEVICE_TIP = "What the face network computes on"
DEVICES = (
    ("auto", "Automatic", "The graphics card where it can be used, otherwise the processor"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card; an error where there is none"),
)
INDEX = "Package Index"
INDEX_TIP = (
    "Address of a further package index that set-up looks at, for builds of torch that PyPI has "
    "not: a smaller one without CUDA for Linux, or one with CUDA for Windows. Usually empty"
)
