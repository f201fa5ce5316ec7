//! Marks every field of an answer as required: a response contains all its fields, and a field without a value is null.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// Fields that an answer leaves out if they have no value, as the replaced service did.
const LEFT_OUT: [(&str, &[&str]); 2] =
    [("ModelHealth", &["reason", "hint", "self_test", "on_disk"]), ("VerifyLiveness", &["reason"])];

/// Where the schemas lie in the document, and in references to them.
const SCHEMAS: &str = "/components/schemas";

/// Marks the fields of every schema that answers with status 200 are made of.
pub fn mark(document: &mut Value) {
    let mut names = BTreeSet::new();
    for operation in document["paths"].as_object().into_iter().flat_map(|paths| paths.values()).flat_map(operations) {
        gather(document, &operation["responses"]["200"], &mut names);
    }
    for name in names {
        let left_out = LEFT_OUT.iter().find(|(schema, _)| *schema == name).map_or(&[][..], |(_, fields)| fields);
        require(&mut document["components"]["schemas"][&name], left_out);
    }
}

fn operations(item: &Value) -> impl Iterator<Item = &Value> {
    item.as_object().into_iter().flat_map(|item| item.values())
}

/// Adds the names of all schemas that a value refers to.
fn gather(document: &Value, value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let name =
                object.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#')?.strip_prefix(SCHEMAS));
            if let Some(name) = name.map(|name| name.trim_start_matches('/').to_owned())
                && names.insert(name.clone())
            {
                gather(document, &document["components"]["schemas"][&name], names);
            }
            object.values().for_each(|value| gather(document, value, names));
        }
        Value::Array(list) => list.iter().for_each(|value| gather(document, value, names)),
        _ => {}
    }
}

/// Requires the fields of a schema and of its parts.
fn require(schema: &mut Value, left_out: &[&str]) {
    let fields = schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys());
    let fields: Vec<_> = fields.filter(|field| !left_out.contains(&field.as_str())).cloned().collect();
    if !fields.is_empty() {
        schema["required"] = json!(fields);
    }
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        require(part, left_out);
    }
}
