//! Many records in one call: each succeeds or fails by itself, and the answer is 200 with one result each.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::World;
use super::fault::Fault;
use super::object::Object;
use super::record::Change;
use crate::sandbox::call::Call;
use crate::sandbox::reply::Reply;

/// `POST` (create) and `PATCH` (update, each record with its `Id`) `/contacts/batch`.
pub(super) fn answer(world: &mut World, call: &Call, object: Object) -> Result<Reply, Fault> {
    if call.method != Method::POST && call.method != Method::PATCH {
        return Err(Fault::method("POST, PATCH"));
    }
    let Ok(Value::Array(records)) = serde_json::from_slice(&call.body) else {
        let body = String::from_utf8_lossy(&call.body);
        return Err(Fault::bad("JSON_PARSER_ERROR", format!("not a JSON array: {body}")));
    };
    if records.len() > MAX_RECORDS {
        let message = format!("{} records in one call; at most {MAX_RECORDS}", records.len());
        return Err(Fault::bad("EXCEEDED_MAX_RECORDS", message));
    }
    let results: Vec<Value> = records.iter().map(|record| result(world, &call.method, object, record)).collect();
    Ok(Reply::json(StatusCode::OK, &Value::Array(results)))
}

fn result(world: &mut World, method: &Method, object: Object, record: &Value) -> Value {
    match apply(world, method, object, record) {
        Ok(id) => json!({ "id": id, "success": true, "errors": [] }),
        Err(fault) => json!({ "id": record.get("Id"), "success": false, "errors": [fault.entry()] }),
    }
}

fn apply(world: &mut World, method: &Method, object: Object, record: &Value) -> Result<String, Fault> {
    let members: &Map<String, Value> =
        record.as_object().ok_or_else(|| Fault::bad("JSON_PARSER_ERROR", format!("not a JSON object: {record}")))?;
    if *method == Method::POST {
        return world.create(object, members);
    }
    let id = members.get("Id").and_then(Value::as_str);
    let id = id.ok_or_else(|| Fault::bad("MISSING_ARGUMENT", "Id is not specified".to_owned()).on("Id"))?;
    world.update(object, id, members, Change::Merge, None).map(|row| row.id.clone())
}

/// Records of one call, as in Salesforce's collections.
const MAX_RECORDS: usize = 200;
