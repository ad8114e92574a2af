"""Bones and controls for a head: an armature, what its bones weigh, a board of face controls.

``build.py`` makes the armature, ``lead.py`` says whether bones drive the shape keys or are driven
by them, ``pose.py`` sets and reads the face through them, ``skin.py`` makes the head what other
programs expect of a skinned mesh while it is exported.
"""
