"""Every case and every proof elsewhere, found in the modules of this package by themselves."""

import importlib
import pkgutil

from tests.faults.scene import Case, Elsewhere

_MODULES = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
_FOUND = [value for module in _MODULES for value in (*vars(module).values(), *getattr(module, "CASES", ()))]
CASES: tuple[Case, ...] = tuple(sorted((one for one in _FOUND if isinstance(one, Case)), key=lambda case: case.row))
PROOFS: tuple[Elsewhere, ...] = tuple(
    proof for module in _MODULES for proof in getattr(module, "PROOFS", ()) if isinstance(proof, Elsewhere)
)
