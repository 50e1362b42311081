//! SIGKILL at random steps of a run, whose CRM lives on in a file: nothing is lost, nothing is protected twice.
//!
//! The child counts its steps (before and after every call of the CRM, before values are made) and kills itself at one.
//! `FIELDGATE_SWEEP_KILLS` says how many kills there are.

use std::{
    cell::Cell,
    fs,
    path::Path,
    process::{Command, Stdio},
    rc::Rc,
};

use super::fake::{FakeChange, FakeCrm, Faults, block, change, rng, run, settings};
use crate::sweep::{Ended, Extent, Stop, Verb};

const CHILD: &str = "FIELDGATE_SWEEP_CHILD";

fn kills() -> u64 {
    std::env::var("FIELDGATE_SWEEP_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(8)
}

fn world(dir: &Path, seed: u64, tick: &Rc<dyn Fn()>) -> (FakeCrm, FakeChange) {
    let mut crm = FakeCrm::load(&dir.join("world"), seed);
    crm.versions = seed.is_multiple_of(2);
    crm.shows = !seed.is_multiple_of(3);
    crm.faults = Faults { busy: 5, before: 3, after: 5, ..Faults::default() };
    crm.tick = Rc::clone(tick);
    let change = FakeChange { tick: Rc::clone(tick), nonce: Cell::new(seed << 20), ..change(Verb::Protect, 2) };
    (crm, change)
}

/// What the child does: the run, until its step.
#[test]
#[ignore = "started by the test below"]
fn child() {
    let job = std::env::var(CHILD).unwrap();
    let mut parts = job.splitn(3, ' ');
    let (seed, step) = (parts.next().unwrap().parse().unwrap(), parts.next().unwrap().parse::<u64>().unwrap());
    let dir = Path::new(parts.next().unwrap());
    let steps = Cell::new(0);
    let tick: Rc<dyn Fn()> = Rc::new(move || {
        steps.set(steps.get() + 1);
        if steps.get() == step {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    });
    let (crm, change) = world(dir, seed, &tick);
    let settings = settings(Verb::Protect, Extent::All);
    block(run(&crm, &change, &settings, &dir.join("journal"), &Stop::default())).unwrap();
}

#[test]
fn a_run_that_is_killed_at_random_steps_loses_and_doubles_nothing() {
    let (random, mut killed, mut resumed) = (Cell::new(7), 0, 0);
    while killed < kills() {
        let dir = tempfile::tempdir().unwrap();
        let mut crm = FakeCrm::new(40, 1);
        crm.file = Some(dir.path().join("world"));
        crm.save();
        let journal = dir.path().join("journal");
        for process in 0_u64.. {
            let (seed, step) = (rng(&random) % 1_000, 1 + rng(&random) % 130);
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "sweep::tests::kill::child", "--ignored"])
                .env(CHILD, format!("{seed} {step} {}", dir.path().display()))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            let calm: Rc<dyn Fn()> = Rc::new(|| ());
            // After every kill: each value is the one it was, clear or protected.
            world(dir.path(), seed, &calm).0.audit();
            if status.success() {
                resumed += u64::from(process > 0);
                break;
            }
            use std::os::unix::process::ExitStatusExt;
            assert_eq!(status.signal(), Some(9), "the child failed by itself: {job}", job = dir.keep().display());
            killed += 1;
            // Now and then the last line does not reach the disk whole.
            if let (true, Ok(text)) = (rng(&random).is_multiple_of(2), fs::read(&journal)) {
                let last = text[..text.len().saturating_sub(1)].iter().rposition(|byte| *byte == b'\n');
                if let Some(last) = last {
                    let keep = last + 1 + rng(&random) as usize % (text.len() - last);
                    fs::write(&journal, &text[..keep]).unwrap();
                }
            }
        }
        let calm: Rc<dyn Fn()> = Rc::new(|| ());
        let (crm, change) = world(dir.path(), 1, &calm);
        let (sealed, clear) = crm.audit();
        assert!(sealed > 90 && clear == 0, "{sealed} {clear}");
        let again = settings(Verb::Protect, Extent::All);
        let before = crm.world.borrow().writes;
        let report = block(run(&crm, &change, &again, &dir.path().join("again"), &Stop::default())).unwrap();
        assert_eq!((report.ended, crm.world.borrow().writes), (Ended::Finished, before), "a second run finds nothing");
    }
    assert!(resumed > 0);
}
