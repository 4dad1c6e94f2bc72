//! The bill of materials, as CycloneDX 1.6.

use serde_json::{Value, json};

use super::inventory::{Component, Registry};
use super::version::Version;

/// The document. Of the same commit it is the same, byte for byte: it has no serial number, and the commit's time.
pub(super) fn document(version: Version, time: &str, components: &[Component]) -> Value {
    let components: Vec<Value> = components.iter().map(of_one).collect();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "component": {
                "type": "application",
                "bom-ref": format!("backup@{version}"),
                "name": "backup",
                "version": version.to_string(),
                "licenses": [{ "license": { "id": "Apache-2.0" } }],
            },
        },
        "components": components,
    })
}

fn of_one(component: &Component) -> Value {
    let mut one = json!({
        "type": "library",
        "bom-ref": component.purl(),
        "name": component.name,
        "version": component.version,
        "purl": component.purl(),
        "licenses": [{ "expression": component.licence }],
    });
    if let Some(checksum) = &component.checksum {
        one["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    // `@mantine/core` is `core` of the group `@mantine`.
    if let (Registry::Npm, Some((group, name))) = (component.registry, component.name.split_once('/')) {
        one["group"] = json!(group);
        one["name"] = json!(name);
    }
    one
}
