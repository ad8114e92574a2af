"""Errors by what they are and by the facts in their sentence, never by its wording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from reconstruct_face.backend.errors import FaceError

Raised = TypeVar("Raised", bound=BaseException)


@contextmanager
def raises(kind: type[Raised], *facts: object) -> Iterator[pytest.ExceptionInfo[Raised]]:
    """The block raises ``kind`` itself, no subclass of it, and its one sentence has ``facts``.

    Facts are what the sentence is about (a file's name, a number, a field, the names one may
    choose from), see :func:`has`.  Of a :class:`FaceError` the code and the exit status are looked
    at too: class and code are the same thing on both sides of the wire, unless one was set by hand.
    """
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert type(error) is kind, f"{type(error).__name__} ({error}), not {kind.__name__}"
    if isinstance(error, FaceError) and issubclass(kind, FaceError):
        assert (error.code, error.exit_status) == (kind.code, kind.exit_status)
    has(str(error), *facts)


def has(sentence: str, *facts: object) -> None:
    """``sentence`` is for people and has ``facts``.

    One line without a traceback; each fact, as ``str`` writes it, is a whole word or number in it:
    3 is not in "13", "1.3" or "3.5", "uv" not in "uv_polygons".
    """
    text = sentence.strip()  # Blender ends a report's text with a line break
    assert text, "it says nothing"
    assert "\n" not in text and "Traceback" not in text, text
    missing = [fact for fact in facts if not re.search(_whole(str(fact)), text)]
    assert not missing, f"no {missing} in: {text}"


def _whole(fact: str) -> str:
    """A pattern that finds ``fact`` where no longer word or number goes on around it."""
    before = r"(?<!\w)(?<!\d[.,])" if re.match(r"\w", fact) else ""
    after = r"(?!\w)(?![.,]\d)" if re.search(r"\w$", fact) else ""
    return before + re.escape(fact) + after
