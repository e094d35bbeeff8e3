//! The curve of a search: latency over rate, all of it and near the knee. Both axes of the first panel, and the
//! latencies of the second, are logarithms: what is low and what is high are far apart.

use super::super::plot::{
    BLUE, LEFT, ORANGE, Panel, begin, escaped, label, line, nice_above, short, trimmed,
};
use super::super::threshold::Bound;
use super::Length;
use super::judge::Step;
use super::run::Found;

/// A third colour that goes with the other two (Okabe and Ito), for a second condition; more take turns.
const COLOURS: [&str; 3] = [BLUE, "#009e73", "#cc79a7"];
const GREY: &str = "#777";

/// The second panel goes so far below and above what was found, as factors.
const NEAR_BELOW: f64 = 0.7;
const NEAR_ABOVE: f64 = 1.3;

/// No latency is drawn below this many milliseconds.
const LEAST_MS: f64 = 0.001;

/// What one panel shows of the rates.
struct View {
    panel: Panel,
    from: f64,
    /// Whether rates are drawn as logarithms.
    is_log: bool,
    /// The lowest latency, in milliseconds.
    bottom: f64,
}

/// The curve, under a title.
pub fn svg(title: &str, bounds: &[Bound], found: &Found) -> String {
    let steps = found.search.steps();
    let mut out = begin(title);
    let rates = || steps.iter().map(|step| step.rate);
    if let (Some(least), Some(most)) = (rates().min_by(f64::total_cmp), rates().max_by(f64::total_cmp)) {
        let (from, to) = (least / 1.2, most * 1.2);
        draw(&mut out, &View::new(0, (from, to), true, steps, bounds), bounds, found, "all steps");
        let knee = found.search.found().unwrap_or(most);
        let near = (knee * NEAR_BELOW, knee * NEAR_ABOVE);
        draw(&mut out, &View::new(1, near, false, steps, bounds), bounds, found, "near the knee");
    } else {
        label(&mut out, LEFT, 92.0, "start", "fill=\"#777\">no step was made");
    }
    out += "</svg>\n";
    out
}

fn draw(out: &mut String, view: &View, bounds: &[Bound], found: &Found, which: &str) {
    let top = view.panel.top;
    let heading = format!("fill=\"#333\">Latency (ms) over rate (messages/s), {which}");
    label(out, LEFT, top - 16.0, "start", &heading);
    view.draw_axes(out);
    let steps = found.search.steps();
    view.draw_curve(out, GREY, " stroke-dasharray=\"3 4\"", steps, |step| step.p50_ms);
    for (at, bound) in bounds.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        view.draw_bound(out, colour, bound);
        view.draw_curve(out, colour, "", steps, |step| step.values_ms[at]);
        for step in steps {
            view.draw_step(out, colour, step, step.values_ms[at]);
        }
    }
    if let Some(rate) = found.search.found() {
        view.draw_knee(out, rate);
    }
    let names = bounds.iter().map(Bound::name).collect::<Vec<_>>().join(", ");
    let legend = format!(
        "fill=\"#333\">{}: <tspan fill=\"{BLUE}\">●</tspan> held, <tspan fill=\"{ORANGE}\">✕</tspan> did not; \
         dotted: p50",
        escaped(&names)
    );
    label(out, LEFT + 12.0, top + 18.0, "start", &legend);
}

impl View {
    fn new(place: usize, (from, to): (f64, f64), is_log: bool, steps: &[Step], bounds: &[Bound]) -> View {
        let seen = steps.iter().filter(|step| (from..=to).contains(&step.rate));
        let values = seen.flat_map(|step| step.values_ms.iter().copied().chain([step.p50_ms]));
        let values = values.chain(bounds.iter().map(Bound::limit_ms)).filter(|value| *value > 0.0);
        let (mut least, mut most) = (f64::MAX, LEAST_MS);
        for value in values {
            (least, most) = (least.min(value), most.max(value));
        }
        let bottom = 10f64.powf(least.clamp(LEAST_MS, most).log10().floor());
        // Something is left above the highest point for the words.
        let y_max = (most * 3.0 / bottom).log10();
        let x_max = if is_log { (to / from).log10() } else { to - from };
        View { panel: Panel::new(place, x_max, y_max), from, is_log, bottom }
    }

    fn place(&self, rate: f64, ms: f64) -> (f64, f64) {
        let x = if self.is_log { (rate / self.from).log10() } else { rate - self.from };
        (x, (ms.max(self.bottom) / self.bottom).log10())
    }

    fn shows(&self, rate: f64) -> bool {
        (0.0..=self.panel.x_max).contains(&self.place(rate, 1.0).0)
    }

    fn draw_axes(&self, out: &mut String) {
        let mut value = self.bottom;
        while self.place(1.0, value).1 <= self.panel.y_max {
            self.panel.draw_y_tick(out, self.place(1.0, value).1, &short(value));
            value *= 10.0;
        }
        if self.is_log {
            // Between powers of ten there is room where there are few of them.
            let between: &[f64] = if self.panel.x_max < 4.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            let mut power = 10f64.powf(self.from.log10().floor());
            while power <= self.from * 10f64.powf(self.panel.x_max) {
                for rate in between.iter().map(|times| times * power).filter(|rate| self.shows(*rate)) {
                    self.panel.draw_x_tick(out, self.place(rate, 1.0).0, &short(rate));
                }
                power *= 10.0;
            }
        } else {
            let step = nice_above(self.panel.x_max / 8.0);
            let mut rate = (self.from / step).ceil() * step;
            while self.shows(rate) {
                self.panel.draw_x_tick(out, self.place(rate, 1.0).0, &short(rate));
                rate += step;
            }
        }
    }

    /// Through the middle of what the steps at each rate have shown.
    fn draw_curve(
        &self,
        out: &mut String,
        colour: &str,
        dashes: &str,
        steps: &[Step],
        value: impl Fn(&Step) -> f64,
    ) {
        let mut rates: Vec<f64> =
            steps.iter().map(|step| step.rate).filter(|rate| self.shows(*rate)).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let points = rates.into_iter().filter_map(|rate| {
            let at = || steps.iter().filter(move |step| step.rate == rate);
            let has_full = at().any(|step| step.length != Length::Short);
            let shown = at().filter(|step| !has_full || step.length != Length::Short);
            let mut values: Vec<f64> = shown.map(&value).collect();
            values.sort_by(f64::total_cmp);
            let middle = *values.get(values.len() / 2)?;
            Some(self.place(rate, middle))
        });
        self.panel.draw_line(out, colour, dashes, &points.collect::<Vec<_>>());
    }

    fn draw_step(&self, out: &mut String, colour: &str, step: &Step, ms: f64) {
        if !self.shows(step.rate) {
            return;
        }
        let (x, y) = self.place(step.rate, ms);
        let (x, y) = (self.panel.x(x), self.panel.y(y));
        let radius = if step.length != Length::Short { 5.0 } else { 3.0 };
        if step.held() {
            line(
                out,
                format_args!(
                    "<circle class=\"held\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\"/>"
                ),
            );
        } else {
            let (left, top, across) = (x - radius, y - radius, 2.0 * radius);
            line(
                out,
                format_args!(
                    "<path class=\"failed\" d=\"M{left:.1} {top:.1}l{across} {across}m0 -{across}l-{across} {across}\" \
                     stroke=\"{ORANGE}\" stroke-width=\"2.5\"/>"
                ),
            );
        }
    }

    fn draw_bound(&self, out: &mut String, colour: &str, bound: &Bound) {
        let (_, y) = self.place(1.0, bound.limit_ms());
        let ends = [(0.0, y), (self.panel.x_max, y)];
        self.panel.draw_line(out, colour, " stroke-dasharray=\"8 5\" opacity=\"0.6\"", &ends);
        let words = format!("fill=\"{colour}\">{}", escaped(bound.text()));
        label(out, LEFT + 12.0, self.panel.y(y) - 5.0, "start", &words);
    }

    fn draw_knee(&self, out: &mut String, rate: f64) {
        let (x, _) = self.place(rate, 1.0);
        self.panel.draw_line(out, "#333", " stroke-dasharray=\"2 3\"", &[(x, 0.0), (x, self.panel.y_max)]);
        let words = format!("class=\"knee\" font-weight=\"bold\" fill=\"#333\">{}/s", trimmed(rate));
        // On the side that has room for it.
        let (shift, anchor) = if x > self.panel.x_max * 0.7 { (-6.0, "end") } else { (6.0, "start") };
        label(out, self.panel.x(x) + shift, self.panel.top + 36.0, anchor, &words);
    }
}
