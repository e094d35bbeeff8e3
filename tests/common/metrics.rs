//! A page of metrics as Prometheus' own parser reads it: that of its Python client.

// Each test file uses what it needs.
#![allow(dead_code)]
// It is all test code, but clippy knows only functions marked so.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::common::{Program, has_python_module};

/// Prints a line for each sample: the type of its metric, the help, its name, its labels, its value.
const IN_PYTHON: &str = "
import json, sys
from prometheus_client.parser import text_string_to_metric_families
for metric in text_string_to_metric_families(sys.stdin.buffer.read().decode()):
    for sample in metric.samples:
        print(json.dumps([metric.type, metric.documentation, sample.name, sample.labels, sample.value]))
";

/// Whether the parser is here; see `has_tool`.
#[track_caller]
pub fn has_parser() -> bool {
    has_python_module("prometheus_client")
}

/// One number of the page.
#[derive(Debug)]
pub struct Sample {
    pub kind: String,
    pub help: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// Everything on a page.
#[derive(Debug)]
pub struct Metrics(pub Vec<Sample>);

impl Metrics {
    /// Reads a page; every line of it has to be read.
    #[track_caller]
    pub fn parse(page: &[u8]) -> Metrics {
        let mut command = Command::new("python3");
        command.args(["-c", IN_PYTHON]);
        let mut python = Program::start(command);
        // It reads all before it writes anything.
        python.write_stdin(page);
        python.close_stdin();
        let lines = String::from_utf8(python.out.to_end()).unwrap();
        let page = String::from_utf8_lossy(page);
        let why = String::from_utf8(python.err.to_end()).unwrap();
        assert!(python.exit_status().success(), "the parser refuses\n{page}\n{why}");
        let samples: Vec<Sample> = lines.lines().map(sample).collect();
        let told = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
        assert_eq!(samples.len(), told, "in\n{page}");
        Metrics(samples)
    }

    /// The samples of this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }

    /// The only one of this name.
    #[track_caller]
    pub fn only<'a>(&'a self, name: &'a str) -> &'a Sample {
        let samples: Vec<&Sample> = self.named(name).collect();
        let [only] = samples[..] else { panic!("{} samples of {name}: {self:?}", samples.len()) };
        only
    }

    /// Its value.
    #[track_caller]
    pub fn value(&self, name: &str) -> f64 {
        self.only(name).value
    }

    /// The value of each sample of this name, by one of its labels.
    pub fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        self.named(name).map(|sample| (sample.labels[label].clone(), sample.value)).collect()
    }
}

fn sample(line: &str) -> Sample {
    let (kind, help, name, labels, value): (String, String, String, BTreeMap<String, String>, Value) =
        serde_json::from_str(line).unwrap();
    Sample { kind, help, name, labels, value: value.as_f64().unwrap() }
}
