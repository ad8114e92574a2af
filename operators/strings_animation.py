"""What the add-on says about animation; the rest is in :mod:`.strings`."""

from __future__ import annotations

ANIMATION_PANEL = "Animation"
SPEECH = "Mouth from Sound"
SPEECH_TIP = (
    "Listen to a recording of speech and let the active head's mouth say it, with keyframes. "
    "English phonemes, about half of them right; needs PocketSphinx in the backend's Python"
)
SOUND_FILE = "Sound"
CHOOSE_SOUND = "Choose a file with recorded speech."
IMPORT_MOTION = "Import Motion"
IMPORT_MOTION_TIP = (
    "Animate the active head by a file: Live Link Face's CSV, this add-on's CSV or .npz, or a list "
    "of phonemes with times (Rhubarb, Papagayo, labels)"
)
MOTION_FILE = "Motion"
CHOOSE_MOTION = "Choose a motion file first."
START_FRAME = "Start Frame"
START_FRAME_TIP = "The scene's frame at which the motion begins"
TOLERANCE = "Simplify"
TOLERANCE_TIP = (
    "Leave out keyframes as long as no weight is off by more than this; 0 keeps one for every frame"
)
EXISTING = "Existing"
EXISTING_TIP = "What becomes of the animation that the head has"
EXISTING_ITEMS = (
    ("keep", "Set Aside", "Keep it in the file as an action that nothing uses"),
    ("replace", "Replace", "Remove it, where nothing else uses it"),
    ("merge", "Merge", "Replace only the curves of the shape keys that the motion moves"),
)
WITH_POSE = "Head Pose"
WITH_POSE_TIP = "Turn and move the head too, by an empty above it; the camera stays"
WITH_SOUND = "Sound"
WITH_SOUND_TIP = "Add the recording's sound to the sequencer"
RATE = "Frame Rate"
RATE_TIP = "Of the recording, where its file does not tell; 0: as the file says"
ANGLES = "Angles"
ANGLES_TIP = "The unit of the head's angles in Live Link Face's CSV, which differs by version"
SWAP_ANGLES = "Swap Yaw and Pitch"
SWAP_ANGLES_TIP = "For a head that turns where it should nod: some programs swap the columns"
ANGLE_ITEMS = (
    ("radians", "Radians", ""),
    ("degrees", "Degrees", ""),
    ("half-turns", "Half Turns", "1 is 180 degrees"),
)
EXPORT_MOTION = "Export Motion"
EXPORT_MOTION_TIP = "Write how the active head moves in the scene's frame range"
MOTION_KIND = "As"
MOTION_KIND_ITEMS = (
    ("csv", "CSV", "Time, weights by name and head pose, for spreadsheets and scripts"),
    ("livelink", "Live Link Face CSV", "As Epic's app records: ARKit's weights by time code"),
    ("npz", "Numbers (.npz)", "For this add-on and for Python, without loss"),
)
EXPORT_ANIMATION = "Export Animation"
EXPORT_ANIMATION_TIP = "Write the animated head, frame by frame in the scene's range, to files"
ANIMATE_VIDEO = "Animate from Video"
ANIMATE_VIDEO_TIP = "Follow the face in a video, or a folder of frames, and animate a head with it"
VIDEO = "Video"
VIDEO_TIP = "A video, or a folder of frames"
CHOOSE_VIDEO = "Choose a video or a folder of frames first."
TAKE_CLIP = "Open Clip or Strip"
TAKE_CLIP_TIP = "Take a movie clip, or a strip of the sequencer, that is open in Blender"
NO_CLIP = "No movie clip and no movie or image strip is open in Blender"
TARGET = "Onto"
TARGET_TIP = "Which head is animated"
TARGET_ITEMS = (
    ("active", "Active Head", "The head that is selected"),
    ("new", "New Head", "A head of the person in the video"),
)
KEY_GROUP = "Key Group"
KEY_GROUP_TIP = "Insert a keyframe for every slider of the chosen groups"
KEYED_GROUPS = "Groups"
BLEND_HOLD = "Blend and Hold"
BLEND_HOLD_TIP = "From this frame on blend an expression in, hold it, and blend it out again"
EXPRESSION = "Expression"
BLEND_FRAMES = "Blend"
BLEND_FRAMES_TIP = "Frames in which it comes, and goes"
HOLD_FRAMES = "Hold"
HOLD_FRAMES_TIP = "Frames for which it stays"
BLEND_STRENGTH_TIP = "How much of the expression: 1 is all of it"
MIRROR_ANIMATION = "Mirror Animation"
MIRROR_ANIMATION_TIP = "Swap the curves of left and right, over all frames"
SYMMETRISE = "Copy Side"
SYMMETRISE_TIP = "Give the other side of the face the curves of this side, over all frames"
SIDE = "From"
SIDE_ITEMS = (("Left", "Left", "The head's left side"), ("Right", "Right", "Its right side"))
RETARGET = "Animation from"
RETARGET_TIP = "Copy the expression's animation of another head, by shape key name"
FIT = "Ranges"
FIT_TIP = "What happens where the heads' shape keys have different ranges"
FIT_ITEMS = (
    ("clamp", "Same Values", "Values stay as they are, within this head's ranges"),
    ("scale", "Same Share", "Values are scaled, so that the end of one range is that of the other"),
)
ADD_PRESETS = "Add Expression Presets"
ADD_PRESETS_TIP = "Save the basic expressions as assets of this file, drawn with the active head"
SPEECH = "Mouths of Speech"
SPEECH_TIP = "The 15 visemes too"
MORE_ANIMATION = "Curves"


def animated(name: str, shape_keys: int, first: float, last: float) -> str:
    """The message after a motion was put in."""
    return f"Animated {shape_keys} shape keys of {name}, frames {first:g} to {last:g}"


def set_aside(names: list[str]) -> str:
    """When actions were kept."""
    return f"What was there is kept as {', '.join(names)}"


def keyed_group(count: int, frame: int) -> str:
    """After keys were inserted for groups."""
    return f"Keyed {count} shape keys at frame {frame}"


def moved_curves(count: int) -> str:
    """After curves were mirrored or copied."""
    return f"{count} curves changed"


def retargeted(count: int, missing: list[str]) -> str:
    """After an animation was copied."""
    lacks = f"; it lacks {', '.join(missing[:6])}" if missing else ""
    return f"Copied the animation of {count} shape keys{lacks}"


def added_presets(count: int) -> str:
    """After presets were added."""
    return f"Added {count} expressions" if count else "The file has all of them already"
