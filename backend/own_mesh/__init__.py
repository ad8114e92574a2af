"""ARKit's expressions for meshes that users bring."""

from .expressions import MeshExpressions, expressions_for
from .finding import FoundFace, find_face

__all__ = ["FoundFace", "MeshExpressions", "expressions_for", "find_face"]
