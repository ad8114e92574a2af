"""Operators and the settings they share with the panels."""

from . import reconstruct, settings


def register() -> None:
    """Add settings, then what uses them."""
    settings.register()
    reconstruct.register()


def unregister() -> None:
    """Remove them in the opposite order."""
    reconstruct.unregister()
    settings.unregister()
