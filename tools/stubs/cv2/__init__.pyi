# OpenCV's own stubs reject calls the library takes (None for a mask, an int for a colour).
from typing import Any

def __getattr__(name: str) -> Any: ...
