"""What the add-on says about live capture; the rest is in :mod:`.strings`."""

from __future__ import annotations

PANEL = "Live Capture"
APP = "App"
APP_TIP = "Which app sends the face; packets of the others are read too, on the port that is set"
APP_ITEMS = (
    ("LIVE_LINK", "Live Link Face", "Epic's app for iPhone and iPad: add this address as a target"),
    ("IFACIALMOCAP", "iFacialMocap", "iFacialMocap or Facemotion3D; the phone is asked to send"),
    ("VMC", "VMC", "Whatever speaks the VMC protocol with ARKit's names (perfect sync)"),
    ("WEBCAM", "Webcam", "A camera of this machine; the backend follows the face in its pictures"),
)
CAMERA = "Camera"
CAMERA_TIP = "The camera's number: 0 is the first, often the one that is built in"
CAMERA_STARTS = "The camera is being started; look straight at it"
CAMERA_RUNS = "Camera: {:.0f} frames a second, {:.0f} ms late"
CAMERA_NO_FACE = "No face is seen; the head stays as it is"
PORT = "Port"
PORT_TIP = "The UDP port that is listened to; the app needs the same number"
ADDRESS = "Listen on"
ADDRESS_TIP = (
    "The address of this machine that is listened to: 0.0.0.0 is all of its networks, 127.0.0.1 "
    "only programs on this machine"
)
ONLY = "Only from"
ONLY_TIP = (
    "Addresses that may send, with commas between; empty: all in private networks. Packets of "
    "others are refused and counted"
)
PHONE = "Phone"
PHONE_TIP = (
    "The phone's address as iFacialMocap shows it; it is asked to send when listening starts"
)
WITH_POSE = "Head Pose"
WITH_POSE_TIP = "Turn the head too, by an empty above it"
START = "Listen"
START_TIP = "Open the port and let the active head follow the face that is heard"
STOP = "Stop Listening"
STOP_TIP = "Close the port; heads get the expression back that they had"
FOLLOW = "Follow"
FOLLOW_TIP = "Let the active head follow a face that is heard"
UNFOLLOW = "Do Not Follow"
UNFOLLOW_TIP = "Give the active head its expression back"
REST = "Set Rest"
REST_TIP = "What the face shows now is its rest, straight ahead: look at the camera, relaxed"
RECORD = "Record"
RECORD_TIP = "Keep what is heard, to become keyframes"
END_RECORD = "End Recording"
END_RECORD_TIP = "Make keyframes of what was recorded, as the settings of Animation say"
GAINS = "Gains"
GAINS_TIP = "How strongly each movement is taken: 1 is as the app sends it"
FIRST_HEARD = "First That Is Heard"
LISTENING = "Listening on {}, port {}"
TYPE_IN = "In the app: {}, port {}"
WAITING = "No face is heard yet"
SILENT = "{} is silent"
HEARD = "{}: {:.0f} frames a second"
RECORDING = "Frames recorded: {}"
NOT_LISTENING = "Nothing is listened to"
BAD = "Packets that were none: {}"
REFUSED = "Packets of other senders, refused: {}"
LATE = "Frames that came late: {}"
STILL_RECORDING = "The recording was ended before; its keyframes were not made."


def follows(head: str, face: str) -> str:
    """After a head was told to follow."""
    return f"{head} follows {face}"
