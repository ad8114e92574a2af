"""Networks that users own, run as their makers ran them.

``trained_model_20200725`` of "Inverse Rendering 3DMM" (a TensorFlow SavedModel) and
Deep3DFaceRecon's ``epoch_20.pth`` are converted once (:mod:`.convert`) into safetensors in the
user's data folder; :mod:`.picture` reproduces what the original made of a photo.
"""
