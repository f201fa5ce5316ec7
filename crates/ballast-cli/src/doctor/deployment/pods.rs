//! Finds the pods of a Kubernetes object, and the kinds and keys that are not read.

use super::service::At;
use super::yaml::{Node, Value};

/// Kinds without containers, which do not concern weights.
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
    /// The pods; each contains `containers`, and most contain `volumes`.
    pub all: Vec<&'a Node>,
    /// Whether these are certainly all pods of the object.
    pub whole: bool,
}

const POD_TEMPLATE: &[&str] = &["spec", "template", "spec"];

/// Returns the pod of a known kind, or of any kind with a pod template. Otherwise searches the whole object
/// for pods, as KServe's predictors and Ray's groups contain them.
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

/// Returns the kind if its containers, or the rest of it, are not read, and the keys of its pods that are not
/// read.
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

/// Returns the keys of a pod that are not read.
fn unread_of_pod(pod: &Node) -> Vec<At<String>> {
    let containers = pod.get("containers").map(Node::items).unwrap_or_default().iter();
    let devices = containers.filter_map(|container| container.entry("volumeDevices"));
    let keys = pod.entry("ephemeralContainers").into_iter().chain(devices);
    keys.map(|(key, _)| At { line: key.line, value: key.text.clone() }).collect()
}
