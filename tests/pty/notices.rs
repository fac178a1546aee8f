//! The service tells everybody who is logged on, the operator at the console as well: what it writes on that terminal
//! does not stay on the console's screen.

use super::common::*;
use super::logind::Logind;
use super::pty::Terminal;

#[test]
fn a_notice_on_the_consoles_own_terminal_does_not_stay_on_its_screen() {
    let mut site = Site::with_config("[run]\ncountdown = \"4s\"\n");
    let Some(logind) = Logind::start(&site.path(".")) else { return };
    site.bus = Some(logind.address.clone());
    let hash = site.package("BP00000A", &site.say("ran"));
    let request = Request::due("BP0000Y").set("content_sha256", format!("\"{hash}\""));
    site.publish(&[request.clone().mandatory(now() + seconds(3600))]);
    let _service = site.service();
    let mut console = Terminal::start(&site.command(&[]), 80, 24);
    let Some(device) = console.device() else { return };
    logind.log_on("c1", "anna", device.strip_prefix("/dev").unwrap().to_str().unwrap());
    console.wait("BP0000Y");
    console.wait("anna");
    site.publish_for(&request, 1);
    site.wait_state("BP0000Y", "succeeded");
    let told = |console: &Terminal| String::from_utf8_lossy(&console.bytes()).contains("Message from pcm");
    assert!(told(&console), "the service wrote on this terminal");
    console.wait_until("the console alone", |screen| {
        let footer = screen.lines().last().unwrap_or_default();
        !screen.contains("Message from") && !screen.contains("save your work") && footer.contains("? help")
    });
    assert_eq!(console.rows()[0].matches("BP004000").count(), 1, "{}", console.screen());
    // And what an operator has to say.
    console.keys("4T");
    console.wait("NOTICE on BP004000");
    console.keys("log off at six please\r");
    console
        .wait_until("the question", |screen| screen.contains("y carries it out") && screen.contains("> y"));
    console.confirm();
    console.wait("notice to anna on pts/");
    let text = || String::from_utf8_lossy(&console.bytes()).into_owned();
    wait_for("it is on the terminal", || text().contains("operator of this computer"));
    console.wait_until("the console alone", |screen| !screen.contains("operator of this computer"));
    let audit = site.json(&["audit"])["entries"].take();
    let last = audit.as_array().unwrap().iter().rfind(|entry| entry["verb"] == "notice").unwrap();
    assert_eq!(
        (last["result"].as_str(), last["reason"].as_str()),
        (Some("done"), Some("log off at six please"))
    );
    console.keys("q");
    assert_eq!(console.wait_exit(), 0);
}

#[test]
fn a_demo_writes_on_nobodys_terminal_and_keeps_no_machine_up() {
    let site = Site::new();
    let Some(logind) = Logind::start(&site.path(".")) else { return };
    let terminal = Terminal::start(&std::process::Command::new("cat"), 80, 24);
    let Some(device) = terminal.device() else { return };
    logind.log_on("c1", "anna", device.strip_prefix("/dev").unwrap().to_str().unwrap());
    let place = site.path("tmp");
    make_dir(&place);
    let mut demo = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"));
    demo.args(["demo", "--headless", "--for", "12s"]).env("TMPDIR", &place);
    let demo = demo.env("DBUS_SYSTEM_BUS_ADDRESS", &logind.address).output().unwrap();
    let said = text(&demo);
    assert!(demo.status.success() && said.contains("DEM0002 starts now. A demo tells nobody."), "{said}");
    assert!(said.contains("-> running"), "{said}");
    assert_eq!(logind.asked_to_inhibit(), ["the test"], "while a package ran");
    assert_eq!(terminal.count(), 0, "{}", String::from_utf8_lossy(&terminal.bytes()));
}

/// Not by an operator's words either; and the machine on which it is tried is not restarted.
#[test]
fn an_operators_words_in_a_demo_go_nowhere_and_it_restarts_nothing_and_says_so() {
    let site = Site::new();
    let file = site.path("called");
    let Some(logind) = Logind::start(&site.path(".")) else { return };
    let somebody = Terminal::start(&std::process::Command::new("cat"), 80, 24);
    let Some(device) = somebody.device() else { return };
    logind.log_on("c1", "anna", device.strip_prefix("/dev").unwrap().to_str().unwrap());
    let place = site.path("tmp");
    make_dir(&place);
    let mut demo = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"));
    demo.arg("demo").env("TMPDIR", &place).env("DBUS_SYSTEM_BUS_ADDRESS", &logind.address);
    let mut console = Terminal::start(&demo, 110, 30);
    console.wait("anna");
    let folder = std::fs::read_dir(&place).unwrap().next().unwrap().unwrap().path();
    let config = folder.join("pcm.toml");
    // Whatever becomes of it, the system's own command is never called here.
    let restart = format!("\n[restart]\ncommand = [\"/bin/sh\", \"-c\", \"echo >> '{}'\"]\n", file.display());
    write(&config, (std::fs::read_to_string(&config).unwrap() + &restart).as_bytes());
    let ask = |words: &[&str]| {
        let mut asked = std::process::Command::new(env!("CARGO_BIN_EXE_pcm"));
        asked.arg("--config").arg(&config).arg("--state").arg(folder.join("state"));
        asked.args(words).output().unwrap()
    };
    // A look reads it.
    assert!(ask(&["poll"]).status.success());
    assert!(ask(&["hold", "--until", "1h", "--reason", "nothing else"]).status.success());
    console.keys("4T");
    console.wait("NOTICE on DEM00001");
    console.keys("log off at six please\r");
    console.confirm();
    console.wait("a demo writes on nobody's terminal");
    let refused = ask(&["notice", "log off at six please"]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("Outside of the demo, on an enrolled machine: pcm notice TEXT"), "{said}");
    console.keys("\x1b");
    // A package that wants a restart is one of the demo's; the machine is somebody's.
    let ran = ask(&["run", "DEM0005", "--reason", "why not", "--override", "hold", "--wait"]);
    assert!(ran.status.success(), "{}", text(&ran));
    let refused = ask(&["restart", "now"]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("a demo does not restart the machine"), "{said}");
    console.quit('q');
    assert!(!file.exists(), "the machine was restarted");
    assert_eq!(somebody.count(), 0, "{}", String::from_utf8_lossy(&somebody.bytes()));
}
