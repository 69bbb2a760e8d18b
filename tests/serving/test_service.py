"""Real ``bentoml serve`` processes over HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import polars as pl
import psutil
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models import ModelStore

import runcard
from runcard.errors import BundleError
from runcard.packaging import store
from runcard.serving.launch import SERVICE, prepare
from tests.conftest import HANG_S, Command, Made
from tests.servers import BIN, ROOT, Service, bentoml_serve, free_port, starting, wait_until_ready
from tests.serving.image import Image
from tests.waiting import wait_for

HEAVY = {"torch", "pytorch_lightning", "lightning_fabric", "torchmetrics", "hydra", "omegaconf", "optuna", "sklearn"}
HEAVY |= {"matplotlib", "onnx", "onnxscript", "runcard.packaging.torch_graph"}
INSTALLED_MB = 450  # of a Bento's image; torch alone is more
GOOD = {"age": 45.0, "city": "Ulm", "member": True, "spent": 100.0}


@pytest.fixture
def lone_store(away: Path, table_made: Made) -> Path:
    """A store of its own with one bundle in it, which may be damaged."""
    home = away / "home"
    name, _, version = table_made.bundle.tag.partition(":")
    shutil.copytree(table_made.bundle.path, home / "models" / name / version)
    (home / "models" / name / "latest").write_text(version)
    return home


@pytest.fixture
def store_here(lone_store: Path) -> Iterator[Path]:
    """The same, as the store of this process."""
    BentoMLContainer.model_store_dir.set(str(lone_store / "models"))
    BentoMLContainer.model_store.set(ModelStore(lone_store / "models"))
    yield lone_store
    BentoMLContainer.model_store.reset()
    BentoMLContainer.model_store_dir.reset()


def witnesses(service: Service, folder: Path) -> list[dict[str, Any]]:
    """What each process of a service has loaded."""
    main = psutil.Process(service.process.pid)
    processes = [main, *main.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGUSR1)
    wanted = [folder / f"{process.pid}.json" for process in processes]
    wait_for(lambda: all(path.is_file() for path in wanted))
    return [json.loads(path.read_text()) for path in wanted]


def test_a_tables_test_rows_are_served_as_they_were_evaluated(table_service: Service, table_made: Made) -> None:
    rows, truth = runcard.tested_rows(table_made.run.path)
    assert any(value is None for row in rows for value in row.values())
    status, answers = table_service.post(rows)
    assert status == 200
    right = sum(answer["class"] == label for answer, label in zip(answers, truth, strict=True))
    assert right / len(truth) == table_made.run.metrics["test/accuracy"]
    alone = [table_service.post(row)[1]["class"] for row in rows]
    assert alone == [answer["class"] for answer in answers]


def test_images_test_rows_are_served_as_they_were_evaluated(digits_service: Service, digits_made: Made) -> None:
    rows, truth = runcard.tested_rows(digits_made.run.path)
    answers = [digits_service.post(row)[1] for row in rows]
    right = sum(answer["class"] == label for answer, label in zip(answers, truth, strict=True))
    assert right / len(truth) == digits_made.run.metrics["test/accuracy"]
    assert {answer["model_version"] for answer in answers} == {digits_made.bundle.tag}


@pytest.mark.slow  # by default test_predictor.py asks without a service
@pytest.mark.parametrize("kind", ["vector", "sequence"])
def test_arrays_test_rows_are_served_as_they_were_evaluated(kind: str, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(f"{kind}_made")
    rows, truth = runcard.tested_rows(made.run.path)
    assert "null" in json.dumps(rows)
    with bentoml_serve(ROOT, RUNCARD_BUNDLE=made.bundle.tag) as service:
        answers = service.post(rows)[1]
        assert [service.post(row)[1]["class"] for row in rows] == [answer["class"] for answer in answers]
        status, said = service.post({kind: rows[0][kind][:-1]})
        assert f'data-name="{kind}"' in service.get("/")[1]
    stored = pl.read_parquet(made.run.folder.predictions)
    assert [answer["class"] for answer in answers] == stored["prediction"].to_list()
    for name in made.run.signature.target.classes:
        shares = [answer["probabilities"][name] for answer in answers]
        np.testing.assert_allclose(shares, stored[f"probability_{name}"], atol=1e-5)
    right = sum(answer["class"] == label for answer, label in zip(answers, truth, strict=True))
    assert right / len(truth) == made.run.metrics["test/accuracy"]
    assert (status, said["mistakes"][0]["field"]) == (400, kind)


def test_health_and_metrics(table_service: Service) -> None:
    table_service.post(GOOD)
    assert [table_service.get(path)[0] for path in ("/livez", "/readyz", "/metrics")] == [200] * 3
    assert 'endpoint="/predict"' in table_service.get("/metrics")[1]


def test_status_codes(table_service: Service) -> None:
    assert table_service.post(GOOD | {"age": 212, "city": None})[0] == 200
    status, said = table_service.post(GOOD | {"age": "old"})
    assert status == 400
    assert said["mistakes"] == [{"row": None, "field": "age", "message": "must be a number, not a text"}]
    assert table_service.post(b"{")[0] == 400
    status, said = table_service.post(b" " * (17 << 20))
    assert (status, "16 MiB" in said["error"]) == (413, True)
    assert table_service.get("/predict")[0] == 405
    assert table_service.get("/nowhere")[0] == 404
    status, answers = table_service.post([GOOD] * 2000)  # long enough to go to another thread
    assert (status, len(answers)) == (200, 2000)


def test_pages(table_service: Service, table_made: Made) -> None:
    status, page = table_service.get("/")
    assert status == 200
    assert 'data-name="city"' in page
    described = json.loads(table_service.get("/openapi.json")[1])
    assert described["info"]["version"] == table_made.bundle.tag
    assert list(described["components"]["schemas"]["Row"]["properties"]) == list(GOOD)
    assert json.loads(table_service.get("/docs.json")[1]) == described
    assert table_service.get("/docs")[0] == table_service.get("/static_content/swagger-ui-bundle.js")[0] == 200


def test_neither_process_loads_what_trains(table_service: Service, witnessed: Path) -> None:
    assert table_service.post(GOOD)[0] == 200
    seen = witnesses(table_service, witnessed)
    workers = [process for process in seen if "_bentoml_impl.worker.service" in process["words"]]
    assert (len(workers), len(seen)) == (1, 2)
    # Tables too: the first CSV should take no longer than others, nor keep anybody waiting.
    assert {"onnxruntime", "polars", "runcard.serving.service"} <= set(workers[0]["modules"])
    assert [process for process in seen if "polars" in process["modules"]] == workers
    for process in seen:
        assert not HEAVY & set(process["modules"]), process["words"]


@pytest.mark.slow
def test_runcard_serve_loads_no_torch_before_it_becomes_bentoml(lone_store: Path, installed: Command) -> None:
    script = (
        "import sys, runcard.serving.launch as launch\n"
        f"launch.prepare([], '127.0.0.1', {free_port()})\n"
        f"print(sorted({HEAVY | {'polars'}!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "BENTOML_HOME": str(lone_store)},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert done.stdout.strip() == "[]", done.stderr


def damage(store: Path, name: str) -> None:
    """Change one bit of a file of the store's bundle."""
    (file,) = store.glob(f"models/*/*/{name}")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGED = ["model.onnx", "transforms.json", "model.yaml", "manifest.json"]


# By default by BentoML's command: what ours says, the tests below find within this process.
@pytest.mark.parametrize(
    ("name", "command"),
    [("model.onnx", "bentoml"), pytest.param("manifest.json", "runcard", marks=pytest.mark.slow)],
)
def test_a_damaged_bundle_is_never_ready(name: str, command: str, lone_store: Path, away: Path) -> None:
    damage(lone_store, name)
    port = free_port()
    words = [str(BIN / command), "serve", "--port", str(port)]
    folder, code = (ROOT, 1) if command == "bentoml" else (away, 2)
    with starting(words, folder, port, BENTOML_HOME=str(lone_store)) as service:
        assert service.process.wait(HANG_S) == code
        said = service.log.read_text()
        assert name in said
        assert "Traceback" not in said
        assert not service.ready


@pytest.mark.usefixtures("tried_here")
@pytest.mark.parametrize("name", DAMAGED)
def test_whatever_is_damaged_is_named(name: str, store_here: Path) -> None:
    damage(store_here, name)
    with pytest.raises(BundleError, match=name):
        prepare([], "127.0.0.1", free_port())


@pytest.mark.slow
def test_there_is_no_bundle(away: Path) -> None:
    done = subprocess.run(
        [BIN / "runcard", "serve"],
        env={**os.environ, "BENTOML_HOME": str(away / "home")},
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    assert (done.returncode, "make one with `runcard package RUN`" in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("word", "says"), [("nothing:here", "there is no bundle nothing:here"), ("UPPER CASE!", "there is no bundle")]
)
def test_there_is_no_such_bundle(word: str, says: str, store_here: Path, command: Command) -> None:
    said = command("serve", word)
    assert (said.code, says in said.err) == (2, True), said.err


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        ("127.0.0.1", None, "in use"),
        ("203.0.113.7", "3000", "cannot listen"),
        ("127.0.0.1", "99999", "from 1 to 65535"),
    ],
)
def test_an_address_that_cannot_be_had(
    host: str, port: str | None, says: str, table_made: Made, command: Command
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = port or str(taken.getsockname()[1])
        said = command("serve", table_made.bundle.tag, "--host", host, "--port", wanted)
    assert (said.code, says in said.err, "--port" in said.err) == (2, True, True), said.err


def strangers(store: Path) -> None:
    """Put models that others made, and made badly, into a store."""
    for name, text in (("theirs", "name: [unclosed"), ("empty", "")):
        folder = store / "models" / name / "abc"
        folder.mkdir(parents=True)
        (folder / "model.yaml").write_text(text)
        (folder / "manifest.json").write_text("{}")


@pytest.mark.usefixtures("tried_here")
def test_models_of_other_makers_are_passed_over(store_here: Path, table_made: Made) -> None:
    strangers(store_here)
    assert prepare([], "127.0.0.1", free_port()).admitted.tag == table_made.bundle.tag


def test_a_damaged_bundle_stands_only_for_itself(store_here: Path, table_made: Made, digits_made: Made) -> None:
    name, _, version = digits_made.bundle.tag.partition(":")
    other = store_here / "models" / name / version
    shutil.copytree(digits_made.bundle.path, other)
    description = (other / "model.yaml").read_text()
    for year, expected in (("1999", table_made.bundle.tag), ("2999", digits_made.bundle.tag)):
        (other / "bundle.json").write_text("{}")
        (other / "model.yaml").write_text(re.sub(r"creation_time: .\d{4}", f"creation_time: '{year}", description))
        assert store.find()[0] == expected


@pytest.mark.usefixtures("tried_here")
@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "transforms.json", "bundle.json", "model.yaml"])
def test_the_newest_that_lacks_a_file_is_refused(
    name: str, store_here: Path, table_made: Made, digits_made: Made
) -> None:
    folder, _, version = digits_made.bundle.tag.partition(":")
    other = store_here / "models" / folder / version
    shutil.copytree(digits_made.bundle.path, other)
    newer = max(
        (table_made, digits_made),
        key=lambda made: json.loads((made.bundle.path / "bundle.json").read_text())["created"],
    )
    (store_here / "models" / newer.bundle.tag.replace(":", "/") / name).unlink()
    with pytest.raises(BundleError) as caught:
        prepare([], "127.0.0.1", free_port())
    said = str(caught.value)
    assert newer.bundle.tag.partition(":")[2] in said
    assert "manifest" in said if "manifest" in name else name in said


@pytest.mark.usefixtures("tried_here")
@pytest.mark.parametrize("text", ["{", "", "name: 1"])
def test_a_description_that_bentoml_cannot_read(
    text: str, store_here: Path, table_made: Made, command: Command
) -> None:
    (file,) = store_here.glob("models/*/*/model.yaml")
    file.write_text(text)
    for words in ([], [table_made.bundle.tag], ["table-mlp"]):
        said = command("serve", *words, "--port", str(free_port()))
        assert (said.code, "fault" in said.err, "Traceback" in said.err) == (2, False, False), said.err


def test_modules_in_the_working_directory_are_not_the_services(
    digits_service: Service, digits_made: Made, elsewhere: Path
) -> None:
    assert Path(psutil.Process(digits_service.process.pid).cwd()) == elsewhere
    assert len(list(elsewhere.glob("*.py"))) == 4
    assert digits_service.post(runcard.tested_rows(digits_made.run.path)[0][0])[0] == 200


def test_stdout_is_for_the_one_json_object(digits_service: Service, digits_made: Made, elsewhere: Path) -> None:
    assert digits_service.get("/model")[0] == 200
    said = json.loads((elsewhere / "stdout").read_text())
    assert said == {"bundle": digits_made.bundle.tag, "url": digits_service.url, "warnings": []}


def test_a_client_that_hangs_up_leaves_no_traceback(table_service: Service) -> None:
    host, port = table_service.url.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n{")
    assert table_service.post(GOOD)[0] == 200
    assert "Traceback" not in table_service.log.read_text()


def test_of_wrong_rows_by_the_thousand_the_first_is_told(table_service: Service) -> None:
    status, said = table_service.post(b"[" + b"{}," * 90_000 + b"{}]")
    assert status == 400
    assert [(mistake["row"], mistake["field"]) for mistake in said["mistakes"]] == [(0, name) for name in GOOD]


def test_a_body_that_comes_in_parts_is_answered(table_service: Service) -> None:
    body = json.dumps(GOOD).encode()
    host, port = table_service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=HANG_S) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body))
        for place in range(0, len(body), 20):
            assert table_service.post(GOOD)[0] == 200  # by now what was sent before has come
            connection.sendall(body[place : place + 20])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.slow
def test_the_newest_is_served_unless_another_is_named(lone_store: Path, table_made: Made, digits_made: Made) -> None:
    name, _, version = digits_made.bundle.tag.partition(":")
    shutil.copytree(digits_made.bundle.path, lone_store / "models" / name / version)
    strangers(lone_store)
    newest = max((table_made, digits_made), key=lambda made: (made.bundle.path / "model.yaml").stat().st_mtime)
    with bentoml_serve(ROOT, BENTOML_HOME=str(lone_store)) as service:
        assert json.loads(service.get("/openapi.json")[1])["info"]["version"] == newest.bundle.tag


@pytest.mark.slow
def test_a_bento_serves_from_an_unpacked_copy(lone_store: Path, table_made: Made, away: Path) -> None:
    environment = {**os.environ, "BENTOML_HOME": str(lone_store)}
    build = [str(BIN / "bentoml"), "build", "-o", "tag"]
    built = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANG_S, check=True)
    tag = built.stdout.strip().removeprefix("__tag__:")
    archive = away / "packed.bento"
    export = [str(BIN / "bentoml"), "export", tag, str(archive)]
    subprocess.run(export, env=environment, capture_output=True, timeout=HANG_S, check=True)
    unpacked = away / "unpacked"
    with tarfile.open(archive) as packed:
        packed.extractall(unpacked, filter="data")
    shutil.rmtree(lone_store)
    image = Image(unpacked, away)
    for script, says in (
        ("import torch", "No module named 'torch'"),
        ("import runcard", "No module named 'runcard'"),
        (f"open('{unpacked}/bento.yaml', 'a')", image.refuses),
    ):
        if says is None:
            continue
        done = image.run(image.python, "-c", script)
        assert (done.returncode, says in done.stderr) == (1, True), done.stderr
    words, port = image.serve()
    with starting(words, away, port) as service:
        wait_until_ready(service)
        rows, truth = runcard.tested_rows(table_made.run.path)
        answers = service.post(rows)[1]
        right = sum(answer["class"] == label for answer, label in zip(answers, truth, strict=True))
        assert right / len(truth) == table_made.run.metrics["test/accuracy"]
        assert {answer["model_version"] for answer in answers} == {table_made.bundle.tag}
    sizes = image.megabytes()
    sys.stdout.write(f"{sum(sizes.values())} MB are installed: {sizes}\n")
    assert sum(sizes.values()) < INSTALLED_MB, sizes


@pytest.mark.slow
def test_a_bento_does_not_mind_what_else_is_in_the_store(lone_store: Path, table_made: Made, digits_made: Made) -> None:
    environment = {**os.environ, "BENTOML_HOME": str(lone_store)}
    build = [str(BIN / "bentoml"), "build"]
    subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, timeout=HANG_S, check=True)
    name, _, version = digits_made.bundle.tag.partition(":")
    shutil.copytree(digits_made.bundle.path, lone_store / "models" / name / version)
    (lone_store / "models" / name / version / "bundle.json").write_text("{}")
    with bentoml_serve(lone_store, target="runcard-service:latest", BENTOML_HOME=str(lone_store)) as service:
        assert json.loads(service.get("/openapi.json")[1])["info"]["version"] == table_made.bundle.tag


@pytest.mark.slow
def test_a_bento_in_the_store_keeps_its_bundle(lone_store: Path, table_made: Made, digits_made: Made) -> None:
    environment = {**os.environ, "BENTOML_HOME": str(lone_store), "RUNCARD_BUNDLE": table_made.bundle.tag}
    build = [str(BIN / "bentoml"), "build"]
    subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, timeout=HANG_S, check=True)
    name, _, version = digits_made.bundle.tag.partition(":")
    shutil.copytree(digits_made.bundle.path, lone_store / "models" / name / version)
    for chosen in (table_made, digits_made):
        variables = {"BENTOML_HOME": str(lone_store), "RUNCARD_BUNDLE": chosen.bundle.tag}
        with bentoml_serve(lone_store, target="runcard-service:latest", **variables) as service:
            assert json.loads(service.get("/openapi.json")[1])["info"]["version"] == table_made.bundle.tag


@pytest.fixture
def store_back() -> Iterator[None]:
    """BentoML's store is again where it was, whatever a test had linked."""
    home = os.environ["BENTOML_HOME"]
    yield
    os.environ["BENTOML_HOME"] = home
    BentoMLContainer.model_store_dir.reset()
    BentoMLContainer.model_store.reset()


@pytest.mark.usefixtures("store_back")
def test_a_folder_is_found_as_a_bundle_and_hides_none(table_made: Made, away: Path) -> None:
    tag = table_made.bundle.tag
    name = tag.partition(":")[0]
    Path(name).mkdir()  # a project called like its bundle
    assert store.find_any(name)[0].startswith(f"{name}:")
    with pytest.raises(BundleError, match=f"{away}/{name} is no bundle: it holds no manifest.json"):
        store.find_any(f"./{name}")
    shutil.copytree(table_made.bundle.path, away / "loaded")
    found, place = store.find_any("loaded")
    assert (found, place.resolve()) == (tag, away / "loaded")
    assert Path(bentoml.models.get(tag).path).resolve() == away / "loaded"
    (away / "loaded" / "model.yaml").write_text("name: ../../up\nversion: 1\n")
    assert store.find_any("loaded")[0].startswith("loaded:")


@pytest.mark.slow
@pytest.mark.parametrize("command", [["runcard", "serve", "loaded"], ["bentoml", "serve", SERVICE]])
def test_a_folder_is_served_without_a_store(command: list[str], table_made: Made, away: Path) -> None:
    shutil.copytree(table_made.bundle.path, away / "loaded")
    port = free_port()
    variables = {"BENTOML_HOME": str(away / "home"), **({} if "loaded" in command else {"RUNCARD_BUNDLE": "./loaded"})}
    words = [str(BIN / command[0]), *command[1:], "--port", str(port)]
    with starting(words, away, port, **variables) as service:
        wait_until_ready(service)
        assert json.loads(service.get("/model")[1])["version"] == table_made.bundle.tag
