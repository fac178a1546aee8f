//! `kill -9` of the service, of run hosts, and of both, at random moments over many requests.

use super::common::*;
use super::ground::{CONFIG, Ground, Tally, kill_9};
use super::knobs::{Chance, number, say, seed};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Kills on one site, and requests on it.
const A_SITE: usize = 30;
const REQUESTS: usize = 20;

#[test]
fn random_kill_9_of_service_and_run_hosts_never_runs_a_package_twice() {
    let kills = number("PCM_HARNESS_KILLS", 60, 2_000);
    let begun = Instant::now();
    let sites = kills.div_ceil(A_SITE);
    let (mut done, mut runs, mut interrupted, mut attempts) = ([0; 3], 0, 0, 0);
    for site in 0..sites {
        let own_seed = seed().wrapping_mul(1_000_003).wrapping_add(site as u64);
        let cycles = A_SITE.min(kills - site * A_SITE);
        match one_site(own_seed, cycles, &mut done) {
            Ok(tally) => {
                runs += tally.runs.len();
                attempts += tally.attempts.len();
                interrupted += tally.count("interrupted");
            }
            Err(why) => panic!(
                "site {site} of PCM_HARNESS_SEED={}: {why}\nagain: PCM_HARNESS_SEED={} PCM_HARNESS_KILLS={kills} cargo test --test all harness::random::random_kill_9_of",
                seed(),
                seed()
            ),
        }
    }
    say(&format!(
        "random kills: {kills} cycles on {sites} sites (service {}, run host {}, both {}), {attempts} attempts, {runs} runs, {interrupted} interrupted, 0 doubles; seed {}, {} s",
        done[0],
        done[1],
        done[2],
        seed(),
        begun.elapsed().as_secs()
    ));
}

fn one_site(seed: u64, cycles: usize, done: &mut [usize; 3]) -> Result<Tally, String> {
    let ground = Ground::due(CONFIG, REQUESTS, "%ran%; sleep 0.1; exit 0");
    kill_at_random(&ground, &mut Chance::new(seed), cycles, 600, done)?;
    ground.recover_and_check(Duration::from_secs(180))
}

/// Starts the service this often and kills it, the run hosts, or both, after at most so many milliseconds; counts which of
/// the three.
fn kill_at_random(
    ground: &Ground,
    chance: &mut Chance,
    cycles: usize,
    most: u64,
    done: &mut [usize; 3],
) -> Result<(), String> {
    for _ in 0..cycles {
        let errors = std::fs::File::create(ground.path("service.err")).unwrap();
        let child = ground.command(&["service", "run"]).stderr(errors).spawn().unwrap();
        let service = Service { child };
        // The pause is the random moment of death, not a wait for anything.
        std::thread::sleep(Duration::from_millis(chance.below(most)));
        let what = chance.below(3) as usize;
        done[what] += 1;
        match what {
            0 => {}
            1 => {
                ground.run_hosts().into_iter().for_each(kill_9);
                std::thread::sleep(Duration::from_millis(chance.below(300)));
            }
            _ => ground.run_hosts().into_iter().for_each(kill_9),
        }
        service.kill();
        if let Ok(errors) = std::fs::read_to_string(ground.path("service.err"))
            && errors.contains("panicked at")
        {
            return Err(format!("the service panicked: {errors}"));
        }
    }
    Ok(())
}

/// As after an outage: hundreds are due at once, and all of it happens among them. The history grows with what runs and with
/// what dies, not with what waits, and each attempt's result is on the share.
#[test]
fn random_kill_9_while_hundreds_are_due_runs_none_twice_and_every_result_arrives() {
    let (due, kills) = (number("PCM_HARNESS_DUE", 60, 500), number("PCM_HARNESS_DUE_KILLS", 20, 300));
    let (begun, mut done) = (Instant::now(), [0; 3]);
    let ground = Ground::due(CONFIG, due, "%ran%; sleep 0.05; exit 0");
    let mut chance = Chance::new(seed().wrapping_mul(1_000_003));
    kill_at_random(&ground, &mut chance, kills, 1_500, &mut done).unwrap_or_else(|why| panic!("{why}"));
    let arrived = || -> BTreeSet<String> {
        let results = std::fs::read_dir(ground.share().join("despoolr.box").join(MACHINE));
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        results.into_iter().flatten().map(|entry| name(entry).to_string_lossy().into_owned()).collect()
    };
    // Without asking the service all the while.
    let service = ground.service();
    wait_for_or(Duration::from_secs(due as u64 * 3), || arrived().len() >= due)
        .unwrap_or_else(|()| panic!("{} results arrived of {due}\n{}", arrived().len(), ground.log()));
    service.terminate();
    let tally = ground.recover_and_check(Duration::from_secs(180));
    let tally = tally.unwrap_or_else(|why| panic!("{why}\nwith PCM_HARNESS_SEED={}", seed()));
    let wanted: BTreeSet<String> =
        tally.attempts.keys().map(|(request, attempt)| format!("{request}-{attempt}.MIF")).collect();
    let _service = ground.service();
    wait_for_or(Duration::from_secs(60), || arrived() == wanted)
        .unwrap_or_else(|()| panic!("{} of {} results arrived", arrived().len(), wanted.len()));
    let ran: BTreeSet<&String> = tally.attempts.keys().map(|(request, _)| request).collect();
    assert_eq!(ran.len(), due, "each of them has an attempt");
    let events = ground.json(&["audit", "verify"])["entries"].as_u64().unwrap();
    say(&format!(
        "kills while {due} are due: {kills} (service {}, run host {}, both {}), {} attempts, {} runs, {} interrupted, 0 doubles, {} results, {events} events; seed {}, {} s",
        done[0],
        done[1],
        done[2],
        tally.attempts.len(),
        tally.runs.len(),
        tally.count("interrupted"),
        wanted.len(),
        seed(),
        begun.elapsed().as_secs()
    ));
    let most = 4 * (due + kills) as u64;
    assert!(events <= most, "{events} events, and at most {most} were expected");
}
