"""The command line: a thin shell over ``pipeline.reconstruct`` and the Blender process."""
