"""The Pod Security Standards, profile "restricted" with all of "baseline": every published rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Pod = dict[str, Any]
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SELINUX = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}


def violations(template: Pod) -> set[str]:
    """The rules that a pod's template breaks, by the names they are published under."""
    pod = template["spec"]
    annotations = template.get("metadata", {}).get("annotations", {})
    found = set(_of_pod(pod))
    found |= {"AppArmor" for key, said in annotations.items() if "apparmor" in key and not _may_confine(said)}
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in pod.get(kind, ()):
            found |= set(_of_container(container, pod.get("securityContext", {})))
    return found


def _may_confine(profile: str) -> bool:
    return profile == "runtime/default" or profile.startswith("localhost/")


def _of_pod(pod: Pod) -> Iterator[str]:
    said = pod.get("securityContext", {})
    if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield "Host Namespaces"
    for volume in pod.get("volumes", ()):
        if "hostPath" in volume:
            yield "HostPath Volumes"
        if not set(volume) - {"name"} <= VOLUMES:
            yield "Volume Types"
    if {sysctl["name"] for sysctl in said.get("sysctls", ())} - SYSCTLS:
        yield "Sysctls"
    yield from _of_both(said)


def _of_both(said: Pod) -> Iterator[str]:
    """Rules for the security context of a pod and of a container alike."""
    if said.get("windowsOptions", {}).get("hostProcess"):
        yield "HostProcess"
    if said.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield "AppArmor"
    selinux = said.get("seLinuxOptions", {})
    if selinux.get("type") not in SELINUX or selinux.get("user") or selinux.get("role"):
        yield "SELinux"
    if said.get("seccompProfile", {}).get("type") not in (None, "RuntimeDefault", "Localhost"):
        yield "Seccomp"
    if said.get("runAsUser") == 0:
        yield "Running as Non-root user"


def _of_container(container: Pod, pod: Pod) -> Iterator[str]:
    said = container.get("securityContext", {})
    yield from _of_both(said)
    if said.get("privileged"):
        yield "Privileged Containers"
    if said.get("allowPrivilegeEscalation") is not False:
        yield "Privilege Escalation"
    if said.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "Running as Non-root"
    if said.get("seccompProfile", pod.get("seccompProfile")) is None:
        yield "Seccomp"
    capabilities = said.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()) or set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "Capabilities"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield "Host Ports"
    if said.get("procMount") not in (None, "Default"):
        yield "/proc Mount Type"
    if any(handler.get("host") for handler in _handlers(container)):
        yield "Host Probes / Lifecycle Hooks"


def _handlers(container: Pod) -> Iterator[Pod]:
    asked = [container.get(f"{kind}Probe", {}) for kind in ("startup", "liveness", "readiness")]
    for action in (*asked, *container.get("lifecycle", {}).values()):
        yield from (action[kind] for kind in ("httpGet", "tcpSocket") if kind in action)
