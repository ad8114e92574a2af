"""Operators and the settings they share with the panels.

A module here has ``CLASSES``, and ``register_more`` / ``unregister_more`` where there is more to
add to Blender than classes.
"""

from __future__ import annotations

from . import (
    animate,
    animation,
    export,
    expression,
    face_models,
    installation,
    landmarks,
    live,
    own_mesh,
    person,
    photo,
    pose_asset,
    presets,
    reconstruct,
    refit,
    rig,
    rigs,
    running,
    session,
    settings,
    speech,
    targets,
    turntable,
    verify,
    view,
)
from .registering import add_modules, remove_modules

#: In the order they are added: what others refer to comes first.
MODULES = (
    session, settings, installation, photo, person, running, face_models, reconstruct, view, refit,
    turntable, landmarks, expression, pose_asset, targets, export, presets,
    verify, animation, animate, live, rig, rigs, own_mesh, speech,
)  # fmt: skip


def register() -> None:
    """Add settings, then what uses them."""
    add_modules(MODULES)


def unregister() -> None:
    """Remove them in the opposite order."""
    remove_modules(MODULES)
