//! What was measured, as medians and ratios.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::time::Instant;

use crate::plot::Chart;
use crate::programs::{Kind, Programs, Role};

/// One run of one program.
pub type Measure = Box<dyn Fn(&Programs, Kind) -> io::Result<Figure>>;

/// Something to be measured.
pub struct Work {
    pub name: String,
    /// What is asked of the ratio.
    pub bar: String,
    pub unit: Unit,
    pub programs: Vec<Kind>,
    pub measure: Measure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Processor time of the server for each message: less is better.
    ServerNs,
    /// Messages that arrived each second: more is better.
    Deliveries,
}

/// What one run of one program gave.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// In the work's unit.
    pub main: f64,
    pub per_second: f64,
    pub all_arrived: bool,
}

struct Row {
    name: String,
    bar: String,
    unit: Unit,
    /// In the order of the work's list.
    runs: Vec<(Kind, Vec<Figure>)>,
}

/// All rows.
pub struct Table {
    rounds: usize,
    rows: Vec<Row>,
}

impl Table {
    pub fn new(rounds: usize) -> Table {
        Table { rounds, rows: Vec::new() }
    }

    pub fn note(&mut self, work: &Work, kind: Kind, figure: Figure) {
        let is_new = self.rows.last().is_none_or(|row| row.name != work.name);
        if is_new {
            let (name, bar) = (work.name.clone(), work.bar.clone());
            self.rows.push(Row { name, bar, unit: work.unit, runs: Vec::new() });
        }
        let Some(row) = self.rows.last_mut() else { return };
        match row.runs.iter_mut().find(|(of, _)| *of == kind) {
            Some((_, figures)) => figures.push(figure),
            None => row.runs.push((kind, vec![figure])),
        }
    }

    /// What the chats in which all talk delivered, for a picture.
    pub fn charts(&self) -> Vec<Chart> {
        let rows = self.rows.iter().filter(|row| row.name.ends_with("all talking"));
        rows.map(|row| {
            let bars = row.runs.iter().map(|(kind, figures)| {
                let per_second = median(figures.iter().map(|figure| figure.per_second));
                (format!("{kind:?}").to_lowercase(), per_second)
            });
            (format!("{}: deliveries a second (log scale)", row.name), bars.collect())
        })
        .collect()
    }

    /// Prints everything as Markdown.
    pub fn print(&self, programs: &Programs, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "Medians of {} rounds. A ratio is switchboard's figure over the other's.\n",
            self.rounds
        )?;
        writeln!(out, "| work | program | figure | messages/s | ratio | asked |")?;
        writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
        for row in &self.rows {
            let main = |figures: &[Figure]| median(figures.iter().map(|figure| figure.main));
            let ours = row.runs.iter().find(|(kind, _)| *kind == Kind::Switchboard);
            let ours = ours.map_or(f64::NAN, |(_, figures)| main(figures));
            for (at, (kind, figures)) in row.runs.iter().enumerate() {
                let name = if at == 0 { &row.name } else { "" };
                let figure = match row.unit {
                    Unit::ServerNs => format!("{:.0} ns of the server", main(figures)),
                    Unit::Deliveries => format!("{}/s", short(main(figures))),
                };
                let rate = short(median(figures.iter().map(|figure| figure.per_second)));
                let is_ours = *kind == Kind::Switchboard;
                let ratio = if is_ours { String::new() } else { format!("{:.2}", ours / main(figures)) };
                let bar = if at == 0 { &row.bar } else { "" };
                let lost = figures.iter().any(|figure| !figure.all_arrived);
                let lost = if lost { " (some was lost)" } else { "" };
                let kind = format!("{kind:?}").to_lowercase();
                writeln!(out, "| {name} | {kind} | {figure}{lost} | {rate} | {ratio} | {bar} |")?;
            }
        }
        stated(programs, out)
    }
}

/// What is only stated: how soon it listens, how big it is.
fn stated(programs: &Programs, out: &mut impl Write) -> io::Result<()> {
    let mut starts = Vec::new();
    let mut resident = 0;
    for _ in 0..11 {
        let began = Instant::now();
        let server = programs.start(Kind::Switchboard, Role::Show)?;
        starts.push(began.elapsed().as_secs_f64() * 1e3);
        resident = server.resident_bytes()?;
    }
    let binary = fs::metadata(env!("CARGO_BIN_EXE_switchboard"))?.len();
    writeln!(out)?;
    writeln!(
        out,
        "From start to listening at most {:.0} ms (looked at every 5 ms), the binary has {:.2} MB, resident \
         memory without a connection is {:.1} MB.",
        median(starts.into_iter()),
        binary as f64 / 1e6,
        resident as f64 / 1e6
    )?;
    let models = fs::read_to_string("/proc/cpuinfo")?;
    let models = models.lines().filter_map(|line| line.strip_prefix("model name\t: "));
    let machine: BTreeMap<&str, usize> = models.fold(BTreeMap::new(), |mut cores, model| {
        *cores.entry(model).or_default() += 1;
        cores
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    for (model, cores) in machine {
        writeln!(out, "Machine: {cores} cores of {model}, Linux {}.", kernel.trim())?;
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A number as people read it.
pub fn short(number: f64) -> String {
    match number {
        1e6.. => format!("{:.2}M", number / 1e6),
        1e4.. => format!("{:.0}k", number / 1e3),
        _ => format!("{number:.0}"),
    }
}
