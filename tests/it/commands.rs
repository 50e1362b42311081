//! The command line, run as a user runs it: what it writes, what it says, and the code it ends with.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use fieldgate::{config::Config, tls::generate, vault};
use serde_json::Value;

use crate::harness::{Said, Setup, World, fieldgate, walk};

const CUSTOMER: &str = "/api/v1/customers/C-1001";

/// A folder that `init` wrote, with an authority for the CRM so that nothing of the machine is looked at.
struct Folder {
    dir: tempfile::TempDir,
    init: Said,
}

impl Folder {
    fn of(map: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = generate::ca("CRM", fieldgate::gateway::now()).unwrap();
        std::fs::write(dir.path().join("crm-ca.pem"), ca.certificate).unwrap();
        let init = init(dir.path(), map);
        Self { dir, init }
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join("made").join(relative)
    }

    fn config(&self) -> PathBuf {
        self.path("fieldgate.toml")
    }

    fn check(&self) -> Said {
        on("check", &self.config(), &[])
    }

    /// Replaces what has to be there.
    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "`{from}` is not in the configuration");
        std::fs::write(self.config(), text.replacen(from, to, 1)).unwrap();
    }
}

fn init(dir: &Path, map: &str) -> Said {
    let (made, ca) = (dir.join("made"), dir.join("crm-ca.pem"));
    let (made, ca) = (made.to_str().unwrap(), ca.to_str().unwrap());
    fieldgate(["init", "--upstream", "https://crm.example.com", "--map", map, "--dir", made, "--upstream-ca", ca])
}

/// `fieldgate VERB --config CONFIG MORE`.
fn on(verb: &str, config: &Path, more: &[&str]) -> Said {
    let config = config.to_str().unwrap();
    fieldgate(verb.split(' ').chain(["--config", config]).chain(more.iter().copied()))
}

/// Asserts that `said` is a refusal with `code`: what, and beneath it what to do.
#[track_caller]
fn refused(said: &Said, code: i32) {
    assert_eq!(said.code, code, "{said:?}");
    let lines: Vec<&str> = said.err.trim_end().lines().collect();
    let help = lines.iter().position(|line| line.starts_with("  help: ") && line.len() > 15);
    assert!(help.is_some_and(|at| at > 0), "two lines, what and help: {said:?}");
    assert!(!said.err.contains("panicked"), "{said:?}");
}

/// The places `fieldgate.toml:LINE:COLUMN` that `said` names, in its order.
fn places(said: &Said) -> Vec<(usize, usize)> {
    let place = |line: &str| {
        let mut parts = line.split_once("fieldgate.toml:")?.1.split(':');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    said.err.lines().filter_map(place).collect()
}

/// Where `needle` stands, from 1.
fn place(text: &str, needle: &str) -> (usize, usize) {
    let at = text.find(needle).unwrap();
    let before = &text[..at];
    (before.matches('\n').count() + 1, at - before.rfind('\n').map_or(0, |end| end + 1) + 1)
}

#[test]
fn init_writes_a_folder_that_check_accepts_and_never_overwrites() {
    for map in ["sandbox", "request-tracker"] {
        let folder = Folder::of(map);
        assert_eq!(folder.init.code, 0, "{map}: {:?}", folder.init);
        let checked = folder.check();
        assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{map}: {checked:?}");
        assert!(checked.out.contains("routes") && checked.out.contains("policy sha256:"), "{checked:?}");
        let before: Vec<_> = walk(folder.dir.path()).into_iter().map(|path| std::fs::read(path).unwrap()).collect();
        refused(&init(folder.dir.path(), map), 64);
        let after: Vec<_> = walk(folder.dir.path()).into_iter().map(|path| std::fs::read(path).unwrap()).collect();
        assert!(before == after, "{map}: something was changed");
    }
}

#[test]
fn keys_that_init_writes_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::of("sandbox");
    let mut found = 0;
    for path in walk(&folder.path("")) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".key") || name == "callers.env" {
            found += 1;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
    assert_eq!(found, 5);
}

#[test]
fn an_unknown_map_leaves_nothing_behind() {
    let folder = Folder::of("no-such-map");
    refused(&folder.init, 64);
    assert!(folder.init.err.contains("`sandbox`"), "{:?}", folder.init);
    let left: Vec<_> = walk(folder.dir.path());
    assert_eq!(left.len(), 1, "{left:?}");
    let again = init(folder.dir.path(), "sandbox");
    assert_eq!(again.code, 0, "a corrected command goes on: {again:?}");
}

#[test]
fn check_reports_every_mistake_of_the_settings_with_its_place() {
    let folder = Folder::of("sandbox");
    folder.edit("name = \"gw-1\"", "name = \"gw-1\"\nwrokers = 2");
    folder.edit("upstream = \"crm\"", "upstream = \"nowhere\"");
    folder.edit("public_url = \"https://localhost:8443\"", "public_url = \"https://localhost:8443/crm\"");
    folder.edit("origin = \"", "tick_seconds = \"often\"\norigin = \"");
    folder.edit("[admin]", "[surprise]\nkey = 1\n\n[admin]");
    let text = std::fs::read_to_string(folder.config()).unwrap();
    let said = folder.check();
    refused(&said, 78);
    let mut found = places(&said);
    found.sort_unstable();
    let wanted = [
        place(&text, "wrokers"),
        place(&text, "public_url"),
        place(&text, "upstream = \"nowhere\""),
        place(&text, "\"often\""),
        place(&text, "surprise"),
    ];
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{}", said.err);
    assert!(said.err.contains("\n5 mistakes;"), "{}", said.err);
    assert_eq!(said.err.matches("\n  help: ").count(), 5, "{}", said.err);
}

#[test]
fn check_reports_every_mistake_of_the_parts_with_its_place() {
    let folder = Folder::of("sandbox");
    folder.edit(
        "certificates = [{ certificate = \"certs/gateway.pem\"",
        "certificates = [{ certificate = \"certs/lost.pem\"",
    );
    folder.edit("url = \"https://crm.example.com\"", "url = \"ftp://crm.example.com\"");
    folder.edit("on_behalf_of = \"agent-anna\"", "on_behalf_of = \"nobody\"");
    folder.edit("principal = \"supervisor-sam\"", "principal = \"somebody\"");
    folder.edit("[[upstream]]", "[listener.limits]\nheaders = 1\n\n[[upstream]]");
    let text = std::fs::read_to_string(folder.config()).unwrap();
    let said = folder.check();
    refused(&said, 78);
    let lines: BTreeSet<usize> = places(&said).into_iter().map(|(line, _)| line).collect();
    for wrong in
        ["certificates = [", "url = \"ftp:", "on_behalf_of = \"nobody\"", "principal = \"somebody\"", "headers = 1"]
    {
        let (line, _) = place(&text, wrong);
        assert!(lines.contains(&line), "`{wrong}` on line {line} is not reported: {}", said.err);
    }
    assert!(said.err.contains("\n5 mistakes;"), "{}", said.err);
}

#[test]
fn one_mistake_is_told_once_and_at_its_own_place() {
    for (from, to, wrong) in [
        ("[[upstream]]\n", "[[upstream]]\ntypo = 1\n", "typo"),
        ("name = \"main\"\n", "name = \"main\"\ntypo = 1\n", "typo"),
        ("[log]\nlevel = 1\n", "[log]\nlevel = 1\n", "1\n"),
        ("[admin]\naddress = \"127.0.0.1:9464\"", "[admin]\naddress = \"192.0.2.1:9464\"", "address = \"192.0.2.1"),
        ("[admin]\naddress = \"127.0.0.1:9464\"", "[admin]\naddress = \"0.0.0.0:9464\"", "address = \"0.0.0.0"),
    ] {
        let folder = Folder::of("sandbox");
        if from.starts_with("[log]") {
            let text = std::fs::read_to_string(folder.config()).unwrap();
            std::fs::write(folder.config(), format!("{text}\n{from}")).unwrap();
        } else {
            folder.edit(from, to);
        }
        let text = std::fs::read_to_string(folder.config()).unwrap();
        let said = folder.check();
        refused(&said, 78);
        let (line, _) = if from.starts_with("[log]") { place(&text, "level = 1") } else { place(&text, wrong) };
        let lines: Vec<usize> = places(&said).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [line], "{to}: {}", said.err);
        assert!(said.err.contains("\n1 mistake;"), "{}", said.err);
    }
}

#[test]
fn a_file_that_is_not_toml_and_one_that_is_not_there_are_mistakes() {
    let folder = Folder::of("sandbox");
    std::fs::write(folder.config(), "[gateway\nname = \"x\"\n").unwrap();
    let said = folder.check();
    refused(&said, 78);
    assert_eq!(places(&said)[0].0, 1, "{}", said.err);
    for verb in ["check", "serve", "policy matrix", "audit init"] {
        refused(&on(verb, Path::new("/nonexistent/fieldgate.toml"), &[]), 78);
    }
}

/// The reference in a folder where the files it names exist, with the classes and purposes that the map and policies use.
fn reference() -> Folder {
    let folder = Folder::of("sandbox");
    let own: toml::Table = std::fs::read_to_string(folder.config()).unwrap().parse().unwrap();
    let classes = own["class"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|class| !["card_number", "national_id", "free_text"].contains(&class["name"].as_str().unwrap()));
    let mut text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/fieldgate.toml")).unwrap();
    for class in classes {
        text.push_str(&format!("\n[[class]]\n{}", toml::to_string(class).unwrap()));
    }
    let purpose = "{ code = \"customer_request\", title = \"The customer asked\" }";
    let more =
        ["fraud_investigation", "data_subject_request"].map(|code| format!(", {{ code = \"{code}\", title = \"x\" }}"));
    assert!(text.contains(purpose));
    text = text.replace(purpose, &format!("{purpose}{}", more.concat()));
    let ca = "# ca = \"certs/crm-ca.pem\"";
    assert!(text.contains(ca));
    text = text.replace(ca, "ca = \"certs/crm-ca.pem\"");
    std::fs::write(folder.config(), text).unwrap();
    folder
}

#[test]
fn the_reference_is_correct() {
    let said = reference().check();
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
}

/// Only what is required.
const BARE: &str = "[gateway]\nroot_key = \"keys/root.key\"\n\
    [[listener]]\nname = \"main\"\naddress = \"127.0.0.1:8443\"\npublic_url = \"https://localhost:8443\"\nupstream = \"crm\"\n\
    [listener.tls]\ncertificates = [{ certificate = \"certs/gateway.pem\", key = \"certs/gateway.key\" }]\n\
    [[upstream]]\nname = \"crm\"\nurl = \"https://crm.example.com\"\nmap = \"crm/sandbox.toml\"\n\
    [policy]\ndir = \"policies\"\n\
    [audit]\ndir = \"audit\"\norigin = \"fieldgate.example.com/gw-1\"\nsigning_key = \"keys/audit.key\"\n\
    [[identity.jwt]]\nissuer = \"https://login.example.com\"\naudience = \"fieldgate\"\n\
    [identity.certificate]\nname = \"uri\"\n";

/// The fields of the settings `shown` with `{:?}`, with their values.
fn fields(shown: &str) -> BTreeSet<String> {
    let name = |part: &str| part.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned();
    let parts: Vec<&str> = shown.split(": ").collect();
    parts.iter().take(parts.len() - 1).map(|part| name(part)).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_default_of_the_reference_is_that_of_the_code_and_every_key_is_in_it() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/fieldgate.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let told = Config::load(Path::new(file)).unwrap();
    let bare = Config::parse("bare.toml", Path::new(""), BARE.to_owned()).unwrap();
    let mut jwt = told.identity.jwt[0].clone();
    // What the reference calls an example.
    (jwt.name, jwt.jwks_url, jwt.role_map) = (None, None, std::collections::BTreeMap::default());
    let mut certificate = told.identity.certificate.clone().unwrap();
    certificate.prefix = String::new();
    let mut policy = told.policy.clone();
    policy.purposes.clear();
    let rows = [
        ("gateway", format!("{:?}", told.gateway), format!("{:?}", bare.gateway)),
        ("listener", format!("{:?}", told.listeners), format!("{:?}", bare.listeners)),
        ("upstream", format!("{:?}", told.upstreams), format!("{:?}", bare.upstreams)),
        ("jwt", format!("{jwt:?}"), format!("{:?}", bare.identity.jwt[0])),
        ("certificate", format!("{certificate:?}"), format!("{:?}", bare.identity.certificate.as_ref().unwrap())),
        ("remembered", format!("{}", told.identity.remembered), format!("{}", bare.identity.remembered)),
        ("policy", format!("{policy:?}"), format!("{:?}", bare.policy)),
        ("vault", format!("{:?}", told.vault.as_ref().unwrap()), format!("{:?}", vault::Settings::default())),
        ("audit", format!("{:?}", told.audit), format!("{:?}", bare.audit)),
        ("limits", format!("{:?}", told.limits), format!("{:?}", bare.limits)),
        ("timeouts", format!("{:?}", told.timeouts), format!("{:?}", bare.timeouts)),
        ("admin", format!("{:?}", told.admin), format!("{:?}", bare.admin)),
        ("log", format!("{:?}", told.log), format!("{:?}", bare.log)),
    ];
    for (section, told, code) in &rows {
        assert_eq!(told, code, "[{section}]: left the reference, right the code");
    }
    let keys = rows.iter().flat_map(|(_, _, code)| fields(code));
    let listed = fields(&format!("{:?} {:?} {:?}", told.principals, told.identity.api_key, told.budget.rules));
    let missing: Vec<_> =
        keys.chain(listed).collect::<BTreeSet<_>>().into_iter().filter(|key| !mentions(&text, key)).collect();
    assert!(missing.is_empty(), "not in the reference: {missing:?}");
}

/// Whether `key =` or `[….key]` stands in `text`, commented out or not.
fn mentions(text: &str, key: &str) -> bool {
    let starts = |line: &str| line.trim_start_matches(['#', ' ']).starts_with(&format!("{key} ="));
    let within = [format!("{{ {key} ="), format!(", {key} ="), format!(".{key}]")];
    text.lines().any(|line| starts(line) || within.iter().any(|form| line.contains(form.as_str())))
}

#[test]
fn the_matrix_says_the_same_as_text_csv_and_json_and_explain_agrees() {
    let folder = Folder::of("sandbox");
    let matrix = |format| on("policy matrix", &folder.config(), &["--resource", "customer", "--format", format]).out;
    let (text, csv) = (matrix("text"), matrix("csv"));
    let json: Value = serde_json::from_str(&matrix("json")).unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert!(rows.len() >= 4 && csv.lines().count() == rows.len() + 1, "{csv}");
    for (row, line) in rows.iter().zip(csv.lines().skip(1)) {
        let views: Vec<&str> = row["views"].as_array().unwrap().iter().map(|view| view.as_str().unwrap()).collect();
        let seat = row["seat"].as_str().unwrap();
        assert!(line.starts_with(&format!("{seat},customer,read,")) && line.ends_with(&views.join(",")), "{line}");
        let shown = text.lines().find(|line| line.trim().starts_with(&format!("{seat}  "))).unwrap();
        let last: Vec<&str> = shown.split_whitespace().rev().take(views.len()).collect();
        assert_eq!(last.into_iter().rev().collect::<Vec<_>>(), views, "{seat}");
    }
    let at = json["classes"].as_array().unwrap().iter().position(|class| class == "email").unwrap();
    for role in ["agent", "supervisor"] {
        let view = rows.iter().find(|row| row["seat"] == role).unwrap()["views"][at].as_str().unwrap().to_owned();
        let why = on("policy explain", &folder.config(), &["--as", role, "--route", "customer.read"]).out;
        assert!(why.contains(&format!("\nemail: {view}\n")) && why.contains(".cedar:"), "{why}");
    }
    refused(&on("policy explain", &folder.config(), &["--as", "nobody", "--route", "customer.read"]), 64);
    refused(&on("policy explain", &folder.config(), &["--as", "agent", "--route", "no.route"]), 64);
    refused(&on("policy matrix", &folder.config(), &["--resource", "nothing"]), 64);
}

#[test]
fn a_new_key_pasted_into_the_configuration_works() {
    let world = Setup::new().start();
    let made = on("identity new-key", &world.made.config, &["--id", "desk-7", "newcomer"]);
    assert_eq!(made.code, 0, "{made:?}");
    let key = made.out.lines().find(|line| line.starts_with("fg_")).unwrap().to_owned();
    assert_eq!(world.stranger().with("fieldgate-key", &key).get(CUSTOMER).status, 401);
    let pasted = made.out.split_once("fieldgate.toml:\n").unwrap().1;
    let text = std::fs::read_to_string(&world.made.config).unwrap();
    assert!(!pasted.contains(&key), "the key itself does not go into the configuration");
    std::fs::write(&world.made.config, format!("{text}\n{pasted}")).unwrap();
    world.gateway().reload().unwrap();
    let answer = world.stranger().with("fieldgate-key", &key).get(CUSTOMER);
    assert_eq!((answer.status.as_u16(), &answer.bytes), (200, &world.agent().get(CUSTOMER).bytes));
    refused(&on("identity new-key", &world.made.config, &["--id", "no space", "newcomer"]), 64);
}

fn verify(world: &World) -> Said {
    let (dir, key) = (world.made.audit.to_str().unwrap(), world.made.verification_key.to_str().unwrap());
    fieldgate(["audit", "verify", "--dir", dir, "--key", key])
}

#[test]
fn verify_tells_a_good_a_changed_and_a_cut_log_apart() {
    let mut world = Setup::new().start();
    for _ in 0..5 {
        assert_eq!(world.agent().get(CUSTOMER).status, 200);
    }
    world.stop();
    assert_eq!(verify(&world).code, 0, "{:?}", verify(&world));
    let segment =
        walk(&world.made.audit).into_iter().find(|path| path.extension().is_some_and(|end| end == "jsonl")).unwrap();
    let good = std::fs::read_to_string(&segment).unwrap();
    assert!(good.contains("agent-anna"));
    std::fs::write(&segment, good.replacen("agent-anna", "agent-bert", 1)).unwrap();
    assert_eq!(verify(&world).code, 65, "{:?}", verify(&world));
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    std::fs::write(&segment, lines[..lines.len() / 2].concat()).unwrap();
    let cut = verify(&world);
    assert!([65, 66].contains(&cut.code), "{cut:?}");
    std::fs::write(&segment, &good).unwrap();
    assert_eq!(verify(&world).code, 0);
    let wrong = world.dir.path().join("wrong.vkey");
    std::fs::write(&wrong, "no key\n").unwrap();
    let (dir, wrong) = (world.made.audit.to_str().unwrap(), wrong.to_str().unwrap());
    assert_ne!(fieldgate(["audit", "verify", "--dir", dir, "--key", wrong]).code, 0);
}

#[test]
fn query_by_subject_finds_who_saw_it_and_nothing_else_and_show_follows_the_reference() {
    let world = Setup::new().start();
    let seen = world.agent().get(CUSTOMER);
    assert_eq!(world.supervisor().get(CUSTOMER).status, 200);
    assert_eq!(world.agent().get("/api/v1/customers/C-1002").status, 200);
    world.wait_for("access.outcome", 3);
    let reveals = |subject: &str| {
        let found = on(
            "audit query",
            &world.made.config,
            &["--subject", subject, "--kind", "access.reveal", "--format", "json"],
        );
        assert_eq!(found.code, 0, "{found:?}");
        found.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
    };
    let text: Vec<String> = reveals("customer:C-1001").iter().map(Value::to_string).collect();
    assert_eq!(text.len(), 2, "{text:?}");
    assert!(text[0].contains("agent-anna") && text[1].contains("supervisor-sam"), "{text:?}");
    assert!(text.iter().all(|line| !line.contains("C-1001")), "{text:?}");
    assert_eq!(reveals("customer:C-1002").len(), 1);
    assert!(reveals("customer:C-9999").is_empty() && reveals("ticket:C-1001").is_empty());
    refused(&on("audit query", &world.made.config, &["--subject", "C-1001"]), 64);

    let reference = seen.header("fieldgate-audit-ref");
    let dir = world.made.audit.to_str().unwrap();
    let shown = fieldgate(["audit", "show", "--dir", dir, "--format", "json", &reference]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("agent-anna") && shown.out.contains("access.outcome"), "{shown:?}");
    serde_json::from_str::<Value>(&shown.out).unwrap();
    refused(&fieldgate(["audit", "show", "--dir", dir, "nonsense"]), 64);
    refused(&fieldgate(["audit", "show", "--dir", dir, "999999"]), 74);
}
