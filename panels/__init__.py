"""The sidebar."""

from . import sidebar


def register() -> None:
    """Add the panels."""
    sidebar.register()


def unregister() -> None:
    """Remove the panels."""
    sidebar.unregister()
