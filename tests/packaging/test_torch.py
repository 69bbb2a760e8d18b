"""Networks that ONNX cannot express: packaged to be served with torch, by themselves, and said."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
import yaml

import runcard
from runcard.errors import BundleError
from runcard.packaging.bundle import open_bundle
from runcard.packaging.manifest import seal
from tests.conftest import HANG_S, Command
from tests.packaging.test_no_pickle import WITNESS
from tests.servers import BIN, ROOT, bentoml_serve, free_port, starting, wait_until_ready

NETWORKS = """
import torch
from torch import nn


class Median(nn.Module):
    def __init__(self, input_shape, outputs: int, width: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, rows):
        return self.layers(rows - rows.median(1, keepdim=True).values)


class Tied(nn.Module):
    def __init__(self, input_shape, outputs: int) -> None:
        super().__init__()
        self.first, self.again = (nn.Linear(input_shape[0], input_shape[0]) for _ in range(2))
        self.again.weight = self.first.weight
        self.last = nn.Linear(input_shape[0], outputs)

    def forward(self, rows):
        return self.last(self.again(self.first(rows - rows.median(1, keepdim=True).values).relu()))


class Forked(nn.Module):
    def __init__(self, input_shape, outputs: int) -> None:
        super().__init__()
        self.ways = nn.ModuleList(nn.Linear(input_shape[0], outputs) for _ in range(2))

    def forward(self, rows):
        if rows.device.type == "meta":
            return self.ways[0](rows)
        return torch.stack([self.ways[int(row.sum().item() > 0)](row) for row in rows])
"""


ANY_SCORE = "problem.least_value=null"


@dataclass(frozen=True)
class Project:
    """A project with networks of its own, in the working directory."""

    package: str
    folder: Path
    run: str

    @property
    def code(self) -> Path:
        """The file of its networks."""
        return self.folder / "src" / self.package / "networks.py"


def made(folder: Path, network: str) -> Project:
    """A project in a folder, and the finished run of a network."""
    package = f"own_{os.urandom(4).hex()}"  # Python imports a name once
    files = {
        f"src/{package}/__init__.py": "",
        f"src/{package}/networks.py": NETWORKS,
        "pyproject.toml": f'[tool.runcard]\ntrust = ["{package}"]\nconfig_dir = "conf"\n',
        "conf/model/own.yaml": f"_target_: {package}.networks.{network}\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with contextlib.chdir(folder):
        card = runcard.load_card(["data=wine", "model=own", "trainer.max_epochs=5", "report=false", ANY_SCORE])
        return Project(package, folder, str(runcard.fit(card).path))


@pytest.mark.slow
@pytest.mark.parametrize("network", ["Forked", "Tied"])
def test_it_goes_the_whole_way(network: str, away: Path, command: Command) -> None:
    project = made(away, network)
    said = command("package", project.run, "--json")
    assert said.code == 0, said.err
    assert (said.json["runtime"], said.json["rows_over_http"] > 100) == ("torch", True)
    check_served(project, said.json["bundle"], Path(said.json["path"]))


def check_served(project: Project, tag: str, folder: Path) -> None:
    """The project's bundle holds no pickle, and answers with torch as its run did, without one being read."""
    assert json.loads((folder / "bundle.json").read_text())["runtime"] == "torch"
    assert not (folder / "model.onnx").exists()
    assert not [file for file in folder.iterdir() if file.read_bytes().startswith((b"\x80", b"PK"))], "a pickle"
    assert "pytorch" in (folder / "README.md").read_text()
    port = free_port()
    words = [str(BIN / "runcard"), "serve", tag, "--port", str(port), "serve.threads=2"]
    (project.folder / "sitecustomize.py").write_text(WITNESS)
    path = f"{project.folder}:{os.environ.get('PYTHONPATH', '')}"
    pickles = project.folder / "pickles"
    with starting(words, project.folder, port, PYTHONPATH=path, PICKLES=str(pickles)) as service:
        wait_until_ready(service)
        rows, truth = runcard.tested_rows(project.run)
        many, alone = service.post(rows)[1], [service.post(row)[1] for row in rows]
        assert json.loads(service.get("/model")[1])["runtime"] == "torch"
    assert not pickles.exists(), pickles.read_text()
    stored = pl.read_parquet(Path(project.run) / "predictions.parquet")
    for answers in (many, alone):
        assert [answer["class"] for answer in answers] == stored["prediction"].to_list()
        right = sum(answer["class"] == label for answer, label in zip(answers, truth, strict=True))
        assert right / len(truth) == runcard.load_run(project.run).metrics["test/accuracy"]


@pytest.mark.parametrize("network", ["Tied", pytest.param("Forked", marks=pytest.mark.slow)])
def test_it_answers_as_its_run_did(network: str, away: Path, command: Command) -> None:
    said = command("package", "--no-http", made(away, network).run, "--json")
    assert (said.code, said.json["runtime"]) == (0, "torch"), said.err
    (line,) = [line for line in said.err.splitlines() if "ONNX" in line]
    assert line.startswith("ONNX cannot express this network (")
    assert line.endswith("); it is packaged to be served with torch")


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str, Path]:
    """A project, the tag and the folder of its run's bundle; tests must not write to it."""
    project = made(tmp_path_factory.mktemp("packaged"), "Median")
    with contextlib.chdir(project.folder):
        bundle = runcard.package(project.run, http=False)
    return project, bundle.tag, bundle.path


@pytest.fixture
def project(packaged: tuple[Project, str, Path], away: Path) -> Project:
    """A copy of the project, in the working directory."""
    there, _, _ = packaged
    shutil.copytree(there.folder, away, dirs_exist_ok=True)
    return dataclasses.replace(there, folder=away)


@pytest.fixture
def bundle(packaged: tuple[Project, str, Path]) -> tuple[str, Path]:
    """The tag and the folder of its bundle."""
    return packaged[1:]


@pytest.mark.slow
def test_it_is_served_with_torch(project: Project, bundle: tuple[str, Path], command: Command) -> None:
    check_served(project, *bundle)
    assert command("predict", str(bundle[1]), "rows.csv").code == 4, "the file is missing, the bundle is not"


def refused(tag: str, *more: str, **variables: str) -> str:
    """What ``runcard serve`` says to a bundle that it does not serve."""
    words = [str(BIN / "runcard"), "serve", tag, "--port", str(free_port()), *more]
    environment = {**os.environ, **variables}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=HANG_S)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    return done.stderr


@pytest.mark.slow
def test_only_where_its_package_is_trusted_and_found(
    project: Project, bundle: tuple[str, Path], away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag, folder = bundle
    (away / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    Path("pyproject.toml").write_text("")
    assert f"'{project.package}.networks.Median' is not allowed. Trust a package" in refused(tag)
    assert f"there is no package '{project.package}'" in refused(tag, "--trust", project.package)
    variables = {"RUNCARD_TRUST": project.package, "PYTHONPATH": f"{away}/src:{os.environ.get('PYTHONPATH', '')}"}
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=tag, **variables) as service:
        assert service.post(json.loads((folder / "reference.json").read_text())["rows"])[0] == 200


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("nn.ReLU(), ", "nn.LayerNorm(width), ", "its card makes another network now"),
        pytest.param(
            "keepdim=True).values",
            "keepdim=True).values + 1",
            "answers its reference rows differently",
            marks=pytest.mark.slow,
        ),
        pytest.param("class Median", "class Mean", "has no 'Median'", marks=pytest.mark.slow),
        pytest.param(
            "return self.layers(",
            "raise KeyError('gone')\n        return self.layers(",
            "KeyError('gone')",
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.slow
def test_code_that_changed_meanwhile(
    old: str, new: str, says: str, project: Project, bundle: tuple[str, Path], command: Command
) -> None:
    project.code.write_text(project.code.read_text().replace(old, new))
    said = command("serve", bundle[0], "--port", str(free_port()))  # which tries it out in a process of its own
    assert (said.code, says in said.err) == (2, True), said.err


@pytest.mark.parametrize("target", ["compose", pytest.param("kubernetes", marks=pytest.mark.slow)])
def test_its_deployment_trusts_its_package_and_has_room_for_torch(
    target: str, project: Project, bundle: tuple[str, Path], command: Command
) -> None:
    said = command("deploy", bundle[0], "--target", target, "--image", "example.com/wine:1", "--workers", "2", "--json")
    assert said.code == 0, said.err
    texts = {name: (Path(said.json["folder"]) / name).read_text() for name in said.json["files"]}
    if target == "compose":
        (service,) = yaml.safe_load(texts["compose.yaml"])["services"].values()
        variables, limits = service["environment"], service["deploy"]["resources"]["limits"]
    else:
        (container,) = _containers(texts["base/deployment.yaml"])
        variables = {item["name"]: item["value"] for item in container["env"]}
        limits = _containers(texts["overlays/production/resources.yaml"])[0]["resources"]["limits"]
    assert variables["RUNCARD_TRUST"] == project.package
    assert limits["memory"].rstrip("Mi") == str(300 + 2 * 800)


def _containers(text: str) -> list[dict[str, Any]]:
    containers: list[dict[str, Any]] = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"]
    return containers


def no_torch(away: Path) -> str:
    """A path for Python on which there is no torch."""
    (away / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    return f"{away}:{os.environ.get('PYTHONPATH', '')}"


def test_torch_is_not_there(project: Project, bundle: tuple[str, Path], away: Path) -> None:
    said = refused(bundle[0], PYTHONPATH=no_torch(away))
    assert "it is served with torch, and there is no torch here: install runcard" in said


@pytest.mark.slow
def test_torch_is_not_there_for_bentomls_command(project: Project, bundle: tuple[str, Path], away: Path) -> None:
    path = no_torch(away)
    words = [str(BIN / "bentoml"), "serve", "--port", str(free_port())]
    environment = {**os.environ, "PYTHONPATH": path, "RUNCARD_BUNDLE": bundle[0]}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANG_S)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "there is no torch here" in done.stderr


def test_there_is_no_gpu(project: Project, bundle: tuple[str, Path]) -> None:
    if torch.cuda.is_available():
        assert open_bundle(bundle[1], provider="cuda").runtime == "torch"
    else:
        with pytest.raises(BundleError, match=r"serve\.provider cuda: torch finds no NVIDIA GPU"):
            open_bundle(bundle[1], provider="cuda")


@pytest.mark.parametrize(("runtime", "says"), [("onnx", "does not name model.onnx"), ("jax", "served with 'jax'")])
def test_what_answers_cannot_be_left_out(
    runtime: str, says: str, project: Project, bundle: tuple[str, Path], away: Path
) -> None:
    folder = away / "changed"
    shutil.copytree(bundle[1], folder)
    about = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(about | {"runtime": runtime}))
    with pytest.raises(BundleError, match=r"bundle\.json is not what was packaged"):
        open_bundle(folder)
    for name in ("manifest.json", "manifest.sha256"):
        (folder / name).unlink()
    seal(folder)
    with pytest.raises(BundleError, match=says):
        open_bundle(folder)


@pytest.mark.slow
def test_a_bento_answers_with_torch_if_it_holds_what_that_takes(
    project: Project, bundle: tuple[str, Path], away: Path
) -> None:
    checkout = away / "checkout"
    for name in ("requirements", "src"):
        shutil.copytree(ROOT / name, checkout / name)
    shutil.copy(ROOT / "bentofile.yaml", checkout)
    assert "there is no runcard.packaging.torch_graph here" in ended(built(checkout, bundle[0]))
    shutil.copytree(project.code.parent, checkout / "src" / project.package)
    text = (checkout / "bentofile.yaml").read_text()
    more = f"include:\n  - src/runcard/**\n  - src/{project.package}/**"
    (checkout / "bentofile.yaml").write_text(re.sub("^include:.*", more, text, flags=re.M))
    with bentoml_serve(away, target=built(checkout, bundle[0]), RUNCARD_TRUST=project.package) as service:
        rows, _ = runcard.tested_rows(project.run)
        answers = [answer["class"] for answer in service.post(rows)[1]]
    assert answers == pl.read_parquet(Path(project.run) / "predictions.parquet")["prediction"].to_list()


def built(checkout: Path, tag: str) -> str:
    """The tag of a Bento that holds a bundle."""
    words = [str(BIN / "bentoml"), "build", "-o", "tag"]
    environment = {**os.environ, "RUNCARD_BUNDLE": tag, "PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(words, cwd=checkout, env=environment, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().removeprefix("__tag__:")


def ended(bento: str) -> str:
    """What ``bentoml serve`` says to a Bento that it does not serve."""
    words = [str(BIN / "bentoml"), "serve", bento, "--port", str(free_port())]
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANG_S)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    return done.stderr
