import bpy

settings = bpy.context.scene.reconstruct_face

settings.quality = "fast"
settings.texture = "albedo"
settings.texture_size = "1024"
settings.estimate = "network"
settings.use_landmarks = True
