"""What is in deploy/, as values, and the program under test."""
import pathlib
import subprocess

import yaml

import integration  # noqa: F401  pylint: disable=unused-import
from case import Skip, build_dir

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
CHART = ROOT / "deploy" / "helm" / "umbra"


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def base():
    """The documents of the base, in the order of its kustomization."""
    names = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())["resources"]
    return [document for name in names for document in documents((KUBERNETES / "base" / name).read_text())]


def version():
    return (ROOT / "VERSION").read_text().strip()


def umbra(*arguments, text=None):
    program = build_dir() / "umbra"
    if not program.exists():
        raise Skip(f"{program} is not built")
    return subprocess.run([program, *arguments], input=text, text=True, capture_output=True, check=False)
