//! Checks published documents against the published schemas.
//!
//! Later versions may add fields, so the schemas allow unknown fields and readers have to ignore
//! them. These checks do not allow them; otherwise a field could be published that no schema
//! describes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

/// `schema/probe.schema.json`, as published.
pub static PROBE: LazyLock<Value> =
    LazyLock::new(|| parsed(include_str!("../../../schema/probe.schema.json")));

/// `schema/probe-spread.schema.json`, as published.
static SPREAD: LazyLock<Value> =
    LazyLock::new(|| parsed(include_str!("../../../schema/probe-spread.schema.json")));

/// `schema/events.schema.json`, as published.
pub static EVENTS: LazyLock<Value> =
    LazyLock::new(|| parsed(include_str!("../../../schema/events.schema.json")));

static RECORD: LazyLock<Validator> = LazyLock::new(|| {
    let schema = parsed(include_str!("../../../schema/record.schema.json"));
    validator(&closed(&schema))
});

/// `schema/requests.schema.json`, as published.
static REQUESTS: LazyLock<Value> =
    LazyLock::new(|| parsed(include_str!("../../../schema/requests.schema.json")));

static STRICT_REQUESTS: LazyLock<Validator> = LazyLock::new(|| validator(&closed(&REQUESTS)));

static STRICT_SPREAD: LazyLock<Validator> = LazyLock::new(|| validator(&closed(&SPREAD)));

static STRICT_PROBE: LazyLock<Validator> = LazyLock::new(|| validator(&closed(&PROBE)));

/// A validator for each kind of message, by its name.
static STRICT_EVENTS: LazyLock<BTreeMap<String, Validator>> = LazyLock::new(|| {
    let schema = closed(&EVENTS);
    let one = |name: String| {
        let alone = json!({
            "$schema": schema["$schema"], "$ref": format!("#/$defs/{name}"),
            "$defs": schema["$defs"],
        });
        let validator = validator(&alone);
        (name, validator)
    };
    event_names().into_iter().map(one).collect()
});

/// The names of all messages.
pub fn event_names() -> Vec<String> {
    let name = |schema: &Value| {
        let name = schema["$ref"].as_str()?.strip_prefix("#/$defs/")?;
        Some(name.to_owned())
    };
    let all = EVENTS["oneOf"].as_array().expect("a list of messages");
    all.iter()
        .map(|schema| name(schema).expect("a name"))
        .collect()
}

/// Fails unless the value is a document of `probe --json`.
#[track_caller]
pub fn check_probe(document: &Value) {
    fail_on(&STRICT_PROBE, document);
}

/// Fails unless the value is a document of `probe --spread --json`.
#[track_caller]
pub fn check_spread(document: &Value) {
    fail_on(&STRICT_SPREAD, document);
}

/// Fails unless the value is a message of `/events`.
#[track_caller]
pub fn check_event(message: &Value) {
    if let Some(fault) = event_fault(message) {
        panic!("{fault}: {message:#}");
    }
}

/// Why the value is not a valid message of `/events`.
pub fn event_fault(message: &Value) -> Option<String> {
    let name = message["event"].as_str().unwrap_or("");
    match STRICT_EVENTS.get(name) {
        Some(validator) => fault(validator, message),
        None => Some(format!("no schema for a message named {name:?}")),
    }
}

/// Fails unless the value is a valid answer of `/state`.
#[track_caller]
pub fn check_state(state: &Value) {
    fail_on(&STRICT_EVENTS["snapshot"], state);
}

/// Fails unless the value is a valid answer of `/requests` or `/waits`.
#[track_caller]
pub fn check_requests(document: &Value) {
    fail_on(&STRICT_REQUESTS, document);
}

/// Fails unless the value is a line of a record.
#[track_caller]
pub fn check_record(line: &Value) {
    fail_on(&RECORD, line);
}

#[track_caller]
fn fail_on(validator: &Validator, document: &Value) {
    if let Some(fault) = fault(validator, document) {
        panic!("{fault}: {document:#}");
    }
}

fn fault(validator: &Validator, document: &Value) -> Option<String> {
    let error = validator.validate(document).err()?;
    Some(format!("{error} at {}", error.instance_path()))
}

fn parsed(schema: &str) -> Value {
    serde_json::from_str(schema).expect("JSON")
}

pub fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).expect("a schema")
}

/// The same schema, with every object restricted to the fields that it describes.
fn closed(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut closed_fields = serde_json::Map::new();
            for (name, value) in fields {
                closed_fields.insert(name.clone(), closed(value));
            }
            if fields.contains_key("type") && fields.contains_key("properties") {
                closed_fields.insert("unevaluatedProperties".to_owned(), json!(false));
            }
            Value::Object(closed_fields)
        }
        Value::Array(items) => items.iter().map(closed).collect(),
        other => other.clone(),
    }
}
