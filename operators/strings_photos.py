"""What the add-on says about several photos of one person; the rest is in :mod:`.strings`."""

from __future__ import annotations

ADD_PHOTOS = "Add Photos of This Person"
ADD_PHOTOS_TIP = (
    "Add further photos of the same person, from other sides: one head is then made from all of "
    "them. Hold Shift or Ctrl to choose several"
)
FURTHER = "Further Photos"
FURTHER_TIP = "Further photos of the person in the first photo"
FURTHER_PHOTO_TIP = "A further photo of the same person"
STATES = (
    ("NEW", "Not Used Yet", "The next reconstruction looks at it"),
    ("USED", "Used", "The last head was made from it"),
    ("LEFT_OUT", "Left Out", "The last head was made without it"),
)
TOLD = "Why it was left out"
REMOVE_PHOTO = "Remove Photo"
REMOVE_PHOTO_TIP = "Take the photo off the list; its file stays"
MOVE_PHOTO = "Move Photo"
MOVE_PHOTO_UP_TIP = "Move the photo up; from the first place it becomes the photo above the list"
MOVE_PHOTO_DOWN_TIP = "Move the photo down"
CLEAR_PHOTOS = "Clear Photos"
CLEAR_PHOTOS_TIP = "Take all further photos off the list, to make a head from one photo again"

STEP_PHOTO = "Another Photo"
NEXT_PHOTO_TIP = (
    "See the head as its next photo does. The sliders take that photo's expression as long as you "
    "have not changed or animated them; leaving the view gives the first photo's back"
)
PREVIOUS_PHOTO_TIP = NEXT_PHOTO_TIP.replace("next", "previous")
ADD_TO_HEAD = "Add Photos"
ADD_TO_HEAD_TIP = (
    "Fit this head to further photos of the same person as well; its place, materials, keyframes "
    "and what you sculpted stay"
)
LEAVE_OUT = "Leave Out"
LEAVE_OUT_TIP = (
    "Fit this head again without the photo that is shown; its place, materials, keyframes and what "
    "you sculpted stay"
)


def more_of_same(count: int) -> str:
    """What the photos in the list are, beside the one above it."""
    return f"{count} more photo{'' if count == 1 else 's'} of the SAME person"


def from_photos(count: int) -> str:
    """The button."""
    return f"One Head from {count} Photos"


def added(count: int, known: int, over: int, most: int) -> str:
    """What became of the photos that were chosen for the list."""
    said = [f"Added {count} photo{'' if count == 1 else 's'}"]
    if known:
        said.append(f"{known} {'was' if known == 1 else 'were'} there already")
    if over:
        said.append(f"{over} left out, as a person has {most} at most")
    return "; ".join(said)


def dropped(count: int) -> str:
    """When several pictures were dropped at once."""
    return f"Took {count} photos as those of one person; drop one alone for another person."


def photo_of(number: int, count: int, name: str) -> str:
    """Which photo of a head is shown; ``number`` counts from 1."""
    return f"Photo {number} of {count}: {name}"


def used(count: int, given: int) -> str:
    """The message after a head was made from several photos."""
    if count == given:
        return f"Used all {given} photos"
    return f"Used {count} of {given} photos"


def corrections(count: int) -> str:
    """How many landmarks of the photo that is shown were set by hand."""
    return f"{count} landmark{'' if count == 1 else 's'} set by hand here"
