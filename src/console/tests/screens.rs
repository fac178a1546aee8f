//! Whole screens as text, reviewed when they change.

use super::fake::Fake;
use super::stage::Stage;

macro_rules! screens {
    ($($name:ident $width:literal $height:literal $keys:literal;)*) => {$(
        #[test]
        fn $name() {
            let mut stage = Stage::new($width, $height);
            stage.keys($keys);
            insta::assert_snapshot!(stage.screen());
        }
    )*};
}

screens! {
    overview_at_80x24 80 24 "j";
    overview_at_120x36 120 36 "j";
    overview_at_200x50 200 50 "j";
    overview_at_60x15 60 15 "j";
    overview_at_40x15_has_the_list_alone 40 15 "j";
    too_small_says_so 20 5 "";
    packages_at_80x24 80 24 "2 j j";
    packages_at_120x36 120 36 "2 j";
    log_at_80x24 80 24 "3";
    who_at_80x24 80 24 "4";
    history_at_80x24 80 24 "6";
    readiness_at_80x24 80 24 "7";
    readiness_at_40x15 40 15 "7 j j j";
    details_at_80x24 80 24 "j Enter";
    details_of_a_run_at_80x24 80 24 "Enter";
    details_of_a_run_at_120x36 120 36 "Enter";
    explain_at_80x24 80 24 "j e";
    run_at_80x24 80 24 "j r";
    defer_at_80x24 80 24 "j d '2h Tab 'release";
    stop_at_80x24 80 24 "x";
    hold_at_80x24 80 24 "h";
    help_at_80x24 80 24 "?";
    palette_at_80x24 80 24 ": 'un";
}

#[test]
fn overview_in_ascii_at_80x24() {
    let mut stage = Stage::new(80, 24);
    stage.ascii = true;
    stage.keys("j");
    let screen = stage.screen();
    assert!(screen.is_ascii());
    insta::assert_snapshot!(screen);
}

#[test]
fn everything_that_alarms_at_80x24() {
    let fake = Fake::new();
    {
        let mut status = fake.status.lock().unwrap();
        status.trust = "permissions".into();
        status.held_until = Some(super::fake::at("2026-11-22T15:00:00Z"));
        status.may_operate = false;
        status.host = "a-rather-long-host-name-01".into();
        let mut list = fake.list.lock().unwrap();
        list.problems = vec![crate::terms::Problem::of_file(
            "share-missing",
            "/mnt/sms_shr",
            "/mnt/sms_shr cannot be reached: no such device; the held file of serial 42 stays in force",
        )];
    }
    insta::assert_snapshot!(Stage::with(80, 24, fake, false).screen());
}
