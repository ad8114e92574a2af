"""The texts that the add-on shows in Blender's interface.

Those about animation are beside, those of the options and of file formats with these, in
``backend/exchange``.
"""

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

CHOOSE_PHOTO = "Choose a photo first."
NO_PHOTO = "None yet"

SHOW = "Show"
SHOW_TIP = "See the new head as its photo does"

# -- the photo

CHOOSE = "Choose Photo"
CHOOSE_TIP = "Choose the photo in the file selector, or several photos of one person"
DROP = "Drop Photo"
DROP_TIP = "Take the dropped picture as the photo for a head, several as photos of one person"
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
LOOK_CLOSER = "Look Closer"
LOOK_CLOSER_TIP = "Look for faces that are turned or half hidden too; takes some seconds"
FINDING = "Looking for faces"
NO_FACE = "No face was found in this photo"
ALL_FACES = "All Faces"


# -- the run

BUSY = "A reconstruction is going on; wait for it or cancel it."
EDITING = "Landmarks are being dragged; press Fit or Cancel in the Head panel first."
CANCEL = "Cancel"
CANCEL_TIP = "Stop; the scene stays as it is"
CANCELLED = "Cancelled; the scene is unchanged."
RESTART_BACKEND = "Restart Backend"
MEND_TIP = "End the process that finds and fits faces; the next run starts a new one"
RESTARTED = "The backend starts anew with the next run"
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
LEAVE_VIEW = "Show the Whole Scene"
LEAVE_VIEW_TIP = "Leave the photo's view: show all objects again, as the view was before"
HAIR_IN_VIEWPORT = "Hair in Viewport"
WRINKLES = "Wrinkles"
OVERLAY = "Photo Overlay"
OVERLAY_TIP = "How much of the photo is laid over the head in the photo's view"
TURNTABLE = "Turntable"
TURNTABLE_TIP = (
    "Add a camera and three studio lights that go round the head over the scene's frames, and hide "
    "its photo's lights; again: take them away"
)
REFIT = "Fit Again"
REFIT_TIP = (
    "Fit this head to its photo, or all of its photos, again with the settings as they are now and "
    "the landmarks as you put them; its place, materials, keyframes and what you sculpted stay"
)
REPLACE_PHOTO = "Replace Photo"
REPLACE_PHOTO_TIP = (
    "Fit this head to another photo in place of the one that is shown; its place, materials, "
    "keyframes and what you sculpted stay"
)
EDIT_LANDMARKS = "Edit Landmarks"
EDIT_LANDMARKS_TIP = "Drag the 68 landmarks over the photo to where they belong, then fit again"
LANDMARK_KEYS = (
    "Drag landmarks   |   Enter: fit   |   X: put back   |   Ctrl Z: undo   |   Esc: cancel"
)
LANDMARK_HELP = (
    "Drag points to where they belong in the photo. X over a point puts it back, Ctrl Z undoes. "
    "Zoom with the wheel, move with the middle button."
)
END_LANDMARKS = "Landmarks"
FIT_LANDMARKS = "Fit"
FIT_LANDMARKS_TIP = "Fit the head to the landmarks as they are now (Enter)"
CANCEL_LANDMARKS_TIP = "Leave the landmarks as they were (Esc)"
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
    "Download and install what finds and fits the face, into a folder of its own. Blender can be "
    "used meanwhile"
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
ALLOW_ONLINE = "Allow Online Access"
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
IDLE_MINUTES = "End When Idle (Minutes)"
IDLE_MINUTES_TIP = (
    "Minutes without work after which the backend ends and gives its memory back; the next photo "
    "starts it again. 0: never"
)
INDEX = "Package Index"
INDEX_TIP = (
    "Address of a further package index that set-up looks at, such as a mirror of your own. Only "
    "files whose hashes the add-on knows are installed. Usually empty"
)
HARDWARE = "Set Up For"
HARDWARE_TIP = "What the next set-up installs packages for"
HARDWARES = (
    ("processor", "Processor", "What every machine can do: small, and as fast for one photo"),
    (
        "gpu",
        "NVIDIA GPU",
        "torch and CUDA as well: the face network computes there",
    ),
)
GPU_FOUND = (
    "An NVIDIA GPU was found. With packages for it the face network computes there, which is a "
    "small part of a photo's time."
)


def set_up_for(name: str) -> str:
    """The button that makes another kind of backend out of one that works."""
    return f"Set Up for {name}"


# -- the expression

GROUP_NAMES = {
    "brows": "Brows", "eyes": "Eyes", "jaw": "Jaw", "mouth": "Mouth", "cheeks": "Cheeks",
    "nose": "Nose", "tongue": "Tongue", "other": "Other",
}  # fmt: skip
#: Of the names without their side.
MOVEMENTS = {
    "browInnerUp": "Inner brows up", "browOuterUp": "Outer brow up", "browDown": "Brow down",
    "eyeBlink": "Blink", "eyeSquint": "Squint", "eyeWide": "Wide open",
    "eyeLookUp": "Look up", "eyeLookDown": "Look down",
    "eyeLookIn": "Look to the nose", "eyeLookOut": "Look outward",
    "jawOpen": "Jaw open", "jawForward": "Jaw forward", "jaw": "Jaw aside",
    "mouthSmile": "Smile", "mouthFrown": "Frown", "mouthClose": "Lips together",
    "mouthFunnel": "Funnel", "mouthPucker": "Pucker", "mouth": "Mouth aside",
    "mouthUpperUp": "Upper lip up", "mouthLowerDown": "Lower lip down",
    "mouthStretch": "Stretch", "mouthDimple": "Dimple", "mouthPress": "Press lips",
    "mouthRollUpper": "Roll upper lip in", "mouthRollLower": "Roll lower lip in",
    "mouthShrugUpper": "Shrug upper lip", "mouthShrugLower": "Shrug lower lip",
    "cheekPuff": "Puff cheeks", "cheekSquint": "Cheek up",
    "noseSneer": "Sneer", "nostrilDilate": "Nostril wide", "nostrilCompress": "Nostrils narrow",
    "tongueOut": "Tongue out",
}  # fmt: skip
LEFT = "Left"
RIGHT = "Right"
SEARCH = "Search"
SEARCH_TIP = "Show only the sliders with these words in their label, group or shape key name"
NOTHING_FOUND = "No slider has these words"
SYMMETRIC = "Symmetric"
SYMMETRIC_TIP = (
    "Moving a slider of one side moves the other side along; both eyes look to the same side"
)
SIDE_TIP = "{}; the other side moves along"
GAZE = "Gaze"
GAZE_ACROSS = "Gaze to the Side"
GAZE_ACROSS_TIP = "Turn both eyes; positive is the head's left"
GAZE_UP = "Gaze Up"
GAZE_UP_TIP = "Turn both eyes up; negative is down"
RESET_GROUP = "Reset Group"
RESET_GROUP_TIP = "Set the sliders of this group to zero"
MIRROR = "Mirror"
MIRROR_TIP = "Swap the left and the right half of the expression"
RANDOM = "Random"
RANDOM_TIP = "Make an expression at random such as a face can make; another seed, another one"
SEED = "Seed"
SEED_TIP = "The same number makes the same expression"
STRENGTH = "Strength"
STRENGTH_TIP = "How strong the expression is"
KEY_ALL = "Key All"
KEY_ALL_TIP = "Insert a keyframe for every expression slider at this frame"
DELETE_KEYS = "Delete Keys"
DELETE_KEYS_TIP = "Delete the keyframes of all expression sliders at this frame"
NO_KEYS = "There are no keyframes at this frame"
COPY_FROM = "Copy From"
COPY_FROM_TIP = "Take the expression of another head, slider by slider of the same name"
NO_OTHER_HEAD = "There is no other head in this file"
PHOTO_EXPRESSION = "As in the Photo"
PHOTO_EXPRESSION_TIP = "Set the expression that was found in the photo"
PINNED = "Pinned: only {} is shown"
UNPIN = "Unpin"
LINKED = "Linked from another file: make a library override to edit it"
EMPTY_HEAD = "This head has no shape keys any more"
GROUP = "Group"
SOURCE = "Head"


def keyed(count: int, frame: int, left_out: int) -> str:
    """The message after keying."""
    driven = f"; {left_out} moved by drivers took none" if left_out else ""
    return f"Keyed {count} sliders at frame {frame}{driven}"


def deleted_keys(count: int, frame: int) -> str:
    """The message after deleting keyframes."""
    return f"Deleted {count} keyframes at frame {frame}"


def no_such_head(name: str) -> str:
    """When the head to copy from is not there."""
    return f"There is no head '{name}' in this file; choose another."


# -- expressions as assets

SAVE_EXPRESSION = "Save Expression"
SAVE_EXPRESSION_TIP = (
    "Save the sliders as an asset of this file: an action on shape keys with a picture, for the "
    "asset browser. It fits every head of the same face model; Blender's pose library itself "
    "knows only bones"
)
APPLY_EXPRESSION = "Apply Expression"
APPLY_EXPRESSION_TIP = "Give the active head an expression that was saved in this file"
EXPRESSIONS = "Expressions"
NO_EXPRESSIONS = "No expression is saved in this file"
ASSET_NAME = "Name"
ASSET_NAME_TIP = "Under which it is found"
ASSET_TAGS = "Tags"
ASSET_TAGS_TIP = "Words to find it by, separated by commas"
ASSET_DESCRIPTION = "Description"
ASSET_DESCRIPTION_TIP = "Shown in the asset browser"
NEW_EXPRESSION = "Expression"
BLEND = "Blend"
BLEND_TIP = "0 leaves the head as it is, 1 is the saved expression"


def saved_expression(name: str) -> str:
    """The message after saving."""
    return f"Saved the expression {name}; it stays when the file is saved"


def no_such_expression(name: str) -> str:
    """When the action is not there."""
    return f"There is no saved expression '{name}' in this file; choose another."


# -- export

EXPORT_PANEL = "Export"
EXPORT = "Export"
EXPORT_TIP = (
    "Write the active head as it is now, with its expression and texture, to files; its place is "
    "where you moved it, or the origin. A .blend holds the whole open file"
)
EXPORT_FOLDER = "Folder"
EXPORT_FOLDER_TIP = "Where the files go; empty: beside the .blend"
EXPORT_NAME = "Name"
EXPORT_NAME_TIP = "Of the files, without an ending; empty: the head's"
EXPORT_FORMATS = "Formats"
EXPORT_FORMATS_TIP = "Which files are written; hold Shift for several"
EXPORT_PATH_TIP = "Folder and name of the files; the ending is the format's"
NO_FORMAT = "Choose at least one format."
NO_FOLDER = "This file is not saved yet, so there is no place beside it; choose a folder."
LEAVE_MODE = "Leave the edit or sculpt mode first"


def exported(names: list[str], folder: str) -> str:
    """The message after the export."""
    return f"Wrote {', '.join(names)} to {folder}"


def still(formats: list[str], frame: int) -> str:
    """When the head is animated and a format holds one frame only."""
    return (
        f"The head is animated: {', '.join(formats)} hold{'s' if len(formats) == 1 else ''} its "
        f"expression at frame {frame} only; the .blend keeps the animation."
    )


def bad_name(name: str) -> str:
    """When a file cannot be called so."""
    return f"A file cannot be called '{name}'; leave out / \\ : * ? \" < > |."


# -- verify

VERIFY_PANEL = "Verify"
VERIFY = "Verify Head"
VERIFY_TIP = (
    "Render the head from its photo's camera with Cycles and with PyTorch3D, and compare both, "
    "pass by pass, and with the photo"
)
VERIFY_FILE = "The .npz file that the head was built from"
VERIFY_ALL = "All Measures"
VERIFY_ALL_TIP = "List every measure with its limit"
VERIFY_SCENE = {True: "Shows what was reconstructed", False: "Shows something else"}
VERIFY_PHOTO = {True: "Explains the photo", False: "Differs from the photo"}
SHOW_DIFFERENCE = "Show Differences"
SHOW_DIFFERENCE_TIP = "Show both renderings and their differences in the image editor"
EXPRESSION_CHANGED = (
    "The expression is not the photo's any more, so the surface is elsewhere; reset it to verify "
    "the fit"
)
NO_IMAGE_EDITOR = "The picture is in the image editor's list as"
LIGHTS = {
    "good": "The photo shows the face well",
    "fair": "Some of the face is guessed: look at its far and covered parts",
    "poor": "Mostly guessed: use a better photo",
    "unknown": "Not known: this head does not say",
}
CONFIDENCE = "Confidence"
FOUND_BY = "Shape from"
SOURCES = {
    "network": "the whole face",
    "landmarks": "landmarks alone",
}
NO_SECOND_RENDERER = (
    "Verify Head compares this head with what another renderer, PyTorch3D, makes of it. That is "
    "not on this machine; how well the photo shows the face is told without it"
)
LANDMARK_DISTANCE = "Landmarks"
CORRECTED = "Set by hand"
SECONDS = "Took"
MODEL_USED = "Face model"
QUALITY_USED = "Quality"


def confidence(score: float, good: float) -> str:
    """The backend's score, and from which on nothing is worth saying."""
    return f"{score:.0%} (good from {good:.0%} on)"


def landmark_distance(pixels: float, share: float | None) -> str:
    """How far the fitted landmarks are from those that were seen."""
    part = "" if share is None else f" ({share:.1%} of the face)"
    return f"{pixels:.1f} px off{part}"


def verified(name: str, scene: bool, photo: bool) -> str:
    """When a verification has ended."""
    return f"{name}: {VERIFY_SCENE[scene].lower()}, {VERIFY_PHOTO[photo].lower()}."


# -- presets

PRESETS = "Settings Presets"
ADD_PRESET = "Add Settings Preset"
ADD_PRESET_TIP = "Keep the settings under a name, or remove one of yours"


def shipped_preset(name: str) -> str:
    """When a preset of the add-on is to be removed."""
    return f"{name} comes with the add-on and stays; remove presets of your own."


# -- face models of the user's own

IMPORT_MODEL = "Import Face Model"
IMPORT_MODEL_TIP = (
    "Convert the files of a face model that you own, such as BFM.mat together with exp_80k.npz, "
    "for use here. Choose all files that belong together"
)
MODEL_NAME = "Name"
MODEL_NAME_TIP = "What the face model is called from then on; empty: as its kind is called"
REPLACE_MODEL = "Replace"
REPLACE_MODEL_TIP = "Put it in place of a face model of the same name"
CHOOSE_MODEL = "Choose the files of a face model."
REMOVE_MODEL = "Remove Face Model"
REMOVE_MODEL_TIP = "Delete the imported face model; heads that were made with it stay"
SHOW_CARD = "Show Card"
SHOW_CARD_TIP = "Open the picture of its mean, its first modes and its expressions"
NO_CARD = "There is no picture of this face model; import it again"
FACE_MODELS = "Face models"


def imported_model(name: str, facts: str) -> str:
    """The message after an import."""
    return f"Imported {name}: {facts}"


def removed_model(name: str) -> str:
    """The message after a removal."""
    return f"Removed the face model {name}"
