"""The files for Kubernetes: against the schemas of its versions, the profile "restricted", and each other."""

from __future__ import annotations

import base64
import json
import re
import shutil
import stat
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from bentoml._internal.container.generate import BENTO_PATH, BENTO_UID_GID

from runcard.deploying.deploy import deploy
from tests.deploying.cluster import Object, one, read, rendered
from tests.deploying.podsecurity import violations

IMAGE = "registry.example.com:5000/team/digits:1.10"
# The oldest is the one that README.md of the folder names.
OLDEST, LATEST = "1.27", kubernetes_validate.latest_version()
PRODUCTION = Path("overlays/production")
SELECTED = {"app.kubernetes.io/name": "runcard", "app.kubernetes.io/instance": "digits"}


@pytest.fixture
def made(away: Path, no_bundle: None) -> Path:
    return deploy("kubernetes", None, IMAGE, "digits", str(away / "cluster"), 2).path


@pytest.fixture
def objects(made: Path) -> list[Object]:
    return rendered(made / PRODUCTION)


def pod(objects: list[Object]) -> Object:
    spec: Object = one(objects, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(objects: list[Object]) -> Object:
    (only,) = pod(objects)["containers"]
    found: Object = only
    return found


@pytest.mark.parametrize("version", [OLDEST, LATEST])
def test_every_object_is_right_by_the_schema(version: str, objects: list[Object]) -> None:
    for item in objects:
        assert kubernetes_validate.validate(item, version, strict=True) in version


def test_the_schema_refuses_what_is_not_there(objects: list[Object]) -> None:
    container(objects)["livenessProbe"]["periodSecond"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(one(objects, "Deployment"), OLDEST, strict=True)


def test_the_set_is_whole(objects: list[Object]) -> None:
    kinds = ["Namespace", "ServiceAccount", "Secret", "Service", "Deployment"]
    kinds += ["PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy"]
    assert Counter(item["kind"] for item in objects) == Counter(kinds)
    assert {item["metadata"].get("namespace", "digits") for item in objects} == {"digits"}
    versions = {item["metadata"]["labels"]["app.kubernetes.io/version"] for item in objects}
    assert versions == {"1.10"}  # a text, and not the number 1.1


def test_the_pod_is_restricted_and_the_namespace_says_so(objects: list[Object]) -> None:
    assert violations(one(objects, "Deployment")["spec"]["template"]) == set()
    assert one(objects, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert container(objects)["securityContext"]["readOnlyRootFilesystem"] is True
    for owner in (pod(objects), one(objects, "ServiceAccount")):
        assert owner["automountServiceAccountToken"] is False


def test_who_runs_is_the_user_of_the_image(objects: list[Object]) -> None:
    said = pod(objects)["securityContext"]
    assert {said["runAsUser"], said["runAsGroup"], said["fsGroup"]} == {BENTO_UID_GID}


def test_selectors_find_the_pods(objects: list[Object]) -> None:
    deployment = one(objects, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    spread = [rule["labelSelector"] for rule in deployment["template"]["spec"]["topologySpreadConstraints"]]
    selectors = [deployment["selector"], one(objects, "PodDisruptionBudget")["spec"]["selector"], *spread]
    selectors += [one(objects, "NetworkPolicy")["spec"]["podSelector"]]
    assert [item["matchLabels"] for item in selectors] == [SELECTED] * 5
    assert one(objects, "Service")["spec"]["selector"] == SELECTED
    assert labels.items() >= SELECTED.items()
    assert labels["app.kubernetes.io/version"] == "1.10"


def test_references_lead_somewhere(objects: list[Object]) -> None:
    said, target = pod(objects), one(objects, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    deployment = one(objects, "Deployment")
    assert target == {key: deployment[key] for key in ("apiVersion", "kind")} | {"name": "digits"}
    assert said["serviceAccountName"] == one(objects, "ServiceAccount")["metadata"]["name"]
    assert {mount["name"] for mount in container(objects)["volumeMounts"]} == {item["name"] for item in said["volumes"]}
    (token,) = [volume["secret"] for volume in said["volumes"] if "secret" in volume]
    assert token["secretName"] == one(objects, "Secret")["metadata"]["name"] != "digits-token"
    assert token["defaultMode"] == 0o440


def test_ports_are_one(objects: list[Object]) -> None:
    (port,) = container(objects)["ports"]
    (service,) = one(objects, "Service")["spec"]["ports"]
    (rule,) = one(objects, "NetworkPolicy")["spec"]["ingress"]
    probes = [container(objects)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    assert {port["name"]} == {service["targetPort"], *(probe["port"] for probe in probes)}
    assert [probe["path"] for probe in probes] == ["/livez", "/livez", "/readyz"]
    assert [item["port"] for item in rule["ports"]] == [port["containerPort"]] == [3000]


def test_nothing_goes_out(objects: list[Object]) -> None:
    policy = one(objects, "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy


def environment(objects: list[Object]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container(objects)["env"]}


def test_what_is_written_to_can_be_and_what_is_read_is_not_hidden(objects: list[Object]) -> None:
    kinds = {volume["name"]: volume for volume in pod(objects)["volumes"]}
    mounts = {mount["mountPath"]: kinds[mount["name"]] for mount in container(objects)["volumeMounts"]}
    writable = [Path(path) for path, volume in mounts.items() if "emptyDir" in volume]
    home = Path(environment(objects)["BENTOML_HOME"])
    assert Path("/tmp") in writable
    assert any(home.is_relative_to(path) for path in writable)
    assert not [path for path in mounts if Path(BENTO_PATH).is_relative_to(path)]
    token = Path(json.loads(environment(objects)["RUNCARD_SERVE"])["token_file"])
    assert mounts[str(token.parent)]["secret"]
    assert token.name in one(objects, "Secret")["data"]


def test_there_is_time_to_answer_what_was_asked(objects: list[Object]) -> None:
    timeout_s = json.loads(environment(objects)["RUNCARD_SERVE"])["timeout_s"]
    _, sleep_s = container(objects)["lifecycle"]["preStop"]["exec"]["command"]
    assert pod(objects)["terminationGracePeriodSeconds"] >= int(sleep_s) + timeout_s + 5


def test_a_change_takes_nothing_down(objects: list[Object]) -> None:
    deployment, scaling = one(objects, "Deployment")["spec"], one(objects, "HorizontalPodAutoscaler")["spec"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "replicas" not in deployment
    assert scaling["minReplicas"] > one(objects, "PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert scaling["maxReplicas"] == 10


def test_workers_decide_how_much_a_pod_gets(objects: list[Object]) -> None:
    assert json.loads(environment(objects)["RUNCARD_SERVE"])["workers"] == 2
    assert container(objects)["resources"] == {
        "requests": {"cpu": "2", "memory": "500Mi"},
        "limits": {"cpu": "2", "memory": "1300Mi"},
    }


def test_the_image_is_the_one_that_was_named(objects: list[Object], away: Path) -> None:
    assert container(objects)["image"] == IMAGE
    exact = f"digits@sha256:{'0' * 64}"
    other = deploy("kubernetes", None, f"registry.example.com/{exact}", None, str(away / "other"), 1)
    assert other.name == "digits"
    assert container(rendered(other.path / PRODUCTION))["image"] == f"registry.example.com/{exact}"


def test_the_token_is_fresh_and_private(made: Path, objects: list[Object], away: Path) -> None:
    file = made / PRODUCTION / "token.txt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = base64.b64decode(one(objects, "Secret")["data"]["token"]).decode().strip()
    assert len(token) >= 32
    other = deploy("kubernetes", None, IMAGE, "digits", str(away / "other"), 2)
    assert other.token.read_text().strip() != token
    subprocess.run(["git", "init", "--quiet", made], check=True)
    seen = subprocess.run(["git", "-C", made, "add", "--all", "--dry-run"], capture_output=True, text=True, check=True)
    assert "kustomization.yaml" in seen.stdout
    assert "token.txt" not in seen.stdout


def test_every_file_of_yaml_is_named_by_a_kustomization_and_says_what_it_is(made: Path) -> None:
    named = {path.parent / "kustomization.yaml" for path in made.rglob("kustomization.yaml")}
    for file in list(named):
        said = read(file)
        named |= {file.parent / name for name in said["resources"] if name.endswith(".yaml")}
        named |= {file.parent / patch["path"] for patch in said.get("patches", ())}
    assert named == set(made.rglob("*.yaml"))
    assert all(path.read_text().startswith("# ") for path in named)


def test_the_page_names_what_is_there(made: Path) -> None:
    page = (made / "README.md").read_text()
    assert "$name" not in page
    for path in re.findall(r"overlays/production/?[\w.]*|base/[\w.]*", page):
        assert (made / path).exists(), path
    assert f"--image-tag {IMAGE}" in page


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="compares with kubectl")
def test_kubectl_composes_the_same(made: Path, objects: list[Object]) -> None:
    done = subprocess.run(["kubectl", "kustomize", made / PRODUCTION], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr  # warnings, as of what is going to be removed
    theirs: list[Any] = list(yaml.safe_load_all(done.stdout))
    name = one(theirs, "Secret")["metadata"]["name"]
    assert re.fullmatch(r"digits-token-[a-z0-9]{10}", name)
    text = json.dumps(objects).replace(one(objects, "Secret")["metadata"]["name"], name)
    assert sorted(json.loads(text), key=str_of) == sorted(theirs, key=str_of)


def str_of(item: Object) -> str:
    return str(item["kind"])
