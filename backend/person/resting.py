"""How high a person's brows rest, from all photos: what is there in all of them is identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..fit import Evidence, begin
from ..fit.resting import RestingBrows, heights_of
from ..model import FaceModel
from ..network.regions import SIDES, regions_of
from .looking import View


def with_resting_brows(views: Sequence[View], model: FaceModel) -> list[View]:
    """``views`` whose fits lean on brows that are read beside the other photos'."""
    reader = regions_of(model)
    told = [view for view in views if reader is not None and _has_brows(view.sight.evidence)]
    if reader is None or len(told) < 2:
        return list(views)
    heights, lowered, scores = [], [], []
    for view in told:
        evidence = view.sight.evidence
        assert evidence.opinions is not None
        regions = evidence.opinions.regions
        said = dict(zip(regions.names, regions.mean.tolist(), strict=True))
        points = evidence.opinions.points
        heights.append(heights_of(evidence.marks, reader.template, points))
        lowered.append([said["browDown" + side] for side in SIDES])
        scores.append(evidence.opinions.raised)
    resting = RestingBrows.of(np.array(heights), np.array(lowered), scores).reader()
    out = []
    for view in views:
        evidence = view.sight.evidence
        if _has_brows(evidence):
            assert evidence.opinions is not None
            raised, points = evidence.opinions.raised, evidence.opinions.points
            brows = resting.read(evidence.marks, reader.template, raised, points)
            opinions = replace(evidence.opinions, brows=brows)
            evidence = replace(evidence, opinions=opinions)
            sight = replace(view.sight, evidence=evidence, begun=begin(evidence, model))
            view = replace(view, sight=sight)
        out.append(view)
    return out


def _has_brows(evidence: Evidence) -> bool:
    """Not where the detector's landmarks are not to be believed."""
    return evidence.opinions is not None and evidence.landmarks is not None
