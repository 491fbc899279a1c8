"""Imported first by every case file here: makes the instruments of tests/integration (case, lab, agent) importable."""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
