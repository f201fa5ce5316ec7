//! Reads the containers of Kubernetes manifests and of lists. An init container is read only if it runs
//! ballast.

use super::compose::capability;
use super::pods::pods;
use super::service::{At, Capabilities, Health, Mount, MountKind, Platform, Service, UserField, Variable, is_ballast};
use super::text::size;
use super::yaml::{Node, Value};

/// Returns the claims that the file defines, with the requested bytes.
pub fn claims(document: &Node) -> Vec<(String, At<u64>)> {
    if document.get("kind").and_then(Node::text).is_some_and(|kind| kind.ends_with("List")) {
        return document.get("items").map(Node::items).unwrap_or_default().iter().flat_map(claims).collect();
    }
    let is_claim = document.get("kind").and_then(Node::text) == Some("PersistentVolumeClaim");
    let name = document.at(&["metadata", "name"]).and_then(Node::text).filter(|_| is_claim);
    name.and_then(|name| Some((name.to_owned(), requested(document.get("spec")?)?))).into_iter().collect()
}

fn requested(spec: &Node) -> Option<At<u64>> {
    spec.at(&["resources", "requests", "storage"]).and_then(bytes)
}

/// Returns the containers of a document; `None` if it is no Kubernetes object.
pub fn services(document: &Node, sizes: &[(String, At<u64>)]) -> Option<Vec<Service>> {
    let kind = document.get("kind").and_then(Node::text)?;
    document.get("apiVersion")?;
    if kind.ends_with("List") {
        let items = document.get("items").map(Node::items).unwrap_or_default();
        return Some(items.iter().filter_map(|item| services(item, sizes)).flatten().collect());
    }
    let found = pods(document, kind).all;
    Some(found.iter().flat_map(|pod| services_of_pod(document, pod, sizes)).collect())
}

fn services_of_pod(document: &Node, pod: &Node, sizes: &[(String, At<u64>)]) -> Vec<Service> {
    let containers = pod.get("containers").map(Node::items).unwrap_or_default();
    let templates = document.at(&["spec", "volumeClaimTemplates"]).map(Node::items).unwrap_or_default();
    let before = pod.get("initContainers").map(Node::items).unwrap_or_default();
    let before: Vec<&Node> = before.iter().filter(|container| runs_ballast(container)).collect();
    let filled: Vec<&str> = before.iter().flat_map(|container| written(container)).collect();
    let jobs = [&["spec"][..], &["spec", "jobTemplate", "spec"]];
    let deadlines = jobs.iter().filter_map(|path| document.at(path)).chain([pod]);
    let deadline: Vec<_> = deadlines.filter_map(deadline).collect();
    let ends = pod.get("restartPolicy").and_then(Node::text).is_some_and(|policy| policy != "Always");
    let service = |container: &Node, init: bool| {
        let mut service = service(pod, container, &Claims { templates, sizes }, &filled);
        service.start_budgets.extend(deadline.iter().cloned());
        // An init container with this policy continues to run beside the app.
        let beside = container.get("restartPolicy").and_then(Node::text) == Some("Always");
        Service { init: init && !beside, ends, ..service }
    };
    let before = before.iter().map(|node| service(node, true));
    before.chain(containers.iter().map(|node| service(node, false))).collect()
}

/// Returns the time after which a job or a pod is ended.
fn deadline(spec: &Node) -> Option<At<(&'static str, u64)>> {
    const KEY: &str = "activeDeadlineSeconds";
    let (key, seconds) = spec.entry(KEY)?;
    Some(At { line: key.line, value: (KEY, seconds.text()?.parse().ok()?) })
}

fn runs_ballast(container: &Node) -> bool {
    let words = ["command", "args"].iter().filter_map(|key| container.get(key)).flat_map(|node| words(node).value);
    words.into_iter().any(|word| is_ballast(&word))
}

/// Returns the names of the volumes that a container may write.
fn written(container: &Node) -> impl Iterator<Item = &str> {
    let mounts = container.get("volumeMounts").map(Node::items).unwrap_or_default().iter();
    let mounts = mounts.filter(|mount| mount.get("readOnly").and_then(Node::truth) != Some(true));
    mounts.filter_map(|mount| mount.get("name").and_then(Node::text))
}

/// The claims that a mount can refer to: templates of a StatefulSet, and claims of the same file.
struct Claims<'a> {
    templates: &'a [Node],
    sizes: &'a [(String, At<u64>)],
}

impl Claims<'_> {
    fn template(&self, name: &str) -> Option<&Node> {
        self.templates.iter().find(|claim| claim.at(&["metadata", "name"]).and_then(Node::text) == Some(name))
    }

    /// Returns the bytes that a volume's claim requests.
    fn size(&self, volume: &Node) -> Option<At<u64>> {
        if let Some(spec) = volume.at(&["ephemeral", "volumeClaimTemplate", "spec"]) {
            return requested(spec);
        }
        let name = volume.at(&["persistentVolumeClaim", "claimName"]).and_then(Node::text)?;
        self.sizes.iter().find(|(known, _)| known == name).map(|(_, size)| size.clone())
    }
}

fn service(pod: &Node, container: &Node, claims: &Claims, filled: &[&str]) -> Service {
    let own = |key: &str| container.at(&["securityContext", key]);
    let either = |key: &str| own(key).or_else(|| pod.at(&["securityContext", key]));
    let name = container.get("name").and_then(Node::text).unwrap_or("container");
    let no_new_privs = own("allowPrivilegeEscalation").and_then(Node::truth) == Some(false);
    let root = either("runAsUser").is_none_or(|user| number(user) == Some(0));
    let non_root = either("runAsNonRoot").filter(|node| node.truth() == Some(true) && root);
    Service {
        platform: Platform::Kubernetes,
        name: name.to_owned(),
        line: container.line,
        image: container.get("image").and_then(text),
        user: either("runAsUser").map(|node| At {
            line: node.line,
            value: UserField {
                uid: number(node),
                gid: either("runAsGroup").and_then(number),
                named: false,
                text: None,
            },
        }),
        read_only_root: own("readOnlyRootFilesystem").and_then(Node::truth) == Some(true),
        caps: capabilities(container),
        no_new_privs,
        mounts: mounts(pod, container, claims, filled),
        memory: container.at(&["resources", "limits", "memory"]).and_then(bytes),
        env: container.get("env").map(Node::items).unwrap_or_default().iter().filter_map(variable).collect(),
        env_elsewhere: container.get("envFrom").is_some_and(|node| !node.items().is_empty()),
        entry: container.get("command").map(words),
        args: container.get("args").map(words),
        health: probe(container, "readinessProbe"),
        health_budget: None,
        health_timeout: container.get("readinessProbe").and_then(|probe| seconds(probe, "timeoutSeconds", 1)),
        liveness: probe(container, "livenessProbe"),
        start_budgets: start_budget(container).into_iter().collect(),
        ephemeral: container.at(&["resources", "limits", "ephemeral-storage"]).and_then(bytes),
        init: false,
        ends: false,
        fs_group: pod.at(&["securityContext", "fsGroup"]).and_then(number),
        non_root: non_root.map(|node| node.line),
        elsewhere: Vec::new(),
        unread: Vec::new(),
    }
}

fn number(node: &Node) -> Option<u32> {
    node.text()?.parse().ok()
}

fn text(node: &Node) -> Option<At<String>> {
    Some(At { line: node.line, value: node.text()?.to_owned() })
}

fn bytes(node: &Node) -> Option<At<u64>> {
    Some(At { line: node.line, value: size(node.text()?, false)? })
}

fn words(node: &Node) -> At<Vec<String>> {
    let one = node.text().into_iter();
    let value = one.chain(node.items().iter().filter_map(Node::text)).map(str::to_owned).collect();
    At { line: node.line, value }
}

fn capabilities(container: &Node) -> Capabilities {
    let list = |key: &str| {
        let items = container.at(&["securityContext", "capabilities", key]).map(Node::items).unwrap_or_default();
        items.iter().filter_map(text).map(|cap| At { line: cap.line, value: capability(&cap.value) }).collect()
    };
    let privileged = container.at(&["securityContext", "privileged"]).filter(|node| node.truth() == Some(true));
    Capabilities { drop: list("drop"), add: list("add"), privileged: privileged.map(|node| node.line) }
}

fn variable(item: &Node) -> Option<Variable> {
    let name = item.get("name").and_then(Node::text)?.to_owned();
    let value = match (item.get("value"), item.get("valueFrom")) {
        (Some(value), _) => Some(value.text().unwrap_or_default().to_owned()),
        (None, Some(_)) => None,
        (None, None) => Some(String::new()),
    };
    Some(Variable { line: item.line, name, value, empty_without: None })
}

fn probe(container: &Node, key: &str) -> Option<At<Health>> {
    container.entry(key).map(|(key, node)| At { line: key.line, value: health(node) })
}

/// Returns the time until the kubelet restarts a container. A startup probe delays the liveness probe.
fn start_budget(container: &Node) -> Option<At<(&'static str, u64)>> {
    let keys = ["startupProbe", "livenessProbe"];
    let (name, (key, probe)) = keys.iter().find_map(|name| Some((*name, container.entry(name)?)))?;
    let tries = seconds(probe, "periodSeconds", 10)?.saturating_mul(seconds(probe, "failureThreshold", 3)?);
    Some(At { line: key.line, value: (name, seconds(probe, "initialDelaySeconds", 0)?.saturating_add(tries)) })
}

fn seconds(probe: &Node, key: &str, default: u64) -> Option<u64> {
    probe.get(key).map_or(Some(default), |node| node.text()?.parse().ok())
}

fn health(node: &Node) -> Health {
    let command = node.at(&["exec", "command"]).map(words);
    let path = || node.at(&["httpGet", "path"]).and_then(Node::text).unwrap_or_default().to_owned();
    command.map_or_else(|| Health::Request(path()), |command| Health::Command(command.value.join(" ")))
}

fn mounts(pod: &Node, container: &Node, claims: &Claims, filled: &[&str]) -> Vec<Mount> {
    let volumes = pod.get("volumes").map(Node::items).unwrap_or_default();
    let mounts = container.get("volumeMounts").map(Node::items).unwrap_or_default();
    let named = |list: &[Node], name: &str| -> Option<usize> {
        list.iter().position(|item| item.get("name").and_then(Node::text) == Some(name))
    };
    let mount = |item: &Node| {
        let name = item.get("name").and_then(Node::text)?;
        let sub_path = ["subPath", "subPathExpr"].iter().any(|key| item.get(key).is_some());
        let kind = match (named(volumes, name), claims.template(name)) {
            (Some(at), _) => kind(&volumes[at], sub_path, claims),
            (None, Some(claim)) => MountKind::Claim { sub_path, size: claim.get("spec").and_then(requested) },
            (None, None) => MountKind::Config,
        };
        let fixed = matches!(kind, MountKind::Config | MountKind::Image { .. });
        Some(Mount {
            line: item.line,
            target: item.get("mountPath").and_then(Node::text)?.to_owned(),
            read_only: item.get("readOnly").and_then(Node::truth) == Some(true) || fixed,
            filled: filled.contains(&name),
            kind,
        })
    };
    mounts.iter().filter_map(mount).collect()
}

fn kind(volume: &Node, sub_path: bool, claims: &Claims) -> MountKind {
    if let Some(scratch) = volume.get("emptyDir") {
        let limit = scratch.get("sizeLimit").and_then(Node::text).and_then(|text| size(text, false));
        return match scratch.get("medium").and_then(Node::text) {
            Some("Memory") => MountKind::Memory { size: limit, mode: Some(0o1777), uid: None },
            _ => MountKind::Scratch { limit },
        };
    }
    if let Some(reference) = volume.at(&["image", "reference"]).and_then(text) {
        return MountKind::Image { reference };
    }
    let config = ["configMap", "secret", "projected", "downwardAPI", "image"];
    if config.iter().any(|key| volume.get(key).is_some()) {
        return MountKind::Config;
    }
    let host = volume.get("hostPath").is_some_and(|node| matches!(node.value, Value::Map(_)));
    if host { MountKind::Host } else { MountKind::Claim { sub_path, size: claims.size(volume) } }
}
