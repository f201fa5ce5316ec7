//! Where the pods of a Kubernetes object are, and which kinds and keys of it are not read. Pure.

use super::service::At;
use super::yaml::{Node, Value};

/// Kinds without containers, which say nothing about weights.
const WITHOUT_CONTAINERS: [&str; 30] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CustomResourceDefinition",
    "DestinationRule",
    "EndpointSlice",
    "Endpoints",
    "Gateway",
    "HTTPRoute",
    "HorizontalPodAutoscaler",
    "Ingress",
    "IngressClass",
    "LimitRange",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "PodMonitor",
    "PriorityClass",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "RuntimeClass",
    "Secret",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
    "StorageClass",
    "VirtualService",
];

/// The pods of an object.
pub struct Pods<'a> {
    /// Each has `containers`, and most have `volumes`.
    pub all: Vec<&'a Node>,
    /// Whether the kind is one whose pods lie there alone.
    pub whole: bool,
}

const POD_TEMPLATE: &[&str] = &["spec", "template", "spec"];

/// The pod of a known kind, or of any kind with a pod's template; otherwise every pod that an unknown kind has within it,
/// as KServe's predictors and Ray's groups do.
pub fn pods<'a>(document: &'a Node, kind: &str) -> Pods<'a> {
    let path: &[&str] = match kind {
        "Pod" => &["spec"],
        "PodTemplate" => &["template", "spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => POD_TEMPLATE,
    };
    let known = document.at(path).filter(|pod| pod.get("containers").is_some());
    if known.is_some() || WITHOUT_CONTAINERS.contains(&kind) {
        return Pods { all: known.into_iter().collect(), whole: true };
    }
    let mut all = Vec::new();
    search(document, &mut all);
    Pods { all, whole: false }
}

fn search<'a>(node: &'a Node, found: &mut Vec<&'a Node>) {
    let containers = node.get("containers").map(Node::items).unwrap_or_default();
    if containers.iter().any(|container| container.get("image").is_some()) {
        return found.push(node);
    }
    match &node.value {
        Value::Map(entries) => entries.iter().for_each(|(_, inner)| search(inner, found)),
        Value::List(items) => items.iter().for_each(|inner| search(inner, found)),
        Value::Scalar { .. } => {}
    }
}

/// A kind whose containers are not read, or the rest of it: its name and its line; and keys of pods.
pub fn unread(document: &Node) -> Vec<At<String>> {
    let Some((key, kind)) = document.entry("kind").filter(|_| document.get("apiVersion").is_some()) else {
        return Vec::new();
    };
    let Some(name) = kind.text() else { return Vec::new() };
    if let Some(items) = document.get("items").map(Node::items).filter(|_| name.ends_with("List")) {
        return items.iter().flat_map(unread).collect();
    }
    let pods = pods(document, name);
    let value = if pods.all.is_empty() { name.to_owned() } else { format!("the rest of {name}") };
    let kind = (!pods.whole).then_some(At { line: key.line, value });
    kind.into_iter().chain(pods.all.iter().flat_map(|pod| unread_of_pod(pod))).collect()
}

/// What of a pod is not read.
fn unread_of_pod(pod: &Node) -> Vec<At<String>> {
    let containers = pod.get("containers").map(Node::items).unwrap_or_default().iter();
    let devices = containers.filter_map(|container| container.entry("volumeDevices"));
    let keys = pod.entry("ephemeralContainers").into_iter().chain(devices);
    keys.map(|(key, _)| At { line: key.line, value: key.text.clone() }).collect()
}
