//! `kill -9` of the service, of run hosts, and of both, at random moments over many requests.

use super::common::*;
use super::ground::{CONFIG, Ground, Tally, kill_9};
use super::knobs::{Chance, number, say, seed};
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
                "site {site} of PCM_HARNESS_SEED={}: {why}\nagain: PCM_HARNESS_SEED={} PCM_HARNESS_KILLS={kills} cargo test --test all harness::random",
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
    let mut chance = Chance::new(seed);
    let ground = Ground::due(CONFIG, REQUESTS, "%ran%; sleep 0.1; exit 0");
    for _ in 0..cycles {
        let errors = std::fs::File::create(ground.path("service.err")).unwrap();
        let child = ground.command(&["service", "run"]).stderr(errors).spawn().unwrap();
        let service = Service { child };
        // The pause is the random moment of death, not a wait for anything.
        std::thread::sleep(Duration::from_millis(chance.below(600)));
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
    ground.recover_and_check(Duration::from_secs(180))
}
