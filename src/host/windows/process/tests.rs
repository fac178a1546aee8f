//! Real processes: this test binary again, in the parts that the tests below play.

#![allow(clippy::unwrap_used)]

use crate::host::process::*;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const PART: &str = "PCM_TEST_PART";

/// What a started copy of this test binary does; nothing in an ordinary run of the tests.
#[test]
fn plays_a_part() {
    match std::env::var(PART).as_deref() {
        Ok("exit") => std::process::exit(17),
        Ok("tree") => {
            let args = part_args();
            let mut child =
                std::process::Command::new(&args.0).args(&args.1).env(PART, "sleep").spawn().unwrap();
            println!("child {}", child.id());
            child.wait().unwrap();
        }
        Ok("sleep") => loop {
            std::thread::park_timeout(Duration::from_secs(60));
        },
        Ok("env") => std::env::vars().for_each(|(k, v)| println!("env {k}={v}")),
        _ => {}
    }
}

fn part_args() -> (PathBuf, Vec<String>) {
    let args = ["--exact", "host::windows::process::tests::plays_a_part", "--nocapture"];
    (std::env::current_exe().unwrap(), args.map(str::to_owned).to_vec())
}

fn launch(tree: &mut Tree, part: &str) -> (u32, BufReader<std::io::PipeReader>) {
    let (reader, output) = std::io::pipe().unwrap();
    let (program, args) = part_args();
    let root = std::env::var("SystemRoot").unwrap();
    let env = vec![(PART.into(), part.into()), ("SystemRoot".into(), root)];
    let spec = LaunchSpec { program, args, env, cwd: r"C:\".into(), run_as: None, input: None, output };
    (tree.launch(spec).unwrap(), BufReader::new(reader))
}

fn wait_for(tree: &mut Tree, pid: u32) -> Ended {
    match tree.wait_any(Duration::from_secs(60)).unwrap() {
        Reaped::One { pid: p, ended } if p == pid => ended,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_exit_code_is_told_and_then_nothing_is_left() {
    let mut tree = Tree::own().unwrap();
    let (pid, _out) = launch(&mut tree, "exit");
    assert_eq!(wait_for(&mut tree, pid), Ended::Code(17));
    assert_eq!(tree.wait_any(Duration::from_secs(10)).unwrap(), Reaped::NoChildren);
}

#[test]
fn a_tree_is_killed_with_its_grandchildren() {
    let mut tree = Tree::own().unwrap();
    let (pid, mut out) = launch(&mut tree, "tree");
    let mut line = String::new();
    while !line.contains("child ") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "no child was made");
    }
    let child: u32 = line.rsplit("child ").next().unwrap().trim().parse().unwrap();
    let who = identity(child).unwrap();
    assert!(tree.processes().iter().any(|p| p.pid == child));
    assert!(descendants(std::process::id()).iter().any(|p| p.pid == child));
    assert!(tree.kill(Duration::from_secs(20)).unwrap().iter().any(|(p, _)| *p == pid));
    let end = Instant::now() + Duration::from_secs(10);
    while alive(&who) {
        assert!(Instant::now() < end, "the grandchild lives");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nothing_of_the_environment_is_inherited() {
    let mut tree = Tree::own().unwrap();
    let (pid, mut out) = launch(&mut tree, "env");
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    wait_for(&mut tree, pid);
    assert!(text.contains("env PCM_TEST_PART=env"), "{text}");
    assert!(!text.to_uppercase().contains("ENV CARGO"), "{text}");
}

#[test]
fn a_batch_file_and_another_account_are_refused() {
    let mut tree = Tree::own().unwrap();
    let (_reader, output) = std::io::pipe().unwrap();
    let spec = LaunchSpec {
        program: r"C:\setup.bat".into(),
        args: vec![],
        env: vec![],
        cwd: r"C:\".into(),
        run_as: None,
        input: None,
        output,
    };
    assert_eq!(tree.launch(spec).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn a_detached_process_has_its_two_pipes() {
    let (exe, args) = part_args();
    let args: Vec<_> = args.into_iter().map(Into::into).collect();
    let mut detached = spawn_detached(&exe, &args).unwrap();
    detached.stdin.write_all(b"x").unwrap();
    let mut text = String::new();
    detached.stdout.read_to_string(&mut text).unwrap();
    assert!(text.contains("1 passed"), "{text}");
    assert!(detached.child.wait().unwrap().success());
}
