#!/usr/bin/python3
"""The image: what is in it, that it runs without any capability, that the same tree gives the same digest. The runtime
stage is built around BUILD/umbra; the builder stage is `make image`'s, or CI's."""
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import integration  # noqa: F401  pylint: disable=unused-import
from case import Skip, build_dir, case, check, check_equal, main, need_command, note

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = {}


def built(name="first"):
    """The folder with the products of one build with storage of its own; the archive is unpacked to NAME/root."""
    if name in BUILT:
        return BUILT[name]
    need_command("buildah", "git", "chroot")
    if os.geteuid() != 0:
        raise Skip("building an image needs root")
    program = build_dir() / "umbra"
    if not program.exists():
        raise Skip(f"{program} is not built")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="umbra-image-test.", dir="/var/tmp"))
    BUILT[name] = folder
    env = {**os.environ, "UMBRA_IMAGE_PROGRAM": str(program), "UMBRA_IMAGE_STORAGE": str(folder / "storage")}
    done = subprocess.run([ROOT / "scripts" / "image", folder], cwd=ROOT, env=env, text=True, capture_output=True,
                          check=False)
    check(done.returncode == 0, done.stdout + done.stderr)
    note(done.stdout.strip().splitlines()[-1])
    unpack(folder)
    return folder


def unpack(folder):
    """The OCI archive's layers, in order, as a root file system."""
    archive = next((folder / "image").glob("*.oci.tar"))
    with tarfile.open(archive) as files:
        def blob(digest):
            return files.extractfile(f"blobs/{digest.replace(':', '/')}")
        index = json.load(files.extractfile("index.json"))
        manifest = json.load(blob(index["manifests"][0]["digest"]))
        (folder / "config.json").write_bytes(blob(manifest["config"]["digest"]).read())
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=blob(layer["digest"]), mode="r:*") as content:
                content.extractall(folder / "root")


def remove_all():
    for folder in BUILT.values():
        # Overlay mounts of buildah's storage are below it.
        for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()[::-1]:
            place = line.split()[1]
            if place.startswith(str(folder)):
                subprocess.run(["umount", place], check=False)
        shutil.rmtree(folder, ignore_errors=True)


@case("there is no shell, no package manager and no other program in the image")
def only_the_program():
    root = built() / "root"
    programs = sorted(str(path.relative_to(root)) for path in root.rglob("*")
                      if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK)
                      and ".so" not in path.name)
    check_equal(programs, ["usr/bin/umbra"], "programs")
    for name in ("bin/sh", "usr/bin/dpkg", "usr/bin/apt", "var/lib/dpkg", "usr/bin/kubectl-umbra"):
        check(not (root / name).exists(), f"{name} is in the image")
    special = [str(path) for path in root.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o6000]
    check_equal(special, [], "setuid and setgid files")


@case("umbra version and check run as uid 65532 without capabilities, in nothing but the image")
def runs_without_privilege():
    root = built() / "root"
    for user in ("65532:65532", "65533:65533"):
        done = subprocess.run(["chroot", f"--userspec={user}", "--groups=65532", root, "/usr/bin/umbra", "version"],
                              text=True, capture_output=True, check=False)
        check(done.returncode == 0 and done.stdout.startswith("umbra "), f"{user}: {done.stdout}{done.stderr}")
    rule = (ROOT / "scripts" / "demo.d" / "mirror-traffic-to-httbin-v2.yaml").read_text()
    done = subprocess.run(["chroot", "--userspec=65532:65532", root, "/usr/bin/umbra", "check", "-f", "-"], input=rule,
                          text=True, capture_output=True, check=False)
    check_equal(done.returncode, 0, done.stderr or "exit code")


@case("the program is started as an unprivileged user unless the pod says otherwise")
def configuration():
    config = json.loads((built() / "config.json").read_text())
    check_equal((config["config"]["User"], config["config"]["Entrypoint"]), ("65532:65532", ["/usr/bin/umbra"]), "start")
    check_equal(config["config"]["Labels"]["org.opencontainers.image.version"],
                (ROOT / "VERSION").read_text().strip(), "version")


@case("the SBOM names the packages of all libraries that were copied")
def bill_of_materials():
    folder = built()
    inside = folder / "root" / "usr" / "share" / "doc" / "umbra" / "sbom.spdx.json"
    beside = next((folder / "image").glob("*.spdx.json"))
    check_equal(inside.read_text(), beside.read_text(), "SBOM inside and beside")
    document = json.loads(beside.read_text())
    check_equal(document["spdxVersion"], "SPDX-2.3", "version")
    packages = {package["name"]: package for package in document["packages"]}
    wanted = {"umbra", "libc6", "libstdc++6", "libssl3", "libnghttp2-14", "ca-certificates"}
    check(wanted <= set(packages), f"missing: {sorted(wanted - set(packages))}")
    check(all(package["versionInfo"] for package in packages.values()), "a package without a version")
    check_equal(len(document["relationships"]), len(packages), "relationships")
    libraries = sum(1 for path in (folder / "root").rglob("*.so*") if path.is_file())
    check(0 < len(packages) - 2 <= libraries, f"{len(packages)} packages, {libraries} libraries")


@case("the same tree gives the same digest, from an empty storage")
def reproducible():
    first, second = built(), built("second")
    check_equal((second / "image" / "digest").read_text(), (first / "image" / "digest").read_text(), "digest")


if __name__ == "__main__":
    try:
        main()
    finally:
        remove_all()
