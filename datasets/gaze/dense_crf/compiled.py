"""Functions compiled to machine code by numba."""

from collections.abc import Callable

import numba


def compiled(function: Callable) -> Callable:
    """Compile a function just in time, at its first call, with IEEE arithmetic in the order as written.

    The machine code is kept in ``__pycache__`` or the user's cache folder (or ``NUMBA_CACHE_DIR``) for the next
    process; where none can be written, every process compiles for itself.

    What a compiled function calls must lie in its own file: numba forgets cached code when the file that holds
    the function changes, not when one that it calls into does.
    """
    options = {"error_model": "numpy", "boundscheck": False}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # "cannot cache function: no locator available".
        return numba.njit(**options)(function)
