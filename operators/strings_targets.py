"""What the interface says about targets of an export."""

from __future__ import annotations

TARGET = "For"
TARGET_TIP = "The program that the files are for; it is kept with the head"
ANY = "Any Program"
ANY_TIP = "The formats that are chosen below"
#: By what can be changed of a target: its name, and what it does.
CHANGES = {
    "texture": ("Pictures", "Longest side of the pictures, in pixels"),
    "levels": (
        "Levels of Detail",
        "How many: 1 is the whole head, 2 has 40 % of its triangles, 3 12 %",
    ),
    "visemes": ("Visemes", "Shape keys of the 15 visemes beside ARKit's, in the file only"),
    "compression": ("Compression", "Of the numbers in a .glb"),
    "skeleton": ("Bones", "Neck, head, jaw and eyes with weights, named for a program"),
    "neutral": ("At Rest", "Write the face at rest instead of as it is now"),
}
#: By what can be changed, by its value.
VALUES = {
    "texture": {0: "As They Are"},
    "visemes": {
        "none": "None",
        "oculus": "Meta (viseme_ih)",
        "readyplayerme": "Ready Player Me (viseme_I)",
        "vrchat": "VRChat (vrc.v_ih)",
    },
    "compression": {
        "none": "None",
        "quantised": "8 and 16 Bits",
        "meshopt": "Meshopt",
    },
    "skeleton": {
        "none": "None",
        "unreal": "Unreal",
        "unity": "Unity",
        "vrm": "VRM",
        "blender": "Blender",
    },
}
