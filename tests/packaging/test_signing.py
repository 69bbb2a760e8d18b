"""Signed bundles: by one key, over every file, with a library that is an extra."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import bentoml
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import runcard
from runcard.errors import BundleError, CardError
from runcard.packaging.bundle import open_bundle
from runcard.packaging.manifest import digest_of, seal
from runcard.packaging.signing import SIGNATURE_FILE, Signer, verify_signature
from tests.conftest import Command, Made

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo
OPEN = serialization.NoEncryption()
signs = pytest.mark.skipif(importlib.util.find_spec("model_signing") is None, reason="runcard[signing] is an extra")


def write_keys(folder: Path, name: str, curve: ec.EllipticCurve | None = None) -> tuple[Path, Path]:
    """A private key and its public one."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(PEM, PKCS8, OPEN))
    public.write_bytes(key.public_key().public_bytes(PEM, PUBLIC))
    return private, public


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_keys(tmp_path_factory.mktemp("keys"), "ours")


@pytest.fixture(scope="module")
def signed(table_made: Made, keys: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle; tests must not write to it."""
    folder = tmp_path_factory.mktemp("signed") / "bundle"
    shutil.copytree(table_made.bundle.path, folder)
    Signer(keys[0]).sign(folder)
    return folder


@signs
def test_a_signed_bundle(table_made: Made, keys: tuple[Path, Path], command: Command) -> None:
    said = command("package", "--no-http", str(table_made.run.path), "--sign", str(keys[0]), "--json")
    assert (said.code, said.json["signed"], ", signed" in said.err) == (0, True, True), said.err
    path = Path(said.json["path"])
    verify_signature(path, keys[1])
    open_bundle(path)
    manifest = json.loads((path / "manifest.json").read_text())
    assert {file.name for file in path.iterdir()} - manifest.keys() == {
        SIGNATURE_FILE,
        "manifest.json",
        "manifest.sha256",
    }


@signs
@pytest.mark.slow
def test_a_signed_bundle_is_served(table_made: Made, keys: tuple[Path, Path], installed: Command) -> None:
    said = installed("package", str(table_made.run.path), "--sign", str(keys[0]), "--json")
    assert (said.code, said.json["rows_over_http"]) == (0, 606), said.err
    verify_signature(Path(said.json["path"]), keys[1])


@signs
@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()])
def test_other_curves(curve: ec.EllipticCurve, table_made: Made, away: Path) -> None:
    private, public = write_keys(away, "key", curve)
    shutil.copytree(table_made.bundle.path, away / "bundle")
    Signer(private).sign(away / "bundle")
    verify_signature(away / "bundle", public)


@signs
def test_elsewhere_and_by_another_way_it_is_the_same(signed: Path, keys: tuple[Path, Path], away: Path) -> None:
    shutil.copytree(signed, away / "elsewhere")
    (away / "link").symlink_to("elsewhere")
    for name in ("elsewhere", "link"):
        verify_signature(away / name, keys[1])


@signs
def test_a_copy_of_the_hub(signed: Path, keys: tuple[Path, Path], away: Path) -> None:
    """Its files are links into a cache, beside some of the hub's own."""
    shutil.copytree(signed, away / "blobs")
    copy = away / "snapshot"
    copy.mkdir()
    for file in (away / "blobs").iterdir():
        (copy / file.name).symlink_to(f"../blobs/{file.name}")
    (copy / ".gitattributes").write_text("*.onnx filter=lfs\n")
    (copy / ".cache" / "huggingface").mkdir(parents=True)
    (copy / ".cache" / "huggingface" / "model.onnx.metadata").write_text("x")
    verify_signature(copy, keys[1])
    open_bundle(copy)
    (copy / ".cache" / "other").write_text("x")
    with pytest.raises(BundleError, match=r"\.cache/other was added"):
        verify_signature(copy, keys[1])


@signs
def test_what_is_used_is_what_was_signed(signed: Path, keys: tuple[Path, Path], away: Path) -> None:
    """Another bundle is put in its place between the look and the load: neither its files nor its signature count."""
    shutil.copytree(signed, away / "bundle")
    digest = digest_of(away / "bundle")
    (away / "bundle" / "README.md").write_text("another")
    for name in ("manifest.json", "manifest.sha256", SIGNATURE_FILE):
        (away / "bundle" / name).unlink()
    seal(away / "bundle")
    Signer(keys[0]).sign(away / "bundle")
    verify_signature(away / "bundle", keys[1])
    for look in (
        lambda: verify_signature(away / "bundle", keys[1], digest),
        lambda: open_bundle(away / "bundle", digest=digest),
    ):
        with pytest.raises(BundleError, match="was replaced since it was looked at"):
            look()


@signs
def test_files_are_read_where_they_are_loaded(signed: Path, keys: tuple[Path, Path], away: Path) -> None:
    """With a digest, only the manifest is compared here: a stranger's files are read under limits first."""
    folder = away / "bundle"
    shutil.copytree(signed, folder)
    digest = digest_of(folder)
    _changed(folder)
    verify_signature(folder, keys[1], digest)
    for look in (lambda: verify_signature(folder, keys[1]), lambda: open_bundle(folder, digest=digest)):
        with pytest.raises(BundleError, match=r"model\.onnx is not what was packaged"):
            look()


@signs
def test_an_unsigned_bundle(table_made: Made, keys: tuple[Path, Path]) -> None:
    assert not table_made.bundle.signed
    with pytest.raises(BundleError, match="is not signed") as caught:
        verify_signature(table_made.bundle.path, keys[1])
    assert "\n" not in str(caught.value)


@signs
def test_another_key(signed: Path, keys: tuple[Path, Path], away: Path) -> None:
    _, public = write_keys(away, "theirs")
    with pytest.raises(BundleError, match="signed with another key"):
        verify_signature(signed, public)
    # The signature names its key by a hash, which who forges one would write too.
    folder = away / "bundle"
    shutil.copytree(signed, folder)
    private, _ = write_keys(away, "third")
    forged = json.loads((runcard_signed(folder, private) / SIGNATURE_FILE).read_text())
    real = json.loads((signed / SIGNATURE_FILE).read_text())
    (folder / SIGNATURE_FILE).write_text(json.dumps(forged | {"verificationMaterial": real["verificationMaterial"]}))
    with pytest.raises(BundleError, match="its files or its signature changed"):
        verify_signature(folder, keys[1])


def runcard_signed(folder: Path, private: Path) -> Path:
    """The bundle, signed with another key."""
    (folder / SIGNATURE_FILE).unlink()
    Signer(private).sign(folder)
    return folder


def _changed(folder: Path) -> None:
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)


def _changed_and_sealed(folder: Path) -> None:
    (folder / "README.md").write_text("something else")
    signature = (folder / SIGNATURE_FILE).read_bytes()
    for name in ("manifest.json", "manifest.sha256", SIGNATURE_FILE):
        (folder / name).unlink()
    seal(folder)
    (folder / SIGNATURE_FILE).write_bytes(signature)
    open_bundle(folder)


@signs
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_changed, "model.onnx is not what was packaged"),
        (_changed_and_sealed, "its files or its signature changed"),
        (lambda folder: (folder / "card.yaml").unlink(), "card.yaml is not what was packaged"),
        (lambda folder: (folder / "new.py").write_text("x"), "its files or its signature changed"),
        (lambda folder: (folder / ".git").mkdir() or (folder / ".git/config").write_text("x"), "its files or"),
        (lambda folder: (folder / SIGNATURE_FILE).write_text("{}"), "its files or its signature changed"),
        (lambda folder: (folder / SIGNATURE_FILE).write_bytes(b"\xff"), "its files or its signature changed"),
    ],
)
def test_whatever_is_changed(
    change: Callable[[Path], None], says: str, signed: Path, keys: tuple[Path, Path], away: Path
) -> None:
    folder = away / "bundle"
    shutil.copytree(signed, folder)
    verify_signature(folder, keys[1])
    change(folder)
    with pytest.raises(BundleError, match=says) as caught:
        verify_signature(folder, keys[1])
    assert "\n" not in str(caught.value)


def _no_key(path: Path) -> None:
    path.write_text("no key")


def _public(path: Path) -> None:
    path.write_bytes(ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(PEM, PUBLIC))


def _locked(path: Path) -> None:
    lock = serialization.BestAvailableEncryption(b"secret")
    path.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, lock))


def _rsa(path: Path) -> None:
    path.write_bytes(rsa.generate_private_key(65537, 2048).private_bytes(PEM, PKCS8, OPEN))


def _other_curve(path: Path) -> None:
    path.write_bytes(ec.generate_private_key(ec.SECP256K1()).private_bytes(PEM, PKCS8, OPEN))


@signs
@pytest.mark.parametrize("write", [_no_key, _public, _locked, _rsa, _other_curve])
def test_a_key_that_cannot_be_used(write: Callable[[Path], None], away: Path, command: Command) -> None:
    write(away / "key.pem")
    said = command("package", "no/such/run", "--sign", "key.pem")  # the key is looked at first
    assert (said.code, said.err.count("\n"), "curve P-256" in said.err) == (2, 1, True), said.err
    with pytest.raises(CardError, match="cannot be used"):
        verify_signature(away, away / "key.pem") if write is not _public else runcard.package("x", sign="key.pem")


@signs
def test_a_key_that_is_not_there(table_made: Made, command: Command) -> None:
    before = {str(model.tag) for model in bentoml.models.list()}
    said = command("package", str(table_made.run.path), "--sign", "nowhere.pem")
    assert (said.code, said.err) == (2, "runcard: cannot read the private key nowhere.pem: No such file or directory\n")
    assert {str(model.tag) for model in bentoml.models.list()} == before
    with pytest.raises(CardError, match=r"cannot read the public key nowhere\.pem"):
        verify_signature(table_made.bundle.path, "nowhere.pem")


def test_without_the_extra(
    table_made: Made, keys: tuple[Path, Path], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    said = command("package", str(table_made.run.path), "--sign", str(keys[0]))
    assert (said.code, said.err.count("\n"), "pip install 'runcard[signing]'" in said.err) == (2, 1, True), said.err
    with pytest.raises(BundleError, match="pip install"):
        verify_signature(table_made.bundle.path, keys[1])
