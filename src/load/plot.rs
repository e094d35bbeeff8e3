//! Two panels as an SVG on white: latency by percentile, and throughput over time. An SVG of lines and
//! labels is little more than text, so it is written as such.

use std::fmt::Write;

use super::tally::{Latencies, SLICE, Slice, Tally};

const WIDTH: f64 = 820.0;
const PANEL_HEIGHT: f64 = 300.0;
pub(super) const LEFT: f64 = 80.0;
const RIGHT: f64 = 45.0;
const TOP: f64 = 92.0;
const BETWEEN: f64 = 90.0;

/// Colours that also the colour-blind tell apart (Okabe and Ito).
pub(super) const BLUE: &str = "#0072b2";
pub(super) const ORANGE: &str = "#d55e00";

/// The percentiles that are ticks: where they lie, in nines, and what they are called.
const TICKS: [(f64, &str); 7] =
    [(0.0, "0"), (1.0, "90"), (2.0, "99"), (3.0, "99.9"), (4.0, "99.99"), (5.0, "99.999"), (6.0, "99.9999")];

/// A place for points.
pub(super) struct Panel {
    pub(super) top: f64,
    pub(super) x_max: f64,
    pub(super) y_max: f64,
}

impl Panel {
    /// Of two below each other, the one of this place; what it shows goes from 0 to these.
    pub(super) fn new(place: usize, x_max: f64, y_max: f64) -> Panel {
        Panel { top: TOP + place as f64 * (PANEL_HEIGHT + BETWEEN), x_max, y_max }
    }
}

/// The plot of a result, under a title whose part behind the first `: ` is smaller. `open_loop`: response and service time are told apart.
pub fn svg(title: &str, tally: &Tally, slices: &[Slice], open_loop: bool) -> String {
    let mut out = begin(title);
    draw_latency(&mut out, tally, open_loop);
    draw_throughput(&mut out, slices);
    out += "</svg>\n";
    out
}

/// The beginning of a picture of two panels.
pub(super) fn begin(title: &str) -> String {
    let mut out = String::new();
    let height = TOP + 2.0 * PANEL_HEIGHT + BETWEEN + 60.0;
    line(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\">"
        ),
    );
    line(&mut out, format_args!("<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>"));
    let (who, how) = title.split_once(": ").unwrap_or((title, ""));
    label(&mut out, LEFT, 26.0, "start", &format!("font-size=\"15\" font-weight=\"bold\">{}", escaped(who)));
    label(&mut out, LEFT, 46.0, "start", &format!("fill=\"#333\">{}", escaped(how)));
    out
}

fn draw_latency(out: &mut String, tally: &Tally, open_loop: bool) {
    let mut series = vec![(if open_loop { "response time" } else { "latency" }, BLUE, &tally.latency)];
    if open_loop {
        series.push(("service time", ORANGE, &tally.service));
    }
    series.retain(|(.., latencies)| latencies.count() > 0);
    let most = series.iter().map(|(.., latencies)| latencies.count()).max().unwrap_or(0);
    // Beyond one in all there is nothing to see.
    let x_max = (most as f64).max(10.0).log10().ceil().min(6.0);
    let y_top = series.iter().map(|(.., latencies)| latencies.max_ms()).fold(0.0, f64::max);
    let panel = Panel { top: TOP, x_max, y_max: nice_above(y_top) };
    label(out, LEFT, TOP - 16.0, "start", "fill=\"#333\">Latency by percentile (ms)");
    panel.draw_grid(out);
    for (nines, name) in TICKS.iter().filter(|(nines, _)| *nines <= x_max) {
        panel.draw_x_tick(out, *nines, &format!("{name} %"));
    }
    for (at, (name, colour, latencies)) in series.iter().enumerate() {
        // Where both times are the same, the second one is drawn over the first: dashed, so that both show.
        let dashes = if at == 0 { "" } else { " stroke-dasharray=\"7 7\"" };
        panel.draw_line(out, colour, dashes, &points_by_percentile(latencies, x_max));
        let y = TOP + 20.0 + 20.0 * at as f64;
        label(out, LEFT + 16.0, y, "start", &format!("fill=\"{colour}\" font-weight=\"bold\">{name}"));
    }
    if series.is_empty() {
        label(out, WIDTH / 2.0, TOP + PANEL_HEIGHT / 2.0, "middle", "fill=\"#777\">nothing was measured");
    }
}

fn draw_throughput(out: &mut String, slices: &[Slice]) {
    let top = TOP + PANEL_HEIGHT + BETWEEN;
    let per_second = 1.0 / SLICE.as_secs_f64();
    let measured = slices.iter().filter(|slice| slice.measured.is_some());
    let points: Vec<(f64, f64)> = measured
        .map(|slice| (slice.measured.unwrap_or_default().as_secs_f64(), slice.messages as f64 * per_second))
        .collect();
    let x_max = points.last().map_or(1.0, |(x, _)| *x).max(1.0);
    let y_top = points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    let panel = Panel { top, x_max, y_max: nice_above(y_top) };
    label(out, LEFT, top - 16.0, "start", "fill=\"#333\">Throughput over time (messages/s)");
    panel.draw_grid(out);
    let step = nice_above(x_max / 10.0);
    let mut tick = 0.0;
    while tick <= x_max {
        panel.draw_x_tick(out, tick, &format!("{} s", trimmed(tick)));
        tick += step;
    }
    panel.draw_line(out, BLUE, "", &points);
}

/// Latency against nines: 99 % lies at 2, so each further nine has the same width.
fn points_by_percentile(latencies: &Latencies, x_max: f64) -> Vec<(f64, f64)> {
    const STEPS: u32 = 400;
    let nines = |step: u32| x_max * f64::from(step) / f64::from(STEPS);
    (0..=STEPS)
        .map(|step| (nines(step), latencies.percentile_ms(100.0 * (1.0 - 10f64.powf(-nines(step))))))
        .collect()
}

impl Panel {
    pub(super) fn x(&self, x: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * x / self.x_max
    }

    pub(super) fn y(&self, y: f64) -> f64 {
        self.top + PANEL_HEIGHT * (1.0 - y / self.y_max)
    }

    fn draw_grid(&self, out: &mut String) {
        for fifth in 0..=5 {
            let value = self.y_max * f64::from(fifth) / 5.0;
            self.draw_y_tick(out, value, &short(value));
        }
    }

    pub(super) fn draw_y_tick(&self, out: &mut String, at: f64, name: &str) {
        let (y, right) = (self.y(at), WIDTH - RIGHT);
        line(out, format_args!("<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>"));
        label(out, LEFT - 8.0, y + 4.0, "end", &format!("fill=\"#555\">{name}"));
    }

    pub(super) fn draw_x_tick(&self, out: &mut String, at: f64, name: &str) {
        let (x, bottom) = (self.x(at), self.top + PANEL_HEIGHT);
        line(out, format_args!("<path d=\"M{x:.1} {bottom}v5\" stroke=\"#999\"/>"));
        label(out, x, bottom + 20.0, "middle", &format!("fill=\"#555\">{name}"));
    }

    pub(super) fn draw_line(&self, out: &mut String, colour: &str, dashes: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        for (at, (x, y)) in points.iter().enumerate() {
            let command = if at == 0 { 'M' } else { 'L' };
            // Writing to a String cannot fail.
            let _ = write!(path, "{command}{:.1} {:.1}", self.x(*x), self.y(*y));
        }
        line(
            out,
            format_args!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>"),
        );
    }
}

pub(super) fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

/// A text; `rest` is its further attributes, a `>`, and what it says.
pub(super) fn label(out: &mut String, x: f64, y: f64, anchor: &str, rest: &str) {
    line(out, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {rest}</text>"));
}

/// The next round number that is no less.
pub(super) fn nice_above(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .map(|times| times * power)
        .into_iter()
        .find(|nice| *nice >= value)
        .unwrap_or(value)
}

pub(super) fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", trimmed(value / 1e6)),
        value if value >= 1e4 => format!("{}k", trimmed(value / 1e3)),
        value => trimmed(value),
    }
}

/// Up to three decimals, without zeros behind.
pub(super) fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
