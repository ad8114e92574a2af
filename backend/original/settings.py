"""The settings of the old script, by their old names: a TOML file, and what the flags change."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..bounded import plain, read_toml, reading
from ..errors import ModelError
from .face import SHAPE, TEXTURE
from .network import SIZE


@dataclass(frozen=True)
class Settings:
    """What is done with which files; paths in a file are relative to it."""

    n_tex_para: int = TEXTURE
    n_shape_para: int = SHAPE
    param_mean_std_path: str = ""  #: stats_80k.npz; empty: what the network was converted with
    bfm_path: str = ""  #: BFM.mat
    exp_path: str = ""  #: exp_80k.npz
    pd_model_path: str = ""  #: a converted network's name, or the folder of a SavedModel
    image_size: int = SIZE
    image_folder: str = ""
    image_names: tuple[str, ...] = ()  #: empty: all pictures of the folder
    batch_size: int = 8
    save_rendered_to: str = "out"
    aligned: bool = False  #: the pictures are FFHQ crops already, and only resized

    def checked(self) -> Settings:
        """Self, or :class:`ModelError` with the first setting that cannot be followed."""
        for name, wanted in (
            ("n_tex_para", TEXTURE),
            ("n_shape_para", SHAPE),
            ("image_size", SIZE),
        ):
            if getattr(self, name) != wanted:
                raise ModelError(
                    f"{name} is {getattr(self, name)}; the original's network has {wanted}."
                )
        if self.batch_size < 1:
            raise ModelError(f"batch_size is {self.batch_size}; give at least 1.")
        for name, wanted in (
            ("bfm_path", "BFM.mat"),
            ("pd_model_path", "a converted network or trained_model_20200725"),
        ):
            if not getattr(self, name):
                flag = name.replace("_", "-")
                raise ModelError(f"{name} is missing: give --{flag} with {wanted}.")
        return self

    def pictures(self) -> list[Path]:
        """What to work on: files, or the whole folder."""
        folder = Path(self.image_folder)
        return [folder / name for name in self.image_names] or [folder]


def read_settings(path: Path) -> Settings:
    """The settings in the TOML file ``path``.  Raises :class:`ModelError`."""
    with reading(ModelError, path, "a file of settings"):
        values = read_toml(path)
    return changed(Settings(), values, path.name, path.parent)


def changed(
    settings: Settings, values: dict[str, Any], where: str, folder: Path | None = None
) -> Settings:
    """``settings`` with ``values``, of which ``where`` says where they are from.

    Paths are taken relative to ``folder``.  Raises :class:`ModelError`.
    """
    known = {field.name: type(getattr(Settings(), field.name)) for field in fields(Settings)}
    out: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise ModelError(
                f"{where} has {plain(name, 60)}, which is no setting; there are {list(known)}."
            )
        kind = known[name]
        if kind is tuple:
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
                raise ModelError(f"{name} in {where} is not a list of file names.")
            value = tuple(value)
        elif type(value) is not kind:
            shown = plain(repr(value), 60)
            raise ModelError(f"{name} in {where} is {shown}, not a {_CALLED[kind]}.")
        if folder is not None and value and name in _PATHS:
            place = folder / str(value)
            # A converted network has a name, not a path.
            value = str(place) if name != "pd_model_path" or place.exists() else value
        out[name] = value
    return replace(settings, **out)


_CALLED = {int: "whole number", str: "text", bool: "true or false"}
_PATHS = {
    "param_mean_std_path",
    "bfm_path",
    "exp_path",
    "pd_model_path",
    "image_folder",
    "save_rendered_to",
}
