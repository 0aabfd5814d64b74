"""Entry point of the listener process: python -P listener_main.py <reader> <control> <package>.

Registers this folder and its parents as packages under their usual names without running their `__init__.py`, so that
the listener loads only the modules that it needs, and not the application.
"""

import importlib
import os
import sys
import types

if __name__ == "__main__":
    reader, control, package = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    name, folder = package, os.path.dirname(__file__)
    while name:
        stub = types.ModuleType(name)
        stub.__path__ = [folder]
        sys.modules[name] = stub
        name, folder = name.rpartition(".")[0], os.path.dirname(folder)
    front = package.rpartition(".")[0]
    settings, handlers = (importlib.import_module(f"{front}.{name}") for name in ("settings", "get_handlers"))
    listener = importlib.import_module(f"{package}.listener")
    listener.main(reader, control, lambda values: handlers.get_handlers(settings.Settings(**values)))
