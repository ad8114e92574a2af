"""One file that the user gave, and what it is: told by its content, never by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BFM, BASEL, DEEP3D, H5, ICT, FLAME, EOS = "bfm", "basel", "deep3d", "h5", "ict", "flame", "eos"
EXP, STATS, INFO, UV = "exp", "stats", "info", "uv"
EXP_PCA, STD_EXP, TRIM, FRONT = "exp_pca", "std_exp", "trim", "front"
BLENDSHAPES = "blendshapes"

#: What each kind of file is called in sentences.
CALLED = {
    BFM: "the Basel Face Model 2009 in face3d's form (BFM.mat)",
    BASEL: "the Basel Face Model 2009 as the university gives it (01_MorphableModel.mat)",
    DEEP3D: "Deep3DFaceRecon's face model (BFM_model_front.mat)",
    H5: "a Basel Face Model of 2017 or 2019 (.h5)",
    ICT: "ICT-FaceKit's folder FaceXModel",
    FLAME: "the FLAME head model",
    EOS: "a face model of the eos library, as Surrey's (.bin)",
    EXP: "expressions for the Basel Face Model 2009 (exp_80k.npz)",
    STATS: "the original network's statistics (stats_80k.npz)",
    INFO: "details for BFM.mat (BFM_info.mat)",
    UV: "texture coordinates for BFM.mat (BFM_UV.mat)",
    EXP_PCA: "3DFace's expressions (Exp_Pca.bin)",
    STD_EXP: "the expressions' deviations (std_exp.txt)",
    TRIM: "the index map from 01_MorphableModel.mat to the expressions (BFM_exp_idx.mat)",
    FRONT: "the index map to Deep3DFaceRecon's region (BFM_front_idx.mat)",
    BLENDSHAPES: "blendshapes of the eos library (expression_blendshapes.bin)",
}
#: The whole models, and what may be given along with each.
COMPANIONS = {
    BFM: {EXP, STATS, STD_EXP, INFO, UV},
    BASEL: {EXP, EXP_PCA, STATS, STD_EXP, TRIM, FRONT},
    DEEP3D: set(),
    H5: set(),
    ICT: set(),
    FLAME: set(),
    EOS: {BLENDSHAPES},
}


@dataclass(frozen=True, eq=False)
class Piece:
    """A file with what was read of it."""

    path: Path
    kind: str  #: a key of :data:`CALLED`
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name, for sentences."""
        return self.path.name
