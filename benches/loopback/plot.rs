//! The chats as a picture: a bar a program, its length the logarithm of what arrived.

use std::fmt::Write as _;
use std::fs;
use std::io;

/// Bars begin here, and grow by so many pixels for ten times as much.
const LEAST_PER_SECOND: f64 = 1e5;
const DECADE_PX: f64 = 202.0;

const BAR_PX: usize = 24;
const HEAD_PX: usize = 40;

/// A title, and the programs with what each delivered a second.
pub type Chart = (String, Vec<(String, f64)>);

/// Writes the charts, one below the other, as SVG.
pub fn write(path: &str, charts: &[Chart]) -> io::Result<()> {
    let height: usize = charts.iter().map(|(_, bars)| HEAD_PX + bars.len() * BAR_PX).sum::<usize>() + 20;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut top = 0;
    for (title, bars) in charts {
        let _ = writeln!(svg, "<text x=\"10\" y=\"{}\" font-weight=\"bold\">{title}</text>", top + 30);
        top += HEAD_PX;
        for (name, per_second) in bars {
            let width = (per_second / LEAST_PER_SECOND).log10().max(0.0) * DECADE_PX;
            let color = if name == "switchboard" { "#2563eb" } else { "#9ca3af" };
            let (text_y, after) = (top + 14, 156.0 + width);
            let _ = writeln!(
                svg,
                "<text x=\"142\" y=\"{text_y}\" text-anchor=\"end\">{name}</text><rect x=\"150\" y=\"{top}\" \
                 width=\"{width:.0}\" height=\"18\" fill=\"{color}\"/><text x=\"{after:.0}\" y=\"{text_y}\">{}/s</text>",
                crate::table::short(*per_second)
            );
            top += BAR_PX;
        }
    }
    svg.push_str("</svg>\n");
    fs::write(path, svg)
}
