//! The page of the desk, as it stands in the sources: one document, a style sheet and scripts, built into the program.

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Asked for by browsers of themselves. The name of its language is no address that anything is loaded from.
const ICON: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><circle cx='4' cy='4' r='4' fill='#05b'/></svg>";

/// Path, media type, content.
type File = (&'static str, &'static str, &'static str);

macro_rules! script {
    ($name:literal) => {
        (concat!("/", $name), SCRIPT, include_str!(concat!("../web/", $name)))
    };
}

const FILES: &[File] = &[
    ("/", HTML, include_str!("../web/index.html")),
    ("/favicon.ico", "image/svg+xml", ICON),
    ("/style.css", STYLE, include_str!("../web/style.css")),
    script!("announcer.js"),
    script!("composer.js"),
    script!("conversations.js"),
    script!("desks.js"),
    script!("dialogs.js"),
    script!("dom.js"),
    script!("events.js"),
    script!("format.js"),
    script!("keys.js"),
    script!("link.js"),
    script!("main.js"),
    script!("model.js"),
    script!("ring.js"),
    script!("settings.js"),
    script!("thread.js"),
    script!("windowed.js"),
];

/// Media type and content of what is at this path.
pub fn file(path: &str) -> Option<(&'static str, &'static [u8])> {
    let found = FILES.iter().find(|(at, ..)| *at == path);
    found.map(|(_, kind, content)| (*kind, content.as_bytes()))
}
