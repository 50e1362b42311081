//! `demo --check`: what must be seen, compared with what is seen; and the log of it, verified.

use http::Method;
use serde_json::{Value, json};

use super::{
    Call, Stage, percent,
    show::{Paint, Tone},
};
use crate::{audit, cli::Failure, protect};

/// Claims and whether they held.
struct Claims {
    paint: Paint,
    failed: usize,
    made: usize,
}

impl Claims {
    fn claim(&mut self, text: &str, held: bool) {
        self.made += 1;
        if !held {
            self.failed += 1;
        }
        let word = if held { self.paint.paint(Tone::Revealed, "ok  ") } else { self.paint.paint(Tone::Bad, "FAIL") };
        println!("{word} {text}");
    }
}

/// Personal values of the customer that an agent must not see.
const HIDDEN_FROM_AGENT: [&str; 6] = ["/email", "/phone", "/birth_date", "/card/number", "/card/expiry", "/iban"];

/// Makes every call and compares.
pub(super) async fn all(stage: &Stage, paint: Paint) -> Result<(), Failure> {
    let mut claims = Claims { paint, failed: 0, made: 0 };
    let truth = stage.call_crm(Call::get(&*stage.customer)).await?.json();
    claims.claim("the CRM holds a card number in clear", text(&truth, "/card/number").len() >= 13);
    views(stage, &truth, &mut claims).await?;
    writes(stage, &truth, &mut claims).await?;
    errors(stage, &truth, &mut claims).await?;
    log(stage, &truth, &mut claims)?;
    println!("{} claims, {} failed", claims.made, claims.failed);
    if claims.failed == 0 { Ok(()) } else { Err(Failure::Silent(1)) }
}

async fn views(stage: &Stage, truth: &Value, claims: &mut Claims) -> Result<(), Failure> {
    let agent = stage.call_as("agent-anna", Call::get(&*stage.customer)).await?;
    let seen = agent.json();
    claims.claim("the agent gets the record", agent.status == 200 && text(&seen, "/id") == text(truth, "/id"));
    claims.claim("the agent sees the name", text(&seen, "/name") == text(truth, "/name"));
    for field in HIDDEN_FROM_AGENT {
        let (held, shown) = (text(truth, field), text(&seen, field));
        let hidden = !held.is_empty() && !agent.text.contains(held) && protect::is_stand_in(shown);
        claims.claim(&format!("the agent sees a stand-in for {field} and its value nowhere"), hidden);
    }
    let email = text(truth, "/email");
    let found = stage.call_as("agent-anna", Call::get(format!("/api/v1/customers?email={}", percent(email)))).await?;
    claims.claim(
        "the agent finds the customer by an e-mail she was told",
        found.json().pointer("/items/0/id") == truth.get("id"),
    );
    claims.claim("the list does not show the e-mail", !found.text.contains(email));

    let supervisor = stage.call_as("supervisor-sam", Call::get(&*stage.customer)).await?;
    let seen = supervisor.json();
    for field in ["/email", "/phone", "/iban", "/birth_date"] {
        claims.claim(&format!("the supervisor sees {field}"), seen.pointer(field) == truth.pointer(field));
    }
    claims.claim(
        "the supervisor does not see the card without a purpose",
        !supervisor.text.contains(text(truth, "/card/number")),
    );
    let why = Call::get(&*stage.customer)
        .header("fieldgate-purpose", "fraud_investigation")
        .header("fieldgate-case", "CASE-4711");
    let fraud = stage.call_as("supervisor-sam", why).await?;
    claims.claim(
        "the supervisor sees the card in a fraud case",
        fraud.json().pointer("/card/number") == truth.pointer("/card/number"),
    );
    claims.claim("the answer names its record", fraud.headers.contains_key("fieldgate-audit-ref"));

    let ai = stage.call_as("ai-aria", Call::get(&*stage.customer)).await?;
    let seen = ai.json();
    for field in ["/name", "/email", "/phone", "/card/number", "/iban"] {
        let (held, shown) = (text(truth, field), text(&seen, field));
        claims.claim(
            &format!("the AI agent sees a pseudonym of {field}"),
            !shown.is_empty() && shown != held && !ai.text.contains(held),
        );
    }
    let again =
        stage.call_as("ai-aria", Call::get(format!("/api/v1/customers?email={}", percent(email)))).await?.json();
    claims
        .claim("the pseudonym is the same in another call", again.pointer("/items/0/email") == seen.pointer("/email"));
    let create = Call::send(Method::POST, "/api/v1/customers", json!({"name": "x"}));
    claims.claim("the AI agent may not write", stage.call_as("ai-aria", create).await?.status == 403);

    let stranger = stage.call_as("", Call::get(&*stage.customer)).await?;
    claims.claim(
        "a stranger gets 401 and nothing else",
        stranger.status == 401 && !stranger.text.contains(text(truth, "/name")),
    );
    Ok(())
}

async fn writes(stage: &Stage, truth: &Value, claims: &mut Claims) -> Result<(), Failure> {
    let mut record = stage.call_as("agent-anna", Call::get(&*stage.customer)).await?.json();
    if let Some(object) = record.as_object_mut() {
        object.insert("tags".to_owned(), json!(["called-back"]));
    }
    let put = stage.call_as("agent-anna", Call::send(Method::PUT, &*stage.customer, record.clone())).await?;
    let named =
        put.json().get("fields").and_then(Value::as_array).is_some_and(|fields| fields.contains(&json!("$.email")));
    claims.claim("a PUT of a masked record is refused and names the fields", put.status == 409 && named);
    let patch = stage.call_as("agent-anna", Call::send(Method::PATCH, &*stage.customer, record)).await?;
    let after = stage.call_crm(Call::get(&*stage.customer)).await?.json();
    claims.claim(
        "a PATCH of a masked record changes the tag",
        patch.status == 200 && after.get("tags") == Some(&json!(["called-back"])),
    );
    let same =
        ["/email", "/phone", "/card/number", "/iban"].iter().all(|field| after.pointer(field) == truth.pointer(field));
    claims.claim("and destroys no masked field", same);
    Ok(())
}

async fn errors(stage: &Stage, truth: &Value, claims: &mut Claims) -> Result<(), Failure> {
    let card = text(truth, "/card/number");
    let bad = json!({"name": "", "email": text(truth, "/email"), "notes": format!("card {card}")});
    let refused = stage.call_as("supervisor-sam", Call::send(Method::PATCH, &*stage.customer, bad)).await?;
    claims.claim("an error of the CRM keeps its status", refused.status.is_client_error());
    claims.claim("and does not echo what was sent", !refused.text.contains(card));
    let unmapped = stage.call_as("supervisor-sam", Call::get("/api/v1/internal/dump")).await?;
    claims.claim(
        "what no route maps is refused",
        unmapped.status == 404 && text(&unmapped.json(), "/code") == "unmapped_route",
    );
    Ok(())
}

fn log(stage: &Stage, truth: &Value, claims: &mut Claims) -> Result<(), Failure> {
    let report = verify(stage)?;
    claims.claim("the log verifies", report.is_sound());
    let lines = lines(stage)?;
    let count = |kind: &str| lines.iter().filter(|line| line.contains(&format!("\"{kind}\""))).count();
    claims.claim(
        "it has reveals, an intent, denials and outcomes",
        ["access.reveal", "access.intent", "access.deny", "access.outcome"].iter().all(|kind| count(kind) > 0),
    );
    let values = ["/name", "/email", "/phone", "/card/number", "/iban"].map(|field| text(truth, field));
    claims
        .claim("it holds no personal value", lines.iter().all(|line| values.iter().all(|value| !line.contains(value))));
    Ok(())
}

fn verify(stage: &Stage) -> Result<audit::Report, Failure> {
    let key = std::fs::read_to_string(&stage.made.verification_key)
        .map_err(|error| Failure::system(error, "run the demo again"))?;
    audit::verify(&stage.made.audit, key.trim()).map_err(|error| Failure::system(error, "run the demo again"))
}

fn lines(stage: &Stage) -> Result<Vec<String>, Failure> {
    let found = audit::query(&stage.made.audit, &audit::Query::default());
    let found = found.map_err(|error| Failure::system(error, "run `fieldgate audit verify`"))?;
    Ok(found.into_iter().map(|row| row.line).collect())
}

/// The last lines of the log, and what verification says of all of it.
pub(super) fn print_log(stage: &Stage, paint: Paint) -> Result<(), Failure> {
    for line in lines(stage)? {
        let record: Value = serde_json::from_str(&line).unwrap_or_default();
        println!("  {}", audit::summary(&record));
    }
    let report = verify(stage)?;
    let tone = if report.is_sound() { Tone::Revealed } else { Tone::Bad };
    println!("  {}", paint.paint(tone, report.to_text().trim()));
    Ok(())
}

fn text<'v>(record: &'v Value, pointer: &str) -> &'v str {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
