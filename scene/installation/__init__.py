"""The backend's Python environment: found, made, checked, repaired.

``status.installation_status`` says how things stand, ``set_up.start_set_up`` makes the
environment, ``locate.find_python`` is what starts the backend.  Standard library only; what has to
ask Blender stands in ``blender.py``.
"""
