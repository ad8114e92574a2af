"""Motion on heads: a ``Motion`` to F-curves and back, by hand, from head to head, to files.

``curves`` hides what differs between versions of Blender; ``apply`` and ``read`` are the two ways;
``pose`` is the empty that carries the head; ``hand`` and ``retarget`` are for animators; ``export``
writes files; ``presets`` are expressions to begin with; ``video`` finds what is open in Blender.
Importing this package imports nothing.
"""
