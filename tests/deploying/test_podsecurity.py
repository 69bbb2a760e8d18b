"""The test of the profile "restricted" can fail: each rule, broken, is named."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.deploying.podsecurity import violations

CONTAINER: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
SOUND: dict[str, Any] = {
    "metadata": {},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "a", "securityContext": CONTAINER}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
}
POD, FIRST = "spec.securityContext", "spec.containers.0"
BROKEN = [
    ("spec.hostNetwork", True, "Host Namespaces"),
    ("spec.hostPID", True, "Host Namespaces"),
    ("spec.hostIPC", True, "Host Namespaces"),
    ("spec.volumes", [{"name": "v", "nfs": {}}], "Volume Types"),
    (f"{POD}.sysctls", [{"name": "kernel.msgmax", "value": "1"}], "Sysctls"),
    (f"{POD}.windowsOptions", {"hostProcess": True}, "HostProcess"),
    (f"{POD}.appArmorProfile", {"type": "Unconfined"}, "AppArmor"),
    ("metadata.annotations", {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}, "AppArmor"),
    (f"{POD}.seLinuxOptions", {"type": "spc_t"}, "SELinux"),
    (f"{POD}.seLinuxOptions", {"user": "root"}, "SELinux"),
    (f"{POD}.seccompProfile", {"type": "Unconfined"}, "Seccomp"),
    (f"{POD}.seccompProfile", None, "Seccomp"),
    (f"{POD}.runAsUser", 0, "Running as Non-root user"),
    (f"{FIRST}.securityContext.runAsUser", 0, "Running as Non-root user"),
    (f"{POD}.runAsNonRoot", None, "Running as Non-root"),
    (f"{FIRST}.securityContext.runAsNonRoot", False, "Running as Non-root"),
    (f"{FIRST}.securityContext.privileged", True, "Privileged Containers"),
    (f"{FIRST}.securityContext.allowPrivilegeEscalation", None, "Privilege Escalation"),
    (f"{FIRST}.securityContext.capabilities", {"drop": ["CHOWN"]}, "Capabilities"),
    (f"{FIRST}.securityContext.capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}, "Capabilities"),
    (f"{FIRST}.ports", [{"containerPort": 1, "hostPort": 1}], "Host Ports"),
    (f"{FIRST}.securityContext.procMount", "Unmasked", "/proc Mount Type"),
    (f"{FIRST}.livenessProbe", {"httpGet": {"host": "elsewhere"}}, "Host Probes / Lifecycle Hooks"),
]


def changed(key: str, value: Any) -> dict[str, Any]:
    """The sound pod with one thing otherwise, or, for None, without it."""
    template = copy.deepcopy(SOUND)
    *way, last = key.split(".")
    here: Any = template
    for part in way:
        here = here[int(part)] if part.isdigit() else here[part]
    if value is None:
        del here[last]
    else:
        here[last] = value
    return template


def test_a_sound_pod_breaks_no_rule() -> None:
    assert violations(SOUND) == set()


@pytest.mark.parametrize(("key", "value", "rule"), BROKEN)
def test_a_broken_rule_is_named(key: str, value: Any, rule: str) -> None:
    assert violations(changed(key, value)) == {rule}


def test_a_path_of_the_node_breaks_two() -> None:
    template = changed("spec.volumes", [{"name": "v", "hostPath": {"path": "/"}}])
    assert violations(template) == {"HostPath Volumes", "Volume Types"}


def test_a_container_that_runs_first_is_looked_at_too() -> None:
    template = copy.deepcopy(SOUND)
    template["spec"]["initContainers"] = [{"name": "b"}]
    assert violations(template) == {"Privilege Escalation", "Capabilities"}
