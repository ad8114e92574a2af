"""Pictures for people: the four-panel preview of one face, and the contact sheet of many."""

from .compose import compose_preview
from .contact_sheet import contact_sheet
from .files import write_contact_sheet, write_preview
from .thumbnails import face_thumbnail, photo_thumbnail, write_thumbnails
from .window import preview_window, window_camera, window_pixels

__all__ = [
    "compose_preview",
    "contact_sheet",
    "face_thumbnail",
    "photo_thumbnail",
    "preview_window",
    "window_camera",
    "window_pixels",
    "write_contact_sheet",
    "write_preview",
    "write_thumbnails",
]
