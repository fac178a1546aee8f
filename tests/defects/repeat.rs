//! Packages that ran again.

use super::common::*;
use std::time::Duration;

/// Polled in under 20 minutes, the status was not yet processed and the package ran again. Here the machine polls every
/// second, no report ever arrives, and the package runs once.
#[test]
fn q166765_polling_each_second_with_reporting_dead_runs_a_mandatory_package_once() {
    let mut site = Site::new();
    let hash = site.package("BP00000A", &site.say("ran"));
    for folder in ["despoolr.box", "machines"] {
        // A file in the place of the folder: nothing can be written there, not even by root.
        std::fs::remove_dir(site.share().join(folder)).unwrap();
        write(&site.share().join(folder), b"in the way");
    }
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    let polls = || site.log().matches("Looking for instruction file").count();
    let before = polls();
    wait_for("eight more polls", || polls() >= before + 8);
    assert_eq!(site.ran("ran"), 1);
    service.kill();
    let _again = site.service();
    let before = polls();
    wait_for("polls of the next service", || polls() >= before + 3);
    assert_eq!(site.ran("ran"), 1, "{}", site.log());
    assert_eq!(site.json(&["history"])["attempts"].as_array().unwrap().len(), 1);
}

/// The report of a run that could not be delivered arrives when the share can be written again, once.
#[test]
fn q166765_a_result_that_could_not_be_reported_is_delivered_later() {
    let mut site = Site::with_config("polling_interval = \"1s\"");
    let hash = site.package("BP00000A", &site.say("ran"));
    let despool = site.share().join("despoolr.box");
    std::fs::remove_dir(&despool).unwrap();
    write(&despool, b"in the way");
    site.publish(&[Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""))]);
    let _service = site.service();
    site.wait_state("BP0000Y", "succeeded");
    std::fs::remove_file(&despool).unwrap();
    make_dir(&despool);
    let result = despool.join(MACHINE).join("BP0000Y-1.MIF");
    wait_for_or(Duration::from_secs(60), || result.is_file()).unwrap_or_else(|()| panic!("{}", site.log()));
    assert!(std::fs::read_to_string(result).unwrap().contains("JOBSTATUS"));
}
