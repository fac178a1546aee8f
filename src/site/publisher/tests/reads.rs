//! What a machine reads of what is published: at an idle poll the index and nothing else, and after a change what changed.

use super::*;
use crate::host::open::Folder as Opened;
use crate::site::indexed::compose::{Asked, Composed, compose};
use crate::site::indexed::parts::Parts;
use crate::site::indexed::read::FromShare;
use crate::site::indexed::told::NOTHING_TOLD;
use crate::site::instruction::Entry;
use crate::site::instruction::parse::Defaults;

/// So much may be read at once.
const MOST: usize = 64 << 10;
/// More than a signature takes at the end of an index.
const SIGNATURE: usize = 4 << 10;

/// What machine BP000000 reads that has these parts: the bytes of the index, the new parts, and what it comes to.
fn look(site: &Site, held: &Parts) -> (usize, Parts, Composed) {
    let root = Opened::open(&site.share()).unwrap();
    let bytes = site.files()[index::NAME].clone();
    let index = index::parse(&bytes, index::NAME).unwrap();
    let defaults = Defaults {
        max_run_time: std::time::Duration::from_secs(3_600),
        programs: Vec::new(),
        ignore_windows: false,
    };
    let asked = Asked {
        machine: "BP000000".parse().unwrap(),
        defaults: &defaults,
        trusted: None,
        before: None,
        earlier: &|| None,
        told: &NOTHING_TOLD,
    };
    let mut source = FromShare::new(&root, held, None);
    let composed = compose(&index, &asked, &mut source);
    assert!(source.brought.faults.is_empty(), "{:?}", source.brought.faults);
    (bytes.len(), source.brought.parts, composed)
}

#[test]
fn of_200_jobs_an_idle_poll_reads_64_kib_at_most_and_a_change_of_one_as_much_more() {
    let site = Site::new();
    site.machines(0..20_000);
    let (job, word) = site.job();
    let write = |n: u32, spread: u64| {
        let mut job = job.clone();
        job.job_id = format!("BP0J{n:04}").parse().unwrap();
        job.request_id = format!("BP0{n:04}").parse().unwrap();
        // Every fortieth is for the machine that looks.
        let whom = if n.is_multiple_of(40) { 0 } else { 1 + n };
        job.targets = vec![Target::Machine(format!("BP0{whom:05}").parse().unwrap())];
        job.spread = Some(std::time::Duration::from_secs(spread));
        let reason = Some("a look at what failed first".into());
        site.folder().write_job(&job, &Word { reason, ..word.clone() }).unwrap();
    };
    fs::remove_file(site.folder().job_path(job.job_id)).unwrap();
    (0..200).for_each(|n| write(n, 60));
    site.publish().unwrap();
    let (_, held, composed) = look(&site, &Parts::default());
    let good = composed.file.requests.iter().filter(|entry| matches!(entry, Entry::Good(_)));
    assert_eq!((good.count(), composed.index.elsewhere.len()), (5, 195));
    // Idle: one file.
    let (bytes, new, _) = look(&site, &held);
    assert_eq!(new, Parts::default(), "nothing else is read");
    assert!(bytes + SIGNATURE <= MOST, "{bytes} bytes");
    // One job is another one; one machine more is in the list.
    write(40, 120);
    site.publish().unwrap();
    let (now, new, _) = look(&site, &held);
    let (job, changed) = (new.encode().len(), now.abs_diff(bytes));
    assert!(job > 0 && job <= MOST && changed < 100, "{job} bytes of parts, {changed} of the index");
    site.machines(0..20_001);
    site.publish().unwrap();
    let mut all = held;
    all.add(new);
    let (_, new, _) = look(&site, &all);
    let members = new.encode().len();
    assert!(members <= MOST, "{members} bytes of the list of machines");
    println!("reads: index {bytes} bytes, one job {job}, one machine {members}");
}
