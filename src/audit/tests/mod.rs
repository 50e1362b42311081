//! What the tests of the log share: keys, events, and a log in a folder that goes away.

mod damage;
mod faults;
mod living;
mod recorder;

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
};

use tempfile::TempDir;

use super::{AuditError, Log, Settings, init, verification_key};
use crate::{
    crypto::{MacKey, Purpose as KeyPurpose, RootKey, SigningKey},
    model::{
        AccessEvent, AccessKind, Action, Actor, Class, ClassId, ClassSet, ClassTable, Effect, Event, EventDecision,
        Kind, MaskStyle, Operation, Outcome, Principal, Purpose, Sighting, Storage, Subject, Timestamp, Via,
    },
};

pub(in crate::audit) const ORIGIN: &str = "fieldgate.test/audit/gw-1";

pub(in crate::audit) fn subject_key() -> MacKey {
    let root = RootKey::parse("fieldgate-root-1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=").unwrap();
    root.derive(KeyPurpose::SubjectRef, "default").unwrap()
}

pub(in crate::audit) fn clock() -> Timestamp {
    Timestamp::from_micros(1_795_511_642_318_224)
}

pub(in crate::audit) fn principal() -> Principal {
    Principal {
        id: "support-bot".into(),
        kind: Kind::Ai,
        roles: vec!["ai_assistant".into(), "reader".into()],
        team: Some("second \"line\"".into()),
        attributes: [("badge".to_owned(), "attribute-never-written".to_owned())].into(),
        training: vec![],
        via: Via::Jwt("okta".into()),
        session: Some("s_77f1".into()),
        on_behalf_of: Some(Arc::new(Principal {
            id: "anna".into(),
            kind: Kind::Human,
            roles: vec!["agent".into()],
            team: None,
            attributes: [].into(),
            training: vec![],
            via: Via::Configured,
            session: None,
            on_behalf_of: None,
            expires: None,
        })),
        expires: None,
    }
}

pub(in crate::audit) fn classes() -> Arc<ClassTable> {
    let class =
        |name: &str| Class { name: name.into(), mask: MaskStyle::Full, storage: Storage::CLEAR, detects: vec![] };
    Arc::new(ClassTable::new(["name", "email", "phone", "card_number"].map(class).to_vec()).unwrap())
}

fn set(indices: &[usize]) -> ClassSet {
    indices.iter().filter_map(|index| ClassId::new(*index)).collect()
}

pub(in crate::audit) fn subject(id: &str) -> Subject {
    let seen = Sighting {
        subject: Some(id.to_owned().into()),
        reveal: set(&[0]),
        mask: set(&[1, 2]),
        pseudonym: ClassSet::EMPTY,
        redact: set(&[3]),
        ..Sighting::default()
    };
    Subject { kind: "customer".into(), seen }
}

pub(in crate::audit) fn access(kind: AccessKind, request: u128, subjects: Vec<Subject>) -> AccessEvent {
    AccessEvent {
        kind,
        at: clock(),
        request,
        call: None,
        trace: Some([0xab; 16]),
        actor: Arc::new(Actor {
            principal: Some(Arc::new(principal())),
            address: IpAddr::V4(Ipv4Addr::new(10, 4, 2, 17)),
        }),
        purpose: Arc::new(Purpose {
            code: Some("customer_request".into()),
            case: Some("CASE-10234".to_owned().into()),
        }),
        operation: Arc::new(Operation {
            action: Some(Action::Read),
            route: Some("customers.get".into()),
            template: Some("GET /api/v1/customers/{id}".into()),
            upstream: Some("crm".into()),
            method: "GET",
        }),
        subjects,
        written: ClassSet::EMPTY,
        searched: ClassSet::EMPTY,
        decision: Arc::new(EventDecision {
            effect: Effect::PermitProtected,
            rules: Arc::new(["agent-reads".into()]),
            policy: "sha256:9f2c41d0".into(),
            why: None,
            notes: vec!["pass_cookies"],
        }),
        classes: classes(),
    }
}

pub(in crate::audit) fn reveal(request: u128) -> Event {
    Event::Access(access(AccessKind::Reveal { part: 1 }, request, vec![subject("C-1001")]))
}

pub(in crate::audit) fn outcome(request: u128) -> Event {
    let outcome = Outcome {
        status: Some(200),
        upstream_status: Some(200),
        released: true,
        bytes: 612,
        millis: 7,
        drift: 0,
        client_abort: false,
        why: None,
    };
    Event::Access(access(AccessKind::Outcome(outcome), request, vec![]))
}

/// A log in a folder that goes away with this value.
pub(in crate::audit) struct Place {
    pub(in crate::audit) dir: TempDir,
    pub(in crate::audit) key: String,
}

impl Place {
    pub(in crate::audit) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        init(dir.path(), ORIGIN, &key, clock()).unwrap();
        Self { dir, key: key.to_text().expose().clone() }
    }

    /// A copy in another folder, without waiting for stable storage.
    pub(in crate::audit) fn copied(&self) -> Self {
        let copy = Self { dir: tempfile::tempdir().unwrap(), key: self.key.clone() };
        let segment = super::layout::segment(self.path()).unwrap();
        for folder in [segment.parent().unwrap(), Path::new("quarantine")] {
            std::fs::create_dir_all(copy.path().join(folder)).unwrap();
        }
        for file in [segment.as_path(), Path::new("checkpoint"), Path::new("log.json")] {
            std::fs::copy(self.path().join(file), copy.path().join(file)).unwrap();
        }
        copy
    }

    pub(in crate::audit) fn signing_key(&self) -> SigningKey {
        SigningKey::parse(&self.key).unwrap()
    }

    pub(in crate::audit) fn vkey(&self) -> String {
        verification_key(ORIGIN, &self.signing_key().verifying_key())
    }

    pub(in crate::audit) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(in crate::audit) fn settings(&self) -> Settings {
        Settings { allow_volatile: true, ..Settings::new(self.path(), ORIGIN, "signing.key") }
    }

    pub(in crate::audit) fn open(&self) -> Result<Log, AuditError> {
        self.open_with(&self.settings())
    }

    pub(in crate::audit) fn open_with(&self, settings: &Settings) -> Result<Log, AuditError> {
        Log::open(settings, self.signing_key(), subject_key(), "gw-1", clock)
    }

    /// The segment's path and content.
    pub(in crate::audit) fn segment(&self) -> (std::path::PathBuf, Vec<u8>) {
        let path = self.path().join(super::layout::segment(self.path()).unwrap());
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    }
}
