//! What the binary carries to write out: API maps, policies, classes and the shape of a configuration.

/// Built-in API maps, by name.
pub(super) const MAPS: &[(&str, &str)] = &[
    ("sandbox", include_str!("../../config/crm/sandbox.toml")),
    ("request-tracker", include_str!("../../config/crm/request-tracker.toml")),
    ("salesforce", include_str!("../../config/crm/salesforce.toml")),
    ("hubspot", include_str!("../../config/crm/hubspot.toml")),
    ("zendesk", include_str!("../../config/crm/zendesk.toml")),
    ("dynamics", include_str!("../../config/crm/dynamics.toml")),
    ("zoho", include_str!("../../config/crm/zoho.toml")),
];

/// The default policies.
pub(super) const POLICIES: [(&str, &str); 4] = [
    ("agent.cedar", include_str!("../../config/policies/agent.cedar")),
    ("ai_assistant.cedar", include_str!("../../config/policies/ai_assistant.cedar")),
    ("auditor.cedar", include_str!("../../config/policies/auditor.cedar")),
    ("supervisor.cedar", include_str!("../../config/policies/supervisor.cedar")),
];

/// The default data classes.
pub(super) const CLASSES: &str = r#"[[class]]
name = "name"
mask = "name"

[[class]]
name = "email"
mask = "email"
detects = ["email"]

[[class]]
name = "phone"
mask = "phone"
detects = ["phone"]

[[class]]
name = "address"
mask = "address"

[[class]]
name = "birth_date"
mask = "date"
detects = ["birth_date"]

[[class]]
name = "card_number"
mask = "card"
detects = ["card"]

[[class]]
name = "card_expiry"

[[class]]
name = "iban"
mask = "iban"
detects = ["iban"]

[[class]]
name = "ssn"
mask = "keep_last:4"
detects = ["us_ssn"]

[[class]]
name = "national_id"
mask = "keep_last:3"
detects = ["national_id"]

[[class]]
name = "identity_document"
mask = "keep_last:3"
detects = ["identity_document"]

[[class]]
name = "bank_account"
mask = "keep_last:3"
detects = ["bank_account"]

[[class]]
name = "secret"
detects = ["secret"]

[[class]]
name = "free_text"
"#;

/// A configuration with its blanks; every key is explained in the reference, `config/fieldgate.toml`.
pub(super) const CONFIGURATION: &str = r#"# Written by `fieldgate init`. Every key is explained in the reference, config/fieldgate.toml of the source.

[gateway]
name = "@NODE@"
root_key = "keys/root.key"

[[listener]]
name = "main"
address = "@LISTEN@"
public_url = "@PUBLIC_URL@"
upstream = "crm"

[listener.tls]
certificates = [{ certificate = "certs/gateway.pem", key = "certs/gateway.key" }]

[[upstream]]
@UPSTREAM@
[policy]
dir = "policies"
purposes = [
    { code = "customer_request", title = "The customer asked" },
    { code = "fraud_investigation", title = "A fraud case is investigated" },
    { code = "data_subject_request", title = "The customer uses a right of the GDPR" },
]

[audit]
dir = "audit"
origin = "@ORIGIN@"
signing_key = "keys/audit.key"

[admin]
address = "@ADMIN@"

# What kinds of values there are, how each is masked, and what detectors find of it in free text.

@CLASSES@
# Who calls. API keys are made by `fieldgate identity new-key`; only their keyed hash stands here.
@PRINCIPALS@"#;
