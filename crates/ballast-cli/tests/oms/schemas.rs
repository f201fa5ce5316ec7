//! Tests that the bundles of `sign` are valid by the specification's schemas.

use std::fs;
use std::process::Command;

use testkit::need;

use super::support::stdout;
use super::{Model, private_keys};

/// Validates a bundle and its statement by the specification's schemas.
const BY_SCHEMAS: &str = r#"
import base64, json, pathlib, sys
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

read = lambda path: json.loads(pathlib.Path(path).read_text())
schemas = [read(path) for path in pathlib.Path(sys.argv[1]).glob("*.json")]
registry = Registry().with_resources([(one["$id"], Resource.from_contents(one)) for one in schemas])
by = lambda name: Draft202012Validator({"$ref": f"https://model_signing/{name}/v1.0/schema"}, registry=registry)
for path in sys.argv[2:]:
    bundle = read(path)
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    faults = [*by("bundle").iter_errors(bundle), *by("statement").iter_errors(statement)]
    print(pathlib.Path(path).name, [fault.message for fault in faults])
"#;

#[test]
fn a_bundle_that_sign_writes_is_valid_by_the_schemas_of_the_specification() {
    let test = "a_bundle_that_sign_writes_is_valid_by_the_schemas";
    let Some(shared) = need::shared_data(test) else { return };
    let Some(python) = need::python(test, &["jsonschema==4.26.0"]) else { return };
    let model = Model::new();
    let adopt = ["adopt", "--signed", "secp384r1.json", "--key", "secp384r1.pub", "--lock", "weights.lock", "model"];
    assert!(model.ballast(&adopt).status.success());
    let mut bundles = Vec::new();
    for (name, pem) in private_keys() {
        let path = model.put(name, pem.as_bytes());
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        bundles.push(name.replace("key", "sig"));
        let signed =
            model.ballast(&["sign", "--lock", "weights.lock", "--private-key", name, &bundles[bundles.len() - 1]]);
        assert!(signed.status.success(), "{signed:?}");
    }
    // The validator finds what is wrong.
    let broken = fs::read_to_string(model.path("p256.sig")).unwrap().replace("\"mediaType\"", "\"kind\"");
    model.put("broken.sig", broken.as_bytes());
    let mut command = Command::new(python.join("bin/python"));
    command.args(["-c", BY_SCHEMAS]).arg(shared.join("oms/schemas/v1.0")).args(&bundles).arg("broken.sig");
    let output = command.current_dir(model.dir.path()).output().unwrap();
    let said = stdout(&output);
    assert!(
        output.status.success() && said.starts_with("p256.sig []\np384.sig []\np521.sig []\nbroken.sig ["),
        "{output:?}"
    );
    assert!(said.contains("'mediaType' is a required property"), "{said}");
}
