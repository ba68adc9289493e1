"""Reads the list of services from operator/services.hpp."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENTRY = re.compile(r'^    Service\{\.name = "(\w+)"', re.M)


def names(root=ROOT):
    """In the order of their start."""
    return ENTRY.findall((root / "operator" / "services.hpp").read_text())


def program_of(name):
    return "nucleus-" + name.replace("_", "-")
