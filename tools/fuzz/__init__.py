"""Damaged files by the thousand: does any of them do more than be refused in a sentence?

``python -m tools.fuzz readers`` from the repository's root; ``--help`` tells the rest.  Every case
is a good file changed in a way that its kind, the seed and its number decide, read in a process
that may crash, hang or take too much memory without ending the run (:mod:`.runner`).  Anything but
success or an error of the project's own that names the file is a failure.

A further kind is an entry in :data:`.kinds.KINDS`.  Good files are made with the helpers of
``tests/``, so the test requirements have to be installed.
"""
