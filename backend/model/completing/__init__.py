"""What an imported face model lacks, made from the default model."""

from .complete import CompletedModel, complete
from .mapping import ExpressionMapping

__all__ = ["CompletedModel", "ExpressionMapping", "complete"]
