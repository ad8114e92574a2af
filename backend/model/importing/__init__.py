"""Face models that users own: the files that hold them, to :class:`RawModel`.

One module per family; :func:`read_model` tells by content which it is.
"""

from .raw import RawModel
from .read import kind_of, read_model

__all__ = ["RawModel", "kind_of", "read_model"]
