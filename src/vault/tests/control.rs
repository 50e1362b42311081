//! Commands beside a running gateway: the process that has the vault open does what they ask.

use super::*;

fn refused(answer: &Answer) -> &str {
    match answer {
        Answer::Refused { what, .. } => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_process_that_has_the_vault_open_does_what_commands_ask() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::new();
    let vault = world.open();
    person(&vault, "17");
    let none = ask(&world.dir(), &Ask::Stats);
    assert!(matches!(none, Err(VaultError::Locked(_))), "{none:?}");
    let control = Control::start(&world.dir(), vault.clone(), Arc::clone(&world.signer), now).unwrap();
    let socket = world.dir().join("control.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);

    let Answer::Stats(stats) = ask(&world.dir(), &Ask::Stats).unwrap() else { panic!("no stats") };
    assert_eq!((stats.subjects, stats.links), (1, 1));
    let path = world.folder.path().join("backup");
    let backup = ask(&world.dir(), &Ask::Backup { path: path.clone() }).unwrap();
    assert!(matches!(backup, Answer::Rows { rows } if rows > 4_096), "{backup:?}");
    assert!(refused(&ask(&world.dir(), &Ask::Backup { path }).unwrap()).contains("already"));
    assert_eq!(ask(&world.dir(), &Ask::Reindex).unwrap(), Answer::Rows { rows: 0 });

    world.file.roll_subject_wrap(now()).unwrap();
    let epoch = world.file.epoch();
    let erase = Ask::Erase { records: vec![("contact".into(), "17".into())], epoch };
    assert_eq!(ask(&world.dir(), &erase).unwrap(), Answer::NotYet);
    block(vault.with_keyset(world.keyset())).unwrap();
    let Answer::Erased { receipt, epoch: closed } = ask(&world.dir(), &erase).unwrap() else { panic!("not erased") };
    assert_eq!((closed, receipt.erasure.subjects), (epoch, 1));
    Receipt::verify(&receipt.to_json().unwrap(), &world.signer.verifying_key()).unwrap();
    assert!(matches!(block(vault.subject_of("contact", "17")).unwrap(), RecordState::Erased));
    let unknown = Ask::Erase { records: vec![("contact".into(), "18".into())], epoch };
    assert!(refused(&ask(&world.dir(), &unknown).unwrap()).contains("no data"));
    assert_eq!(ask(&world.dir(), &Ask::Roll { epoch }).unwrap(), Answer::Rolled { epoch });

    drop(control);
    assert!(!socket.exists());
    drop(vault);
    drop(world.open());
}

#[test]
fn nonsense_on_the_socket_ends_that_connection_only() {
    use std::io::{Read, Write};
    let world = World::new();
    let _control = Control::start(&world.dir(), world.open(), Arc::clone(&world.signer), now).unwrap();
    for text in ["nonsense\n", "{\"do\":\"format_disk\"}\n", "{\"do\":\"roll\"}\n"] {
        let mut stream = std::os::unix::net::UnixStream::connect(world.dir().join("control.sock")).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "", "{text}");
    }
    assert!(matches!(ask(&world.dir(), &Ask::Stats).unwrap(), Answer::Stats(_)));
}

#[test]
fn asking_again_after_an_erasure_leaves_nothing_under_an_older_key() {
    let mut world = World::new();
    let vault = world.open();
    person(&vault, "1");
    let bob = person(&vault, "2");
    world.erase(&vault, "1");
    // The command line starts over: another new wrapping key, the receipt of before, and the older keys destroyed.
    world.erase(&vault, "1");
    drop(vault);
    let vault = world.open();
    assert!(matches!(&block(vault.subjects(&[bob])).unwrap()[0], SubjectState::Live { .. }));
}
