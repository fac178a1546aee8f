//! What is answered to a filter that leaves nothing, a yes that comes too soon, and to who may only look; and what the
//! banner has room for.

use super::fake::Fake;
use super::stage::Stage;
use crate::console::keymap::Key;
use crate::terms::{Problem, Severity};

#[test]
fn a_filter_that_leaves_nothing_gives_back_the_request_that_was_selected() {
    let mut stage = Stage::new(100, 30);
    stage.keys("j j j");
    let before = stage.app.selected_row().and_then(|row| row.request_id);
    assert!(before.is_some());
    stage.keys("/ 'nothing_has_this' Enter j k G g Esc");
    assert_eq!(stage.app.selected_row().and_then(|row| row.request_id), before);
}

#[test]
fn a_yes_that_comes_too_soon_is_told_what_is_missing_and_not_to_press_y_again() {
    let mut stage = Stage::new(100, 30);
    // Stopping needs a reason.
    stage.keys("x");
    stage.key_after(50, Key::Tab);
    stage.key_after(50, Key::Char('y'));
    let screen = stage.screen();
    assert!(screen.contains("a reason is needed") && !screen.contains("y again carries it out"), "{screen}");
}

#[test]
fn who_may_only_look_is_told_the_group_and_the_command_that_helps() {
    let fake = Fake::new();
    {
        let mut status = fake.status.lock().unwrap();
        status.may_operate = false;
        status.join = Some("usermod -aG pcm-operators ola".into());
    }
    let mut stage = Stage::with(120, 30, fake, false);
    let screen = stage.keys("r").screen();
    assert!(screen.contains("pcm-operators") && screen.contains("usermod -aG"), "{screen}");
}

#[test]
fn a_banner_shows_file_and_line_at_80_columns_however_long_the_path_is() {
    let fake = Fake::new();
    fake.status.lock().unwrap().problems = vec![Problem {
        code: "policy-unreadable".into(),
        severity: Severity::Error,
        file: "/etc/some/very/long/folder/that/does/not/fit/on/a/line/of/80/columns/pcm.toml".into(),
        line: Some(12),
        field: Some("windows.weekly[1]".into()),
        message: "a window is written as `Sat 22:00-06:00`, and this is something else altogether".into(),
        newer: false,
    }];
    let mut stage = Stage::with(80, 24, fake, false);
    let screen = stage.screen();
    let banner = screen.lines().nth(2).unwrap();
    assert!(
        banner.contains("pcm.toml:12 windows.weekly[1]: a window") && banner.contains("w shows all"),
        "{banner}"
    );
    let all = stage.keys("w").screen();
    assert!(all.contains("/etc/some/very/long"), "{all}");
}
