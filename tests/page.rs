//! The page of the web desk, as it stands in the sources: small, and nothing in it that runs what a peer said or asks
//! anybody else. What it does is tried in a browser, by `tests/web/`.

use std::fs;

/// Name and text of each file.
fn files() -> Vec<(String, String)> {
    let entries = fs::read_dir("src/desk/web").expect("the page is there");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.expect("an entry");
        let text = fs::read_to_string(entry.path()).expect("a text");
        (entry.file_name().into_string().expect("a name"), text)
    };
    let mut files: Vec<_> = entries.map(read).collect();
    files.sort();
    files
}

/// The names of files that stand between quotes behind `before`.
fn named<'t>(text: &'t str, before: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

#[test]
fn the_page_is_under_100_kb_and_no_file_is_long() {
    let files = files();

    let total: usize = files.iter().map(|(_, text)| text.len()).sum();
    let long: Vec<_> =
        files.iter().filter(|(_, text)| text.lines().count() > 400).map(|(name, _)| name).collect();

    assert!(total < 100_000, "{total} bytes");
    assert!(long.is_empty(), "over 400 lines: {long:?}");
}

#[test]
fn every_script_says_what_it_is_for() {
    for (name, text) in files().iter().filter(|(name, _)| name.ends_with(".js")) {
        assert!(text.starts_with("//! "), "{name} does not begin with //!");
    }
}

#[test]
fn nothing_in_the_page_makes_elements_of_a_text_or_asks_anybody_else() {
    let forbidden = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "setHTML",
        "document.write",
        "DOMParser",
        "eval(",
        "Function(",
        "createContextualFragment",
        "http://",
        "https://",
        "fetch(",
        "XMLHttpRequest",
        "sendBeacon",
        " style=\"",
        "<style",
        "onclick=",
        "@import",
        "url(",
        ".cssText",
    ];
    for (name, text) in files() {
        for word in forbidden {
            assert!(!text.contains(word), "{name} has {word}");
        }
    }
}

#[test]
fn every_file_is_named_by_another_and_every_name_has_its_file() {
    let files = files();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();

    let mut used = vec!["index.html"];
    for (_, text) in &files {
        used.extend(named(text, " from \"./"));
        used.extend(named(text, "<script type=\"module\" src=\""));
        used.extend(named(text, "<link rel=\"stylesheet\" href=\""));
    }
    used.sort_unstable();
    used.dedup();

    assert_eq!(used, names);
    let built_in = fs::read_to_string("src/desk/http/page.rs").expect("the list of what is served");
    for name in names {
        assert!(built_in.contains(&format!("{name}\")")), "{name} is not served");
    }
}
