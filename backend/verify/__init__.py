"""The verification: does the Blender scene show what the backend reconstructed?

One reconstruction is drawn twice, by PyTorch3D from the exchange's numbers and by Cycles from the
object and the camera that the scene holds, and the pictures are compared pass by pass; and against
the photo.  :mod:`.view` has the conventions of both, :mod:`.thresholds` what counts as the same.
"""
