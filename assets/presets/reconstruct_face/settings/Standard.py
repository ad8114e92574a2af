import bpy

settings = bpy.context.scene.reconstruct_face

settings.quality = "balanced"
settings.texture = "albedo"
settings.texture_size = "2048"
settings.estimate = "network"
settings.use_landmarks = True
