"""Renders the accuracy benchmark's test set with Cycles.

    python -m tools.make_accuracy_set FOLDER

``FOLDER`` is one that ``backend/bench/accuracy_set.py`` has filled with heads (that command runs
this one by itself).  Deliberately apart from ``backend/training/synthetic``, which makes the
training pictures: other light, skin, hair and lens, so that the benchmark does not test what was
trained.
"""
