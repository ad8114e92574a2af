"""What the add-on says about rigs and parts."""

from __future__ import annotations

PANEL = "Rig"
ADD = "Add Rig"
ADD_TIP = (
    "Give the head bones for neck, head, jaw and eyes, and a board with controls of the face "
    "beside it. The face stays as it is"
)
REMOVE = "Remove Rig"
REMOVE_TIP = "Take the bones away; the face and what the shape keys are set to stay"
LEAD = "Driven By"
LEADS = {
    "bones": ("Bones", "Bones and board move the face; the sliders show it"),
    "keys": (
        "Shape Keys",
        "Sliders and their keyframes move the face; the bones show it",
    ),
}
HAND_OVER_TIP = "Let this one drive the other. What is animated is taken along, frame by frame"
POSE = "Pose"
POSE_TIP = "Select the rig and go to Pose Mode, or leave it"
FOLLOW = "Eyes Follow Target"
PARTS = "Parts as Objects"
PARTS_TIP = (
    "Make eyes, teeth, tongue and lashes objects of their own, which share the head's mesh and "
    "move with its shape keys; or put them back into it"
)
METARIG = "Rigify Metarig"
METARIG_TIP = (
    "Lay Rigify's face metarig out on the head, for Rigify's own Generate Rig. The head stays as "
    "it is"
)
RIGIFY_OFF = "Rigify is not enabled; enable it in the preferences, under Add-ons"
NO_RIG = "The head has no rig"


def handed_over(keyframes: int, lead: str) -> str:
    """What changing the lead did."""
    what = LEADS[lead][0].lower()
    if not keyframes:
        return f"{what.capitalize()} lead"
    return f"{what.capitalize()} lead; {keyframes} keyframes taken along"


def metarig_added(name: str) -> str:
    """Where to go on with a metarig."""
    return f"{name} is there; press Generate Rig in its Armature properties, under Rigify"
