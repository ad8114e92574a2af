"""Photos and films on many machines: the single-machine code, placed and watched over by Ray.

``photos.py`` and ``films.py`` say what is done, ``pool.py`` who does it, ``plan.py`` what comes
next; ``host.py`` is what runs on the nodes.  Ray is imported by ``pool.py`` alone, when a cluster
is asked for.
"""
