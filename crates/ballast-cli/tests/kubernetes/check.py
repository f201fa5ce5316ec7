"""What is wrong with rendered manifests: against Kubernetes' own schemas, against the restricted pod
security standard, and among themselves. One line each; none is a clean bill.

    check.py VERSION < rendered.yaml
"""

import sys

import kubernetes_validate
import yaml

# The volumes of the restricted standard; images since 1.33.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
           "projected", "secret"}
HEALTH = "/api/v1/health/"
PROBES = {"startupProbe": "live", "livenessProbe": "live", "readinessProbe": "ready"}


def schema(objects, version):
    for thing in objects:
        try:
            kubernetes_validate.validate(thing, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{thing['kind']}: {'.'.join(map(str, error.path))}: {error.message}"


def restricted(pod):
    own = pod.get("securityContext", {})
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"pod: {key}"
    for volume in pod.get("volumes", []):
        if not VOLUMES & volume.keys():
            yield f"volume {volume['name']}: a type that is not restricted's"
    for container in pod.get("initContainers", []) + pod["containers"]:
        context = {**own, **container.get("securityContext", {})}
        capabilities = context.get("capabilities", {})
        wrong = {
            "runAsNonRoot": context.get("runAsNonRoot") is not True,
            "runAsUser": context.get("runAsUser") == 0,
            "seccompProfile": context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"),
            "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation") is not False,
            "privileged": bool(context.get("privileged")),
            "capabilities.drop": "ALL" not in capabilities.get("drop", []),
            "capabilities.add": bool(set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}),
            "readOnlyRootFilesystem (ours)": context.get("readOnlyRootFilesystem") is not True,
            "ports.hostPort": any("hostPort" in port for port in container.get("ports", [])),
        }
        yield from (f"container {container['name']}: {key}" for key, is_wrong in wrong.items() if is_wrong)


def probes(container):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for key, route in PROBES.items():
        request = container.get(key, {}).get("httpGet", {})
        if request.get("path") != HEALTH + route or ports.get(request.get("port")) != 8001:
            yield f"{key}: {request}, expected {HEALTH}{route} on 8001"


def together(objects):
    """Selectors select, the service finds the port, and policies speak of the same pods."""
    by_kind = {thing["kind"]: thing for thing in objects}
    template = by_kind["Deployment"]["spec"]["template"]
    labels, pod = template["metadata"]["labels"], template["spec"]
    container, = (one for one in pod["containers"] if one["name"] == "biometric-api")
    selectors = {
        "Deployment": by_kind["Deployment"]["spec"]["selector"]["matchLabels"],
        "Service": by_kind["Service"]["spec"]["selector"],
        "PodDisruptionBudget": by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    }
    for kind, selector in selectors.items():
        if not selector or not selector.items() <= labels.items():
            yield f"{kind}: {selector} selects no pod of {labels}"
    target = by_kind["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    if (target["kind"], target["name"]) != ("Deployment", by_kind["Deployment"]["metadata"]["name"]):
        yield f"HorizontalPodAutoscaler: {target}"
    if "replicas" in by_kind["Deployment"]["spec"]:
        yield "Deployment: replicas, which the autoscaler sets"
    port, = by_kind["Service"]["spec"]["ports"]
    if port["port"] != 8001 or port["targetPort"] not in (one["name"] for one in container["ports"]):
        yield f"Service: {port}"
    for one in pod.get("initContainers", []) + pod["containers"]:
        if "@sha256:" not in one["image"]:
            yield f"container {one['name']}: {one['image']} is no digest"
    named = {volume["name"] for volume in pod["volumes"]}
    for one in pod.get("initContainers", []) + pod["containers"]:
        yield from (f"mount {mount['name']}: no such volume" for mount in one["volumeMounts"] if mount["name"] not in named)
    spaces = {thing["metadata"].get("namespace") for thing in objects if thing["kind"] != "Namespace"}
    if spaces != {by_kind["Namespace"]["metadata"]["name"]}:
        yield f"namespaces: {spaces}"
    if by_kind["Namespace"]["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "Namespace: not enforced as restricted"
    yield from restricted(pod)
    yield from probes(container)


objects = list(yaml.safe_load_all(sys.stdin))
for line in [*schema(objects, sys.argv[1]), *together(objects)]:
    print(line)
