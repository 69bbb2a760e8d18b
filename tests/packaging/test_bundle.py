"""Run → bundle: what it holds, that it answers as the run did, and that any change of it is noticed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import bentoml
import numpy as np
import onnxruntime
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors import safe_open
from torch import nn

import runcard
from runcard.data.fields import to_columns, to_fields
from runcard.data.signature import Columns, Feature, Signature, Target
from runcard.errors import BundleError, ParityError, RunError
from runcard.packaging import package as packaging
from runcard.packaging import parity, store
from runcard.packaging.bundle import GRAPH, Bundle, open_bundle, verify
from runcard.packaging.export import to_onnx
from runcard.packaging.manifest import seal
from tests.conftest import TINY, Command, Made

FILES = {
    "README.md",
    "bundle.json",
    "card.yaml",
    "manifest.json",
    "manifest.sha256",
    "metrics.json",
    "model.onnx",
    "model.safetensors",
    "model.yaml",
    "reference.json",
    "signature.json",
    "transforms.json",
}


@pytest.fixture(params=["table_made", "digits_made", "vector_made", "sequence_made"])
def made(request: pytest.FixtureRequest) -> Made:
    """Each kind of bundle."""
    found: Made = request.getfixturevalue(request.param)
    return found


def test_it_holds_what_was_promised_and_no_pickle(made: Made) -> None:
    folder = made.bundle.path
    assert {path.name for path in folder.iterdir()} == FILES
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest) == FILES - {"manifest.json", "manifest.sha256"}
    for name, digest in manifest.items():
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert not content.startswith((b"\x80", b"PK"))  # a pickle, or a zip as torch makes them
    assert (folder / "card.yaml").read_bytes() == made.run.folder.card.read_bytes()
    assert json.loads((folder / "metrics.json").read_text()) == made.run.metrics


def test_it_knows_what_it_was_made_from(made: Made) -> None:
    about = json.loads((made.bundle.path / "bundle.json").read_text())
    assert about["fingerprint"] == json.loads(made.run.folder.data.read_text())["fingerprint"]
    assert re.fullmatch(r"[0-9a-f]{64}", about["fingerprint"])
    assert about["commit"] == json.loads(made.run.folder.environment.read_text())["commit"]


@pytest.mark.parametrize("changed", [pytest.param(False, marks=pytest.mark.slow), True])
def test_it_knows_the_projects_commit(changed: bool, away: Path, command: Command) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example"]
    (away / "notes.txt").write_text("one")
    for words in (["init", "-q"], ["add", "notes.txt"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True)
    if changed:
        (away / "notes.txt").write_text("two")
    run = command("fit", "data=wine", *TINY, "--json").json["run"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "a later one"], check=True)
    about = json.loads((Path(command("package", "--no-http", run, "--json").json["path"]) / "bundle.json").read_text())
    said = subprocess.run(["git", "rev-parse", "HEAD~1"], check=True, capture_output=True, text=True)
    assert (about["commit"], about["uncommitted_changes"]) == (said.stdout.strip(), changed)


def test_the_weights_are_the_runs(made: Made) -> None:
    with safe_open(made.bundle.path / "model.safetensors", framework="pt") as weights:
        assert set(weights.keys()) == set(made.run.model.state_dict())
        for name, tensor in made.run.model.state_dict().items():
            assert torch.equal(weights.get_tensor(name), tensor)


def test_the_graph_stands_alone(made: Made) -> None:
    session = onnxruntime.InferenceSession((made.bundle.path / GRAPH).read_bytes())
    (given_,) = session.get_inputs()
    assert [size for size in given_.shape if isinstance(size, int)] == list(
        made.run.transforms.input_shape(made.run.signature)
    )


def test_it_answers_the_test_rows_as_the_run_did(made: Made) -> None:
    bundle = open_bundle(made.bundle.path)
    rows, truth = runcard.tested_rows(made.run.path)
    answers = bundle.answer(to_columns(bundle.signature, rows))
    stored = pl.read_parquet(made.run.folder.predictions)
    classes = np.array(bundle.signature.target.classes, dtype=object)
    assert classes[answers.argmax(axis=1)].tolist() == stored["prediction"].to_list()
    assert (classes[answers.argmax(axis=1)] == np.array(truth)).mean() == made.run.metrics["test/accuracy"]
    shares = stored.select(f"probability_{name}" for name in classes).to_numpy()
    assert np.abs(shares - answers).max() <= 1e-5
    alone = np.concatenate([bundle.answer(to_columns(bundle.signature, [row])) for row in rows[:20]])
    assert np.abs(alone - answers[:20]).max() <= 1e-6
    assert made.bundle.deviation <= 1e-5
    assert made.bundle.compared > len(rows)


def test_odd_rows_are_compared_too(table_made: Made) -> None:
    reference = json.loads((table_made.bundle.path / "reference.json").read_text())
    rows = reference["rows"]
    assert any(row["city"] == parity.UNSEEN for row in rows)
    assert any(all(value is None for value in row.values()) for row in rows)
    for name in ("age", "city", "member", "spent"):
        assert any(row[name] is None for row in rows)
    assert len(rows) == len(reference["answers"])


def test_regression(command: Command) -> None:
    run = command("fit", "data=diabetes", *TINY, "--json").json["run"]
    said = command("package", "--no-http", run, "--json")
    assert said.code == 0, said.err
    bundle = open_bundle(Path(said.json["path"]))
    rows, _ = runcard.tested_rows(run)
    answers = bundle.answer(to_columns(bundle.signature, rows))
    expected = pl.read_parquet(Path(run) / "predictions.parquet")["prediction"].to_numpy()
    assert np.abs(answers - expected).max() <= 1e-5 * bundle.transforms.target.std


@pytest.mark.slow
def test_the_winner_of_a_study(command: Command) -> None:
    study = command("fit", "-m", "data=wine", *TINY, "seed=1,2", "--json").json
    said = command("package", "--no-http", study["study"], "--json")
    assert said.code == 0, said.err
    about = json.loads((Path(said.json["path"]) / "bundle.json").read_text())
    assert about["run"] == study["best"]["run"]
    assert said.json["bundle"] == f"wine-mlp:{Path(said.json['path']).name}"
    assert store.find(said.json["bundle"])[0] == store.find("wine-mlp")[0] == said.json["bundle"]


@pytest.mark.parametrize("name", sorted(FILES))
def test_one_changed_byte_is_noticed_and_the_file_named(name: str, table_made: Made, away: Path) -> None:
    folder = away / "bundle"
    shutil.copytree(table_made.bundle.path, folder)
    open_bundle(folder)
    content = bytearray((folder / name).read_bytes())
    for place in (0, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[place] ^= 1
        (folder / name).write_bytes(changed)
        with pytest.raises(BundleError, match=name if "manifest" not in name else "manifest"):
            open_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name if "manifest" not in name else "manifest"):
        open_bundle(folder)


def test_a_manifest_that_names_nothing_is_not_enough(table_made: Made, away: Path) -> None:
    folder = away / "bundle"
    shutil.copytree(table_made.bundle.path, folder)
    (folder / "metrics.json").write_text("{}")
    (folder / "manifest.json").write_text("{}")
    (folder / "manifest.sha256").write_text(hashlib.sha256(b"{}").hexdigest() + "\n")
    with pytest.raises(BundleError, match="does not name"):
        open_bundle(folder)


@pytest.mark.parametrize(
    "name",
    ["../../../../dev/zero", "/dev/zero", "/etc/passwd", "..", "a/../../b", "", ".", "a\nb", "a\x00b", "x" * 100_000],
)
def test_a_manifest_names_files_of_the_folder_only(name: str, table_made: Made, away: Path) -> None:
    folder = away / "bundle"
    shutil.copytree(table_made.bundle.path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    written(folder, manifest | {name: "0" * 64})
    with pytest.raises(BundleError, match=r"leads out of the folder|is missing|too long"):
        open_bundle(folder)


@pytest.mark.parametrize("digest", [None, 1, "", "0" * 63, "0" * 64 + "\n", ["0" * 64], "G" * 64])
def test_a_manifest_holds_digests(digest: object, table_made: Made, away: Path) -> None:
    folder = away / "bundle"
    shutil.copytree(table_made.bundle.path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    written(folder, manifest | {"metrics.json": digest})
    with pytest.raises(BundleError, match=r"it has no SHA-256 of metrics\.json"):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "metrics.json", "bundle.json", "model.onnx"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "socket", "endless"])
def test_what_never_ends_is_no_file_of_a_bundle(name: str, kind: str, table_made: Made, away: Path) -> None:
    folder = away / "bundle"
    shutil.copytree(table_made.bundle.path, folder)
    place = folder / name
    place.unlink()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    elif kind == "folder":
        place.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(place))
    else:
        with open(place, "wb") as file:
            file.truncate(2**30 if "manifest" in name else 2**20)  # of zeros, and on no disk
    with pytest.raises(BundleError, match="is damaged"):
        open_bundle(folder)


def test_files_may_be_links_to_those_that_were_sealed(table_made: Made, away: Path) -> None:
    """As the cache of the Hugging Face hub has them."""
    folder, blobs = away / "snapshot", away / "blobs"
    shutil.copytree(table_made.bundle.path, blobs)
    folder.mkdir()
    for file in blobs.iterdir():
        (folder / file.name).symlink_to(f"../blobs/{file.name}")
    open_bundle(folder)


def written(folder: Path, manifest: dict[str, object]) -> None:
    """Have a manifest that fits its sum."""
    text = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sha256").write_text(hashlib.sha256(text).hexdigest() + "\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.onnx", b"no graph"),
        ("signature.json", b"[]"),
        ("reference.json", b'{"rows": [{}], "answers": [[0, 1]]}'),
    ],
)
def test_what_this_version_cannot_read(name: str, content: bytes, table_made: Made, away: Path) -> None:
    folder = away / "bundle"
    shutil.copytree(table_made.bundle.path, folder)
    (folder / name).write_bytes(content)
    for sealed in ("manifest.json", "manifest.sha256"):
        (folder / sealed).unlink()
    seal(folder)
    with pytest.raises(BundleError, match=r"cannot be read by this version|is not to be read"):
        open_bundle(folder)


def test_a_manifest_made_to_fit_is_still_not_enough(table_made: Made, away: Path) -> None:
    folder = away / "bundle"
    shutil.copytree(table_made.bundle.path, folder)
    reference = json.loads((folder / "reference.json").read_text())
    reference["answers"][0] = reference["answers"][0][::-1]
    (folder / "reference.json").write_text(json.dumps(reference))
    for name in ("manifest.json", "manifest.sha256"):
        (folder / name).unlink()
    seal(folder)
    verify(folder)
    with pytest.raises(BundleError, match="answers its reference rows differently"):
        open_bundle(folder)


def test_a_bundle_that_would_answer_otherwise_is_not_packaged(
    table_made: Made, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    def shifted(model: nn.Module, shape: tuple[int, ...], **_: bool) -> bytes:
        return to_onnx(nn.Sequential(model, _Scaled()).eval(), shape)

    before = {str(model.tag) for model in bentoml.models.list()}
    monkeypatch.setattr(packaging, "to_onnx", shifted)
    said = command("package", "--no-http", str(table_made.run.path))
    assert (said.code, "Nothing was packaged" in said.err) == (3, True), said.err
    assert {str(model.tag) for model in bentoml.models.list()} == before


@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_not_packaged(
    answer: float, table_made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, answered = open_bundle(table_made.bundle.path), Bundle.answer

    def odd_ones_are_lost(self: Bundle, columns: Columns) -> NDArray[np.float64]:
        answers = answered(self, columns)
        answers[-1] = answer
        return answers

    monkeypatch.setattr(Bundle, "answer", odd_ones_are_lost)
    with pytest.raises(ParityError, match=r"an answer that is no number\. Nothing was packaged"):
        parity.compare(bundle, table_made.run, runcard.api._restored(table_made.run))


@pytest.mark.parametrize("change", ["cut", "empty", "beyond", "nan"])
def test_predictions_that_are_not_the_runs(change: str, table_made: Made, away: Path) -> None:
    shutil.copytree(table_made.run.path, away / "run")
    path = away / "run/predictions.parquet"
    frame = pl.read_parquet(path)
    changed = {
        "cut": frame.head(3),
        "empty": frame.head(0),
        "beyond": frame.with_columns(row=pl.col("row") + 10_000),
        "nan": frame.with_columns(pl.lit(np.nan).alias("probability_yes")),
    }
    changed[change].write_parquet(path)
    run = runcard.load_run("run")
    with pytest.raises(RunError, match=r"predictions\.parquet is damaged"):
        parity.compare(open_bundle(table_made.bundle.path), run, runcard.api._restored(run))


@pytest.mark.slow
def test_an_outlier_in_the_test_rows_is_no_reason_to_refuse(away: Path, command: Command) -> None:
    random = np.random.default_rng(0)
    columns = dict(zip("xzw", random.normal(size=(3, 400)), strict=True))
    truth = 3 * columns["x"] + random.normal(size=400)
    columns["x"][3] = 1e5
    pl.DataFrame(columns | {"y": truth}).write_csv("rows.csv")
    words = ["data=table", "data.path=rows.csv", "problem.target=y", "trainer.max_epochs=5", "report=false", "--json"]
    run = command("fit", *words).json["run"]
    split = pl.read_parquet(Path(run) / "split.parquet")
    assert split.row(3)[-1] == "test"
    said = command("package", "--no-http", run, "--json")
    assert said.code == 0, said.err
    assert said.json["deviation"] <= 1e-5


def test_a_run_that_is_not_good_enough_is_packaged_only_if_it_is_accepted(command: Command) -> None:
    run = command("fit", "data=wine", "model=linear", *TINY[:3], "problem.least_value=1.0", "--json").json["run"]
    before = {bundle.tag for bundle in bentoml.models.list()}
    said = command("package", "--no-http", run)
    assert (said.code, said.out) == (3, "")
    assert re.search(r"accuracy is 0\.\d{4} on the test rows, and problem\.least_value asks for 1\.0000", said.err)
    assert {bundle.tag for bundle in bentoml.models.list()} == before
    said = command("package", "--no-http", run, "--accept")
    assert said.code == 0
    assert "problem.least_value asks for 1.0000" in said.err


@pytest.mark.slow
def test_a_study_that_stopped_early_is_said(command: Command) -> None:
    study = command("fit", "-m", "data=wine", "model=linear", *TINY, "seed=1,2", "--json").json["study"]
    summary = json.loads((Path(study) / "study.json").read_text())
    (Path(study) / "study.json").write_text(json.dumps(summary | {"n_trials": 200}))
    said = command("package", "--no-http", study)
    assert said.code == 0
    assert "stopped after 2 of 200 trials" in said.err


class _Scaled(nn.Module):
    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs * 1.001


class _Sorted(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows if rows.sum() > 0 else -rows  # which way is known only when it runs


def test_what_onnx_cannot_express_is_said() -> None:
    with pytest.raises(ParityError, match=r"ONNX cannot express this network \(Could not guard"):
        to_onnx(_Sorted().eval(), (3,))


@pytest.mark.parametrize(
    "missing",
    [
        "checkpoints/best.ckpt",
        pytest.param("metrics.json", marks=pytest.mark.slow),
        pytest.param("predictions.parquet", marks=pytest.mark.slow),
        pytest.param("environment.json", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_lacks_a_file(missing: str, table_made: Made, away: Path, command: Command) -> None:
    shutil.copytree(table_made.run.path, away / "run")
    (away / "run" / missing).unlink()
    said = command("package", "--no-http", "run")
    assert (said.code, Path(missing).name in said.err) == (2, True), said.err


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere", "there is no folder"),
        ("empty", "is not a run folder"),
        ("empty/file", "is not a run folder"),
        ("broken", "cannot read"),
        ("hollow", "has no winner"),
        ("wrong", "is damaged"),
    ],
)
def test_what_is_no_run_and_no_study(path: str, says: str, away: Path, command: Command) -> None:
    for folder, text in (("broken", "{"), ("hollow", '{"best": null}'), ("wrong", '{"best": {"number": "x"}}')):
        (away / folder).mkdir()
        (away / folder / "study.json").write_text(text)
    (away / "empty").mkdir()
    (away / "empty/file").touch()
    said = command("package", "--no-http", path)
    assert (said.code, says in said.err) == (2, True), said.err


def test_the_data_of_the_run_is_gone(table: Path, command: Command) -> None:
    run = command("fit", "data=table", f"data.path={table}", "problem.target=churned", *TINY, "--json").json["run"]
    table.write_text(table.read_text().replace("Ulm", "Rom"))
    assert command("package", "--no-http", run).code == 4
    table.unlink()
    assert command("package", "--no-http", run).code == 4


FEATURES = (
    Feature("n", "number", low=0.0, high=1.0),
    Feature("b", "boolean", low=0.0, high=1.0, missing=True),
    Feature("c", "category", categories=("x",)),
    Feature("i", "image", (1, 2, 2), 0.0, 16.0),
    Feature("v", "vector", (3,), 0.0, 1.0),
    Feature("s", "sequence", (2, 1), 0.0, 1.0),
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
# What is unknown wholly is written as null.
SOME = (st.none() | NUMBERS, lambda numbers: any(number is not None for number in numbers))
ROW = st.fixed_dictionaries(
    {
        "n": st.none() | NUMBERS,
        "b": st.none() | st.booleans(),
        "c": st.none() | st.text(),
        "i": st.none() | st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=2, max_size=2),
        "v": st.none() | st.lists(SOME[0], min_size=3, max_size=3).filter(SOME[1]),
        "s": st.none() | st.lists(SOME[0], min_size=2, max_size=2).filter(SOME[1]).map(lambda two: [[x] for x in two]),
    }
)


@given(st.lists(ROW, max_size=5))
def test_rows_become_columns_and_rows_again(rows: list[dict[str, object]]) -> None:
    signature = Signature(FEATURES, Target("y", "classification", ("a", "b")))
    assert to_fields(signature, to_columns(signature, rows)) == rows
    assert json.loads(json.dumps(rows)) == rows
