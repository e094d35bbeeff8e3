//! What the load tester leaves behind: files, a result that its schema describes, and an end by interrupt.
#![cfg(feature = "load")]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/load.rs"]
mod tester;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;

use common::{DEADLINE, Program, Server, has_tool};
use serde_json::Value;
use tester::{end_of, free_port, load, load_for_people, serve, start_load};

/// A file for one test, not there yet.
fn file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

#[test]
fn a_histogram_and_a_plot_are_written() {
    let server = Server::start(&["--echo"]);
    let (hgrm, plot) = (file("load.hgrm"), file("load.svg"));

    let run = load(
        &server.port(),
        &format!("-n 100 -c 10 --hgrm {} --plot {}", hgrm.to_str().unwrap(), plot.to_str().unwrap()),
    );

    assert_eq!(run.status, Some(0), "{run:?}");
    let hgrm = fs::read_to_string(hgrm).unwrap();
    let head: Vec<&str> = hgrm.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]);
    assert!(hgrm.lines().any(|line| line.starts_with("#[Max") && line.ends_with(" 100]")), "{hgrm}");
    let plot = fs::read_to_string(plot).unwrap();
    assert!(plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>"), "{plot}");
}

#[test]
fn a_file_that_cannot_be_written_is_found_out_before_anybody_is_connected_to() {
    let (tell, told) = mpsc::channel();
    let port = serve(move |client, _| {
        let _ = tell.send(());
        client.answer(|line, _| line);
    });
    let fresh = file("fresh.svg");
    let directory = env!("CARGO_TARGET_TMPDIR");

    for (path, reason) in
        [("/no/such/directory/a", "No such file or directory"), (directory, "Is a directory")]
    {
        for option in ["--hgrm", "--plot"] {
            let other = if option == "--hgrm" { "--plot" } else { "--hgrm" };
            let run = load(&port, &format!("-n 10 {other} {} {option} {path}", fresh.to_str().unwrap()));

            let line = format!("switchboard-load: cannot write {path}: {reason}\n");
            assert_eq!((run.status, run.out.as_str(), run.err), (Some(1), "", line), "{option}");
            assert!(!fresh.exists(), "no empty file stays behind a run that never was");
        }
    }
    assert!(told.try_recv().is_err(), "somebody was connected to");
}

#[test]
fn the_file_of_an_earlier_run_stays_until_there_is_something_to_put_in_its_place() {
    let (tell, told) = mpsc::channel();
    let port = serve(move |client, _| {
        client.answer(|line, number| {
            if number == 100 {
                tell.send(()).unwrap();
            }
            line
        });
    });
    let hgrm = file("earlier.hgrm");
    let earlier = "of an earlier run\n".repeat(1000);
    fs::write(&hgrm, &earlier).unwrap();
    let arguments = ["-d", "1h", "-c", "1", "--warmup", "0s", "--hgrm", hgrm.to_str().unwrap()];
    let tester = start_load(&port, &arguments);
    told.recv_timeout(DEADLINE).expect("it talks");

    let during = fs::read_to_string(&hgrm).unwrap();
    tester.signal("INT");
    let run = end_of(tester);

    assert_eq!(during, earlier, "{run:?}");
    let after = fs::read_to_string(&hgrm).unwrap();
    assert!(after.contains("TotalCount") && !after.contains("earlier"), "{after}");
    assert_eq!(run.status, Some(0), "{run:?}");
}

#[test]
fn a_run_that_everybody_is_turned_away_from_gives_no_share_of_the_processor() {
    let port = serve(|mut client, _| client.send(b"full\n"));

    let run = load_for_people(&port, &["-c", "3", "-d", "1s", "--warmup", "100ms"]);

    let share = run.out.lines().find_map(|line| line.split_once(" % of its processor")?.0.rsplit(' ').next());
    let share = share.map_or(0.0, |share| share.parse::<f64>().unwrap());
    assert!(share <= 110.0 && !run.out.contains("warning"), "{run:?}");
    assert!(run.out.contains("share of its processor"), "{run:?}");
    assert_eq!(run.status, Some(1), "{run:?}");
}

#[test]
fn a_report_a_plot_or_a_histogram_that_outgrows_its_limit_fails_the_run_in_one_line() {
    if !has_tool("bash") {
        return;
    }
    let server = Server::start(&["--echo"]);
    let (out, hgrm, plot) = (file("small.out"), file("small.hgrm"), file("small.svg"));
    let (hgrm, plot) = (hgrm.to_str().unwrap(), plot.to_str().unwrap());

    for (arguments, onto_file, told) in [
        (&["--format", "json"][..], true, "write to stdout: File too large".to_owned()),
        (&["--hgrm", hgrm], false, format!("write {hgrm}: File too large")),
        (&["--plot", plot], false, format!("write {plot}: File too large")),
    ] {
        let mut command = Command::new("bash");
        let redirection = if onto_file { format!("> {}", out.display()) } else { String::new() };
        command.args(["-c", &format!("ulimit -f 1 && exec \"$0\" \"$@\" {redirection}")]);
        command.args([env!("CARGO_BIN_EXE_switchboard-load"), &server.port(), "-n", "3000", "-c", "10"]);
        command.args(arguments);
        let run = end_of(Program::start(command));

        let told = format!("switchboard-load: cannot {told}\n");
        assert_eq!((run.status, run.err.as_str()), (Some(1), told.as_str()), "{run:?}");
    }
}

#[test]
fn an_interrupt_prints_what_there_is() {
    // `timeout` tells its child and its group: that is one interrupt.
    for signals in [&["INT"][..], &["TERM", "TERM"], &["TERM", "INT", "HUP"]] {
        let (tell, told) = mpsc::channel();
        let port = serve(move |client, _| {
            client.answer(|line, number| {
                if number == 100 {
                    tell.send(()).unwrap();
                }
                line
            });
        });
        let tester = start_load(&port, &["-d", "1h", "-c", "1", "--warmup", "0s"]);
        told.recv_timeout(DEADLINE).expect("it talks");

        // It finds them all at once, however fast it is.
        tester.pause();
        tester.signals_at_once(signals);
        tester.resume();
        let run = end_of(tester);

        assert_eq!((run.status, run.err.as_str()), (Some(0), ""), "after {signals:?}: {run:?}");
        for part in ["interrupted", "\nmessages ", "\nlatency "] {
            assert!(run.out.contains(part), "after {signals:?} no {part:?} in {run:?}");
        }
    }
}

#[test]
fn every_result_is_as_the_schema_says() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/load.schema.json");
    let schema: Value = serde_json::from_reader(io::BufReader::new(fs::File::open(schema).unwrap())).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let (echo, chat) = (Server::start(&["--echo"]), Server::start(&["--chat"]));
    let (echo, chat, nobody) = (echo.port(), chat.port(), free_port());
    let transcript = file("schema.jsonl");
    let events = r#"{"ev":"open","ts":"2026-01-02T03:04:05Z","id":1}
{"ev":"msg","ts":"2026-01-02T03:04:05Z","id":1,"text":"hi"}
{"ev":"sent","ts":"2026-01-02T03:04:05Z","ids":[1],"text":"hi\n"}
"#;
    fs::write(&transcript, events).unwrap();
    let replay = format!("--replay {}", transcript.display());

    for (port, arguments) in [
        (&echo, "-n 100 -c 10"),
        (&echo, "-c 10 -r 500 -d 200ms --warmup 0s"),
        (&echo, "-c 10 --hold -d 100ms"),
        (&echo, "-c 10 -n 20 --churn"),
        (&echo, "-c 10 -n 20 -m {seq} --expect 0"),
        (&chat, "-c 5 -n 20 --pattern chat"),
        (&chat, "-c 1 -n 20 --pattern send"),
        (&nobody, "-c 5 -n 20"),
        (&echo, &replay),
        (&nobody, &(replay.clone() + " --speed 0")),
    ] {
        let result = load(port, arguments).result();

        let complaints: Vec<String> = validator
            .iter_errors(&result)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(complaints, Vec::<String>::new(), "{arguments}: {result}");
        let documented = |part: &str| schema["properties"][part]["properties"].as_object().unwrap().clone();
        for part in ["config", "metrics"] {
            let mut keys = result[part].as_object().unwrap().keys();
            let known = documented(part);
            assert_eq!(keys.find(|key| !known.contains_key(*key)), None, "not in the schema's {part}");
        }
    }
}

#[test]
fn a_result_without_its_figures_is_not_as_the_schema_says() {
    let schema = include_str!("../docs/load.schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let server = Server::start(&["--echo"]);
    let result = load(&server.port(), "-n 100 -c 10").result();
    assert!(validator.is_valid(&result));

    for (path, key) in [("", "config"), ("/metrics", "latency_ms"), ("/metrics/errors", "reset")] {
        let mut less = result.clone();
        less.pointer_mut(path).unwrap().as_object_mut().unwrap().remove(key);
        assert!(!validator.is_valid(&less), "without {path}/{key}");
    }
}
