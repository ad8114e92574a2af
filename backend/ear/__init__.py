"""What a recording of speech says, as phonemes with times, by ear alone: no words, no text."""

from .hear import hear
from .sphinx import phonemes

__all__ = ["hear", "phonemes"]
