"""The wheel: built, installed into an empty environment, run from a folder that knows nothing of the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from runcard.card.groups import GROUPS, SCHEMAS, shipped_conf
from tests.servers import free_port, starting, wait_until_ready

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (path,) = out.glob("*.whl")
    return path


def test_wheel_holds_all_of_conf_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [*shipped_conf().rglob("*.yaml"), *(shipped_conf() / SCHEMAS).glob("*.json")]
    shipped = {f"runcard/conf/{file.relative_to(shipped_conf())}" for file in files}
    assert len(files) > len(GROUPS) + 45
    assert shipped <= names
    assert {"runcard/evaluation/report.html", "runcard/evaluation/style.css", "runcard/tuning/report.html"} <= names
    assert "runcard/card/naming/arguments.json" in names
    web = (ROOT / "src" / "runcard" / "serving" / "web").iterdir()
    assert {f"runcard/serving/web/{file.name}" for file in web} <= names
    templates = (ROOT / "src" / "runcard" / "starting" / "templates").iterdir()
    assert {f"runcard/starting/templates/{file.name}" for file in templates} <= names
    templates = (ROOT / "src" / "runcard" / "deploying" / "templates").rglob("*")
    assert {f"runcard/{file.relative_to(ROOT / 'src' / 'runcard')}" for file in templates if file.is_file()} <= names
    assert {
        f"runcard/deploying/templates/bento/{name}" for name in ("bentofile.yaml", "requirements/serve.txt")
    } <= names
    assert "runcard/py.typed" in names
    assert not [name for name in names if "test" in name]
    assert re.search("^runcard = ", described(wheel, "entry_points.txt"), flags=re.MULTILINE)


def described(wheel: Path, name: str) -> str:
    """A file of what the wheel says of itself."""
    with zipfile.ZipFile(wheel) as packed:
        (path,) = [path for path in packed.namelist() if path.endswith(f".dist-info/{name}")]
        return packed.read(path).decode()


def test_a_card_is_composed_of_what_it_holds(wheel: Path, away: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(away / "unpacked")
    folder = away / "elsewhere"
    folder.mkdir()
    script = (
        "import runcard\nfrom runcard.card.groups import shipped_conf\n"
        "print(shipped_conf(), runcard.load_card(['data=wine']).name, sep='\\n')"
    )
    environment = {**os.environ, "PYTHONPATH": str(away / "unpacked")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines() == [str(away / "unpacked" / "runcard" / "conf"), "wine-mlp"], done.stderr


@pytest.mark.slow
def test_wheel_works_from_any_folder(wheel: Path, away: Path) -> None:
    environment = away / "environment"
    # The dependencies are those of this environment; Runcard itself comes from the wheel alone.
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", wheel], check=True, timeout=120
    )
    (site,) = environment.glob("lib/python*/site-packages")
    theirs = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(theirs) + "\n")
    folder = away / "elsewhere"
    folder.mkdir()
    command = [str(environment / "bin" / "runcard"), "fit", "data=wine", "trainer.max_epochs=1", "--json"]
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    run = Path(json.loads(done.stdout)["run"])
    assert run.is_relative_to(folder)
    origin = json.loads((run / "origin.json").read_text())["optimizer.lr"]
    assert str(environment) in str((folder / origin.rpartition(":")[0]).resolve())
    assert (run / "report.html").is_file()
    lines = [
        [str(environment / "bin" / "runcard"), "package", "--no-http", "--accept", str(run)],
        [str(environment / "bin" / "runcard"), "deploy", "--target", "bento"],
        [str(python), "-m", "bentoml", "build", "bento"],
    ]
    variables |= {"BENTOML_HOME": str(away / "home")}
    for line in lines:
        done = subprocess.run(line, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    # What `package` says works where it is said, and the Bento needs nothing of the folder.
    for number, target in enumerate(("runcard.serving.service:Service", "runcard-service:latest")):
        port = free_port()
        words = [str(python), "-m", "bentoml", "serve", target, "--port", str(port)]
        with starting(words, folder if not number else away, port, **variables) as service:
            wait_until_ready(service)
            assert json.loads(service.get("/model")[1])["name"] == "wine-mlp"
