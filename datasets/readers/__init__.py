"""The data sets that come with the toolkit, one file each."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):  # a new file is enough: nothing lists them
    import_module(f".{_module.name}", __package__)
