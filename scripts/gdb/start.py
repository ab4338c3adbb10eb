"""The entry: `gdb -x scripts/gdb/start.py build/barestub.elf`, which is what scripts/debug does.

This directory becomes the Python package `barestub` of the GDB process.
"""

import importlib.util
import os
import sys

_directory = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(_directory))  # for what is not GDB's alone, such as manuals.py
_spec = importlib.util.spec_from_file_location(
    "barestub", os.path.join(_directory, "__init__.py"), submodule_search_locations=[_directory]
)
sys.modules["barestub"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["barestub"])
