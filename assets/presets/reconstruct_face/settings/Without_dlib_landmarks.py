import bpy

settings = bpy.context.scene.reconstruct_face

settings.estimate = "network"
settings.use_landmarks = False
