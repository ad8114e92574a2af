"""Heads written for a program: see ``backend/exchange/targets.py`` for what each wants.

``files.py`` is the door: :func:`.files.export_for`.  It makes a stand-in of the head
(``stand_in.py``: a copy at rest with visemes, smaller pictures, levels of detail, parts of its own,
bones), hands it to the writers of ``scene/export.py`` and removes it again; the head itself is not
changed.  ``kept.py`` remembers with the head what was chosen.
"""
