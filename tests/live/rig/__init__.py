"""Testers that stand outside the product: a scripted caller, fuzzers, a relay. Standard library only.

They are programs too, so they import one another by bare names, wherever they are imported from.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
