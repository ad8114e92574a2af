"""The options of a reconstruction: the one list from which every way of asking for one is made.

The pipeline, the worker, the backend process, the jobs, the Python calls, the batch, the command
lines and the sidebar take their options, defaults, choices and texts from :class:`Options`.
Standard library only, because both sides of the exchange import it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ..errors import OptionError

DEFAULT_MODEL = "default"

#: (index, x, y), see :attr:`Options.corrected`.
Corrected = tuple[tuple[int, float, float], ...]


@dataclass(frozen=True)
class Choice:
    """A value that an option can have, for people."""

    value: str
    label: str
    tip: str  #: what it means; a phrase that starts with a capital, without a full stop


@dataclass(frozen=True)
class About:
    """What people are told of an option, and how they give it."""

    label: str
    #: A phrase as of :class:`Choice`; of a switch: what switching it over means, which is off where
    #: it is on by default
    tip: str
    choices: tuple[Choice, ...] = ()  #: all values there are
    offered: tuple[Choice, ...] = ()  #: values to choose from where others may be typed
    between: tuple[int, int] | None = None  #: the lowest and the highest number
    flag: str = ""  #: on command lines; "" where these do not take it
    metavar: str | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The values of its choices."""
        return tuple(choice.value for choice in self.choices)


def phrase(tip: str) -> str:
    """``tip`` as it goes on after other words."""
    return tip[:1].lower() + tip[1:]


def _option(default: Any, label: str, tip: str, **more: Any) -> Any:
    return field(default=default, metadata={"about": About(label, tip, **more)})


_TEXTURES = (
    Choice("albedo", "Skin colour", "The photo with its lighting divided out, to be lit anew"),
    Choice("photo", "As photographed", "The photo's colours with its light and shadow"),
    Choice("none", "None", "Plain materials without a texture"),
)
_SIZES = (
    Choice("512", "512", "For small or many heads"),
    Choice("1024", "1024", "For games"),
    Choice("2048", "2048", "For pictures in which the head is large"),
    Choice("4096", "4096", "For close-ups, of photos that hold so much detail"),
)
_ESTIMATES = (
    Choice("network", "Whole Face", "What a trained network sees of it, refined on the photo"),
    Choice(
        "landmarks", "Landmarks", "A fit to the 68 landmarks alone: quick, of frontal faces only"
    ),
)
_QUALITIES = (
    Choice("fast", "Fast", "A first estimate, corrected by the landmarks"),
    Choice("balanced", "Balanced", "Refined on the photo's pixels, in about two seconds"),
    Choice("best", "Best", "Refined further, in several seconds"),
)
_HAIR = (
    Choice("none", "None", "No strands: a bald head with the hair's colour on the scalp"),
    Choice("photo", "From the Photo", "Strands that follow what is seen of the hair"),
    Choice("crop", "Crop", "A ready style: cropped"),
    Choice("side-part", "Side Part", "A ready style: short, combed aside"),
    Choice("bob", "Bob", "A ready style: straight to the chin"),
    Choice("long-straight", "Long, Straight", "A ready style: straight, over the shoulders"),
    Choice("long-wavy", "Long, Wavy", "A ready style: in waves, over the shoulders"),
    Choice("curly", "Curly", "A ready style: loose curls"),
    Choice("afro", "Afro", "A ready style: tight curls that stand off"),
    Choice("bun", "Bun", "A ready style: combed back into a knot"),
)
_HAIR_COLOURS = (
    Choice("photo", "From the Photo", "As it is in the photo"),
    Choice("black", "Black", "Black hair"),
    Choice("dark-brown", "Dark Brown", "Dark brown hair"),
    Choice("brown", "Brown", "Brown hair"),
    Choice("light-brown", "Light Brown", "Light brown hair"),
    Choice("blond", "Blond", "Blond hair"),
    Choice("platinum", "Platinum", "Very light blond hair"),
    Choice("auburn", "Auburn", "Reddish brown hair"),
    Choice("red", "Red", "Red hair"),
    Choice("grey", "Grey", "Grey hair"),
    Choice("white", "White", "White hair"),
)
_EXPRESSIONS = (
    Choice(
        "native",
        "The Model's Own",
        "As the face model has them: principal components, often",
    ),
    Choice("arkit", "ARKit", "The 52 shapes of ARKit by name, whatever the face model"),
)


@dataclass(frozen=True)
class Options:
    """What can be chosen of a reconstruction.

    Raises :class:`OptionError`, which is a ValueError too, with one sentence for a value that is
    none and for values that exclude each other.
    """

    #: "largest", "all", or 1 for the largest, 2 for the next ...
    face: int | str = _option(
        "largest",
        "Face",
        "Which face: the largest, the N-th largest, or all of them",
        flag="--face",
        metavar="largest|N|all",
    )
    #: One of :data:`TEXTURE_MODES`
    texture: str = _option(
        "albedo", "Texture", "What the head's texture holds", choices=_TEXTURES, flag="--texture"
    )
    #: Side of the square texture in pixels
    texture_size: int = _option(
        2048,
        "Texture Size",
        "Width and height of the head's texture in pixels",
        offered=_SIZES,
        between=(128, 8192),
        flag="--texture-size",
        metavar="N",
    )
    #: :data:`DEFAULT_MODEL`, an imported model's name, or the file of one
    model: str = _option(
        DEFAULT_MODEL,
        "Face Model",
        f"The face model: '{DEFAULT_MODEL}', the name of an imported one, or the file of one in "
        "this project's format",
        flag="--model",
    )
    #: One of :data:`ESTIMATES`
    estimate: str = _option(
        "network", "Shape From", "What the head is found by", choices=_ESTIMATES, flag="--estimate"
    )
    #: One of :data:`QUALITIES`
    quality: str = _option(
        "balanced",
        "Quality",
        "How far the head is refined on the photo",
        choices=_QUALITIES,
        flag="--quality",
    )
    #: False: do without dlib's landmark file (see the licence note)
    landmarks: bool = _option(
        True,
        "Use dlib's Landmarks",
        "Do without dlib's landmark file, which was trained on data whose terms exclude commercial "
        "use",
        flag="--no-landmarks",
    )
    #: (index 0..67, x, y) of landmarks set by hand, in pixels of ``Reconstruction.image_size``
    corrected: Sequence[Sequence[float]] | None = _option(
        None, "Corrected Landmarks", "Landmarks of the face that were set by hand"
    )
    #: Look for turned faces beside the upright ones too, which takes seconds; not for "largest"
    thorough: bool = _option(
        True, "Look Closer", "Number only the faces that are seen at once, not the turned ones"
    )
    #: One of :data:`EXPRESSIONS`: "arkit" gives ARKit's 52 shapes on the face model's mesh
    expressions: str = _option(
        "native",
        "Expressions",
        "Which shape keys the head gets",
        choices=_EXPRESSIONS,
        flag="--expressions",
    )
    #: A network that 'models import-network' made for ``model``: the refinement starts from its
    #: answer, and "fast" gives that as it is
    network: str = _option(
        "",
        "Own Network",
        "Start from what this network says, which 'models import-network' made for the face model",
        flag="--network",
        metavar="NAME",
    )

    #: Only the default model has one
    bust: bool = _option(
        False,
        "Bust",
        "Continue the head with shoulders and the upper chest, cut off like a sculptor's bust",
        flag="--bust",
    )
    #: Bones for neck, head, jaw and eyes, and a board of controls; needs ARKit's expressions
    rig: bool = _option(
        False,
        "Rig",
        "Bones for neck, head, jaw and eyes, and a board with controls of the face",
        flag="--rig",
    )
    #: Objects that share the head's mesh
    parts: bool = _option(
        False,
        "Parts as Objects",
        "Eyes, teeth, tongue and lashes as objects of their own, moved by the same shape keys",
        flag="--parts",
    )
    #: A displacement, and a normal map that shows it; needs a texture
    detail: bool = _option(
        False,
        "Detail",
        "Wrinkles, folds and lines of the photo as a displacement and in the normal map",
        flag="--detail",
    )
    #: One of :data:`HAIR`
    hair: str = _option(
        "photo", "Hair", "Strands of hair on the head", choices=_HAIR, flag="--hair"
    )
    #: Percent of the strands there are without it; they get thicker as they get fewer
    hair_density: int = _option(
        100,
        "Hair Density",
        "How many strands of hair, in percent of the usual; fewer are thicker",
        between=(10, 200),
        flag="--hair-density",
        metavar="PERCENT",
    )
    #: Percent of the length that photo or style give
    hair_length: int = _option(
        100,
        "Hair Length",
        "How long the hair is, in percent of what the photo or the style says",
        between=(20, 200),
        flag="--hair-length",
        metavar="PERCENT",
    )
    #: One of :data:`HAIR_COLOURS`
    hair_colour: str = _option(
        "photo", "Hair Colour", "The hair's colour", choices=_HAIR_COLOURS, flag="--hair-colour"
    )

    #: Those that the texture shows; needs one, and :attr:`hair`
    brows: bool = _option(
        True, "Brows", "No strands of the eyebrows, which are painted as well", flag="--no-brows"
    )
    #: The one that the photo shows, if it surely does; needs a texture, and :attr:`hair`
    beard: bool = _option(
        True, "Beard", "No strands of a beard, which is painted as well", flag="--no-beard"
    )

    #: Of several photos of a person: take those too that seem to show somebody else
    force_person: bool = _option(
        False,
        "Take Every Photo",
        "Of several photos of a person, use those too that seem to show somebody else",
        flag="--force-person",
    )

    def __post_init__(self) -> None:
        for known in fields(self):
            if known.name not in ("face", "corrected"):
                _check(known.name, getattr(self, known.name), known.default, ABOUT[known.name])
        whole = isinstance(self.face, int) and not isinstance(self.face, bool) and self.face >= 1
        if not whole and self.face not in ("largest", "all"):
            raise OptionError(f"face is {self.face!r}; give 'largest', 'all' or a number from 1.")
        if self.estimate == "landmarks" and not self.landmarks:
            raise OptionError("The estimate from landmarks needs landmarks; use the network's.")
        if self.network and self.estimate == "landmarks":
            raise OptionError(
                f"The estimate from landmarks does not ask the network {self.network!r}; leave one "
                "of them out."
            )
        if self.bust and self.model != DEFAULT_MODEL:
            raise OptionError(
                f"Only the face model '{DEFAULT_MODEL}' has a bust, not '{self.model}'; leave one "
                "of them out."
            )
        object.__setattr__(self, "corrected", checked_corrections(self.corrected))
        if self.corrected and self.face == "all":
            raise OptionError("Corrected landmarks are those of one face; give its number.")

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it, for requests and records."""
        points = self.corrected
        listed = None if points is None else [list(point) for point in points]
        return asdict(self) | {"corrected": listed}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Options:
        """From :meth:`to_dict`; what is left out has its default.  Raises :class:`OptionError`."""
        for name in values:
            if name not in ABOUT:
                raise OptionError(f"There is no option {name!r}; give some of {', '.join(ABOUT)}.")
        return cls(**values)

    def with_named(self, named: Mapping[str, Any]) -> Options:
        """These with those of ``named`` in their places.  Raises :class:`OptionError`."""
        return self.from_dict(self.to_dict() | dict(named)) if named else self


#: Of every option, in their order.
ABOUT: dict[str, About] = {known.name: known.metadata["about"] for known in fields(Options)}
TEXTURE_MODES = ABOUT["texture"].values
ESTIMATES = ABOUT["estimate"].values
QUALITIES = ABOUT["quality"].values
EXPRESSIONS = ABOUT["expressions"].values
HAIR = ABOUT["hair"].values
HAIR_COLOURS = ABOUT["hair_colour"].values


def _check(name: str, value: Any, default: Any, about: About) -> None:
    """Raise :class:`OptionError` unless ``value`` is of the default's kind and a choice."""
    if about.choices:
        if value not in about.values:
            raise OptionError(f"{name} is {value!r}; give one of {about.values}.")
    elif about.between is not None:
        low, high = about.between
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise OptionError(f"{name} is {value!r}; give {low} to {high}.")
    elif isinstance(default, bool):
        if not isinstance(value, bool):
            raise OptionError(f"{name} is {value!r}; give True or False.")
    elif not isinstance(value, str):
        raise OptionError(f"{name} is {value!r}; give a text.")


def checked_corrections(points: Sequence[Sequence[Any]] | None) -> Corrected | None:
    """``points`` as plain numbers in the order of their indices; None where there is none.

    Raises :class:`OptionError` for an index that is none, a number that is not finite, or two
    points of one index.
    """
    found: dict[int, tuple[int, float, float]] = {}
    try:
        listed = [] if points is None else list(points)
    except TypeError as error:
        raise OptionError(f"corrected is {points!r}; give a list of (index, x, y).") from error
    for point in listed:
        try:
            index, x, y = point
            whole, x, y = int(index), float(x), float(y)
        except (TypeError, ValueError, OverflowError) as error:
            raise OptionError(
                f"A corrected landmark is {point!r}; give (index, x, y), three numbers."
            ) from error
        if whole != index or isinstance(index, bool) or not 0 <= whole < 68:
            raise OptionError(f"A corrected landmark has the index {index!r}; give 0 to 67.")
        if not (math.isfinite(x) and math.isfinite(y)):
            raise OptionError(f"The corrected landmark {whole} is at {x}, {y}; give finite pixels.")
        if whole in found:
            raise OptionError(f"The corrected landmark {whole} is given twice; give it once.")
        found[whole] = (whole, x, y)
    return tuple(found[index] for index in sorted(found)) or None
