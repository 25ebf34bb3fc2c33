"""What a model's exception means: no memory for this batch, a device that is gone, or anything else.

Known by what the backends raise, without importing one: torch may not be installed where ONNX Runtime runs.
"""

from __future__ import annotations

from riskstream.core.errors import DeviceLost, InternalError, MemoryShort

_MEMORY = ("OutOfMemoryError", "MemoryError")
_MEMORY_WORDS = ("out of memory", "failed to allocate memory", "bfcarena")
_LOST = ("AcceleratorError",)
_LOST_WORDS = ("cuda error", "cudnn error", "cublas error", "device-side assert")


def meaning(error: Exception, what: str) -> InternalError:
    """Our exception for one of a backend's, while it did `what`."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    words = str(error).lower()
    told = f"{what}: {error!r}"
    if kinds.intersection(_MEMORY) or any(word in words for word in _MEMORY_WORDS):
        return MemoryShort(told)
    if kinds.intersection(_LOST) or any(word in words for word in _LOST_WORDS):
        return DeviceLost(told)
    return InternalError(told)
