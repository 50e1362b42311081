//! `fieldgate discover`, run as a user runs it: a map on standard output that `check` takes, two lines for each mistake.

use crate::harness::fieldgate;

const DOCUMENT: &str = "tests/data/discover/apideck-crm.json";

fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

#[test]
fn a_proposed_map_passes_the_check_of_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let ca = fieldgate::tls::generate::ca("CRM", fieldgate::gateway::now()).unwrap();
    std::fs::write(path("ca.pem"), ca.certificate).unwrap();
    let (made, authority) = (path("made"), path("ca.pem"));
    let init = [
        "init",
        "--upstream",
        "https://crm.example.com",
        "--map",
        "sandbox",
        "--dir",
        &made,
        "--upstream-ca",
        &authority,
    ];
    assert_eq!(fieldgate(init).code, 0);

    let config = path("made/fieldgate.toml");
    let said = fieldgate(["discover", DOCUMENT, "--name", "apideck", "--config", &config]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("40 routes") && said.err.contains("0 operations left out"), "{}", said.err);
    std::fs::write(path("made/crm/sandbox.toml"), &said.out).unwrap();
    // The policies that `init` wrote speak of the sandbox's resources; the map alone is what is asked about here.
    std::fs::remove_dir_all(path("made/policies")).unwrap();
    std::fs::create_dir(path("made/policies")).unwrap();
    std::fs::write(path("made/policies/all.cedar"), "@id(\"all\")\npermit (principal, action, resource);\n").unwrap();
    let checked = fieldgate(["check", "--config", &config]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert!(checked.out.contains("40 routes"), "{}", checked.out);
}

#[test]
fn the_report_has_a_reason_for_each_place_and_obeys_the_threshold() {
    let report = |threshold: &str| -> serde_json::Value {
        let said = fieldgate(["discover", DOCUMENT, "--json", "--min-confidence", threshold]);
        assert_eq!(said.code, 0, "{}", said.err);
        serde_json::from_str(&said.out).unwrap()
    };
    let sure = |report: &serde_json::Value| -> Vec<u64> {
        let routes = report["routes"].as_array().unwrap();
        let fields = routes.iter().flat_map(|route| route["response"].as_array().unwrap());
        assert!(fields.clone().all(|field| !field["reason"].as_str().unwrap().is_empty()));
        fields.filter(|field| field["class"].is_string()).map(|field| field["confidence"].as_u64().unwrap()).collect()
    };
    let (all, few) = (sure(&report("50")), sure(&report("90")));
    assert!(!few.is_empty() && few.len() < all.len());
    assert!(all.iter().all(|confidence| *confidence >= 50) && few.iter().all(|confidence| *confidence >= 90));
}

#[test]
fn each_mistake_is_said_in_two_lines() {
    let [yaml, swagger, binary, list] =
        [b"openapi: 3.0.0\npaths: [\n".as_slice(), b"{\"swagger\":\"2.0\"}", b"\xff\xfe", b"[1]"].map(written);
    let path = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    for (file, what, help) in [
        (path(&yaml), "not YAML that can be read: line ", "yq -o json"),
        (path(&swagger), "OpenAPI 2", "swagger2openapi"),
        (path(&binary), "not UTF-8", "iconv"),
        (path(&list), "neither an OpenAPI document", "HAR 1.2"),
        ("/no/such/file.json".to_owned(), "/no/such/file.json: ", "standard input"),
        ("-".to_owned(), "not JSON", "valid JSON"),
    ] {
        let said = fieldgate(["discover", &file]);
        let lines: Vec<&str> = said.err.lines().collect();
        assert_eq!((said.code, lines.len(), said.out.as_str()), (64, 2, ""), "{}", said.err);
        assert!(lines[0].starts_with("error: ") && lines[0].contains(what), "{}", said.err);
        assert!(lines[1].starts_with("  help: ") && lines[1].contains(help), "{}", said.err);
    }
}
