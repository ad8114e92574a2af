"""Measures how much the constants of texture, teeth and fit matter on drawn heads: prints tables.

    python -m tools.measure_sensitivity [CASE ...] [--pictures N] [--seed 5]

Heads are drawn as for training (``backend/training/synthetic``), so skin, hair, teeth and
coefficients are known, by a camera that adds little of its own.  One constant after another is set
to other values; the tables give the mean errors and, in brackets, by how many percent they rise,
with the standard error of that.  What drawn heads lack (real hair, stains, rooms) is not judged.

    teeth      true landmarks of open mouths: share of teeth between the lips
    gaze       true geometry: degrees, and the part of the heads whose gaze was told
    hair       true geometry: cover of the scalp, 0..1, and log linear colour of the hair beside
               that of the skin
    texture    the same, and log linear albedo of the face, beside the picture's mean and of that
               (level), and of the irises
    warp       the same with a head fitted to dlib's errors, the photo moved to true landmarks
    landmarks  the fit to landmarks alone, given dlib's errors: mm of the posed face, weights of the
               mouth's shapes
    fit        the same with the shipped network and the refinement; the network was trained on such
               pictures
"""
