//! Echo, bulk and churn, loaded by `switchboard-load`.

use std::io;
use std::process::Command;

use serde_json::Value;

use crate::LOAD_CORE;
use crate::programs::{Kind, Programs, Role};
use crate::table::{Figure, Unit, Work};

pub fn works() -> Vec<Work> {
    let floor = vec![Kind::Switchboard, Kind::Epoll];
    let with_tokio = vec![Kind::Switchboard, Kind::Epoll, Kind::Tokio];
    vec![
        work("echo, 64 connections, 1 in flight", "<= 1.10", with_tokio.clone(), &["-c", "64"]),
        work("echo, 5000 connections", "<= 1.15", floor.clone(), &["-c", "5000", "--connect-rate", "20000"]),
        work("echo, 64 connections, 64 in flight", "<= 1.15", with_tokio.clone(), &["-c", "64", "-p", "64"]),
        work(
            "echo, 16 connections, 64 KiB",
            "<= 1.10, 0.50 of tokio",
            with_tokio,
            &["-c", "16", "-s", "64K"],
        ),
        work("connect, a line, close", "<= 1.12", floor, &["-c", "16", "--churn"]),
    ]
}

fn work(name: &str, bar: &str, programs: Vec<Kind>, arguments: &'static [&'static str]) -> Work {
    Work {
        name: name.to_owned(),
        bar: bar.to_owned(),
        unit: Unit::ServerNs,
        programs,
        measure: Box::new(move |programs, kind| measure(programs, kind, arguments)),
    }
}

fn measure(programs: &Programs, kind: Kind, arguments: &[&str]) -> io::Result<Figure> {
    let server = programs.start(kind, Role::Echo)?;
    let before = server.processor_ns()?;
    let output = Command::new("taskset")
        .args(["-c", LOAD_CORE, env!("CARGO_BIN_EXE_switchboard-load")])
        .args(arguments)
        .args(["-d", "2s", "--warmup", "0s", "--format", "json", &server.address.to_string()])
        .output()?;
    let ns = (server.processor_ns()? - before) as f64;
    let text = String::from_utf8(output.stdout).unwrap();
    let report: Value = serde_json::from_str(text.lines().last().unwrap_or_default())?;
    let metrics = &report["metrics"];
    let messages = metrics["messages"].as_f64().unwrap();
    Ok(Figure {
        main: ns / messages,
        per_second: metrics["messages_per_sec"].as_f64().unwrap(),
        all_arrived: metrics["wrong"]["lost_messages"] == 0 && messages > 0.0,
    })
}
