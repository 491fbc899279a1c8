"""How objects with sanitizers are made: by clang, in a build folder of their own. For scripts/fuzz and scripts/sanitize."""
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = "libclang-rt-14-dev"
ADDRESS = "-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all"  # the fuzz targets', BUILD/fuzz
THREAD = "-fsanitize=thread"


def run(argv, **options):
    return subprocess.run([str(a) for a in argv], text=True, errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **options)


def can_link(folder, flags, source):
    """Whether clang and the runtime for these flags are there; leaves the program in folder/probe."""
    if not shutil.which("clang++"):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    return run(["clang++", "-x", "c++", "-g", *flags.split(), "-o", folder / "probe", "-"],
               input=source).returncode == 0


def build(folder, flags, programs):
    """One make with a build folder of its own; ccache makes it quick the second time."""
    return run(["make", "--no-print-directory", f"-j{os.cpu_count()}", f"BUILD={folder}", "CXX=clang++",
                f"CC=clang {flags}", f"OPTIMIZE=-O1 -gline-tables-only {flags}",
                *[f"{folder}/bin/{name}" for name in programs]], cwd=ROOT,
               env={**os.environ, "CCACHE_NOHASHDIR": "1", "MAKEFLAGS": "", "MAKELEVEL": "0"})
