"""The colours of surface points: :func:`..light.shade_pixels` in torch, for whole pictures."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import normalize

from ....differentiable.shading import shade
from ..light import SKIN_F0, SUBSURFACE
from .pack import Shots


def shade_surface(
    normals: Tensor,
    view: Tensor,
    looks: Tensor,
    shadow: Tensor,
    shots: Shots,
) -> Tensor:
    """(B, h, w, 3) linear colour.

    Args:
        normals: (B, h, w, 3) unit, head coordinates.
        view: (B, h, w, 3) unit, towards the camera.
        looks: (B, h, w, 6) linear albedo, openness, gloss, roughness.
        shadow: (B, h, w, L) how much of each lamp is seen.
        shots: whose light it is.
    """
    albedo, open_sky, gloss, roughness = looks.split((3, 1, 1, 1), dim=-1)
    facing = (normals * view).sum(-1, keepdim=True).clamp(0, 1)
    crease = open_sky * (1 - open_sky) * normals.new_tensor([0.2, 0.0, -0.05])
    diffuse = shade(normals, shots.ambient) * (open_sky + crease)
    mirror = 2 * facing * normals - view
    grazing = gloss * (0.5 * SKIN_F0 + 0.1 * (1 - facing) ** 5)
    specular = grazing * open_sky * shade(mirror, shots.ambient)
    for lamp in range(shadow.shape[-1]):
        direction = shots.lamp_direction[:, None, None, lamp]
        colour = shots.lamp_colour[:, None, None, lamp]
        softness = shots.lamp_softness[:, None, None, lamp, None]
        seen = shadow[..., lamp, None] * colour
        cosine = (normals * direction).sum(-1, keepdim=True)
        spread = normals.new_tensor(SUBSURFACE) + 0.35 * softness
        soft = 0.5 * (cosine + (cosine**2 + spread**2).sqrt())
        diffuse += seen * soft * ((cosine + 0.9) / 0.4).clamp(0, 1)
        specular += gloss * seen * _shine(normals, view, direction, softness, cosine, roughness)
    return albedo * diffuse + specular


def _shine(
    n: Tensor, v: Tensor, direction: Tensor, softness: Tensor, cosine: Tensor, roughness: Tensor
) -> Tensor:
    """(B, h, w, 1) Blinn-Phong's reflection of a lamp of irradiance pi, with the cosine in it."""
    half = normalize(v + direction, dim=-1, eps=1e-6)
    slope = roughness**2 + 0.12 * softness
    exponent = 2 / slope.clamp(0.02, 0.8) ** 2 - 2
    lobe = (n * half).sum(-1, keepdim=True).clamp(1e-4, 1).log().mul(exponent).exp()
    grazing = 1 - (half * direction).sum(-1, keepdim=True).clamp(0, 1)
    fresnel = SKIN_F0 + (1 - SKIN_F0) * grazing**5
    return fresnel * (exponent + 8) / 8 * lobe * cosine.clamp_min(0)
