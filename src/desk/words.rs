//! Numbers in words.

use std::time::Duration;

/// `1 byte`, `2 bytes`.
pub fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `1.2 MB`: for people, so in powers of ten.
pub(super) fn size(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return plural(bytes as u64, "byte");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A limit in words, as exact as it was given: `500 ms`, `60 s`, `5 min`, `2 h`. One unit is left as it is up to
/// the double of the next: 60 s is what the manual says, not 1 min.
pub(super) fn limit(time: Duration) -> String {
    let (millis, seconds) = (time.as_millis(), time.as_secs());
    match seconds {
        _ if millis % 1000 != 0 => format!("{millis} ms"),
        7200.. if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        120.. if seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// How long something has lasted: `0.3 s`, `2 min 5 s`, `3 h 12 min`.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The same in few letters, for a table: `8s`, `5m`, `3h`, `2d`.
pub(super) fn brief(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
