"""What goes on while Blender is open: the photo looked at, the run, the last failure.

Nothing of it is saved with the file, and nothing of it is Blender data, so that undo and loading
another file cannot break it.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from ..backend.errors import FaceError
    from ..scene.jobs import Detection, Job

#: How often a running job is looked at: a cancel must be seen within half a second.
INTERVAL_S = 0.1


@dataclass
class InspectedPhoto:
    """A photo that the faces are looked for in, or were found in."""

    photo: str
    folder: Path  #: of the thumbnails
    job: Job[Detection]
    thorough: bool  #: whether faces that are hard to see were looked for too
    found: Detection | None = None
    failure: str = ""  #: the sentence
    icon: int = 0  #: of the whole photo
    faces: list[int] = field(default_factory=list)  #: icons of the faces, largest first
    drawn: float = -1.0  #: the progress that the panel shows


@dataclass(frozen=True)
class Failure:
    """What went wrong last, for the panel."""

    sentence: str
    code: str  #: of the :class:`FaceError`
    report: Path | None  #: the file with the details
    place: str = "reconstruct"  #: of the panel that shows it


@dataclass
class LandmarkEditing:
    """What the panel's buttons tell the operator that drags landmarks."""

    wanted: str = ""  #: "fit" or "cancel", once a button was pressed


class Session:
    """The state that operators change and panels draw."""

    def __init__(self) -> None:
        self.run: Job[Any] | None = None  #: the reconstruction that goes on
        self.place = ""  #: which panel it was started in
        self.editing: LandmarkEditing | None = None  #: the landmarks that are being dragged
        self.look: InspectedPhoto | None = None
        self.failure: Failure | None = None
        self._previews: Any = None

    # -- the run

    @property
    def busy(self) -> bool:
        """Whether something goes on that another run would disturb."""
        return self.run is not None or self.editing is not None

    def fail(
        self, error: FaceError, doing: str, options: dict[str, Any], place: str = "reconstruct"
    ) -> None:
        """Keep ``error`` for the panel ``place`` and write its report."""
        from ..scene.report import write_report

        report = write_report(error, doing=doing, options=options)
        self.failure = Failure(str(error), error.code, report, place)
        redraw()

    # -- the photo

    def look_at(self, photo: str, *, thorough: bool = False) -> None:
        """Have the faces of ``photo`` found; "" forgets the last."""
        from ..scene import jobs

        self.forget_look()
        if not photo:
            return
        # Not in bpy.app.tempdir: that changes with the file.
        folder = Path(tempfile.mkdtemp(prefix="reconstruct_face-look-"))
        job = jobs.start_detection(photo, folder, thorough=thorough)
        self.look = InspectedPhoto(photo, folder, job, thorough)
        if not bpy.app.timers.is_registered(_follow):
            bpy.app.timers.register(_follow, first_interval=INTERVAL_S, persistent=True)

    def forget_look(self) -> None:
        """Stop looking and remove the thumbnails."""
        look, self.look = self.look, None
        if look is not None:
            look.job.cancel()
            shutil.rmtree(look.folder, ignore_errors=True)
        if self._previews is not None:
            bpy.utils.previews.remove(self._previews)
            self._previews = None

    def follow(self) -> float | None:
        """Take the faces once they are found; the seconds until it should be asked again."""
        look = self.look
        if look is None or look.found is not None or look.failure:
            return None
        if not look.job.poll():
            if look.drawn != look.job.fraction:
                look.drawn = look.job.fraction
                redraw()
            return INTERVAL_S
        redraw()
        if look.job.state == "failed":
            look.failure = str(look.job.error)
        elif look.job.state == "done":
            look.found = look.job.result()
            self._show(look)
        return None

    def _show(self, look: InspectedPhoto) -> None:
        import bpy.utils.previews

        assert look.found is not None
        self._previews = bpy.utils.previews.new()
        pictures = [look.found.thumbnail, *look.found.faces]
        icons = [self._previews.load(str(path), str(path), "IMAGE") for path in pictures]
        look.icon, *look.faces = [icon.icon_id for icon in icons]

    def close(self) -> None:
        """Forget everything."""
        if bpy.app.timers.is_registered(_follow):
            bpy.app.timers.unregister(_follow)
        self.forget_look()
        if self.run is not None:
            self.run.cancel()
        self.run = self.failure = self.editing = None


SESSION = Session()


def _follow() -> float | None:
    return SESSION.follow()


def redraw() -> None:
    """Have the sidebars and the status bar drawn again."""
    for window in bpy.context.window_manager.windows:
        # The status bar cannot be asked to be drawn, but for its text, which may be another's.
        if all(x.bl_idname.startswith("RECONSTRUCT_FACE_OT_") for x in window.modal_operators):
            window.workspace.status_text_set_internal(None)
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


@bpy.app.handlers.persistent
def _before_load(*_: object) -> None:
    """Another file is opened: what was shown belongs to the old one."""
    SESSION.close()


CLASSES = ()


def register_more() -> None:
    """Watch for other files."""
    bpy.app.handlers.load_pre.append(_before_load)


def unregister_more() -> None:
    """Forget everything."""
    bpy.app.handlers.load_pre.remove(_before_load)
    SESSION.close()
