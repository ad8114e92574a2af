import bpy

settings = bpy.context.scene.reconstruct_face

settings.quality = "best"
settings.texture = "albedo"
settings.texture_size = "4096"
settings.estimate = "network"
settings.use_landmarks = True
