//! What there is to type, in one table: the parser looks names up here, `/help` and the errors show it.

/// One line of help.
#[derive(Debug, PartialEq, Eq)]
pub struct Help {
    /// The command's name, or what stands for it.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it does.
    pub what: &'static str,
}

const fn entry(name: &'static str, usage: &'static str, what: &'static str) -> Help {
    Help { name, usage, what }
}

/// All there is to type.
pub const HELP: &[Help] = &[
    entry("text", "text", "send text to the current target: whoever spoke last, unless one was chosen"),
    entry("@", "@3 text  @3,7 text", "send text once to #3, to #3 and #7"),
    entry("@name", "@lab-a text  @lab-* text", "send text to whoever has this name, to all whose name fits"),
    entry("@all", "@all text", "send text to everybody"),
    entry("@last", "@last text", "send text to whoever spoke last"),
    entry(
        "target",
        "@3  @lab-a  @last",
        "make it the current target; go back to following whoever spoke last",
    ),
    entry("//", "//text  @@text", "send a text that begins with / or @"),
    entry("/who", "/who [GLOB]", "list the connections, or those whose name fits"),
    entry("/pending", "/pending", "list who waits for an answer, longest first, and how it begins"),
    entry("/next", "/next", "make whoever waits longest the current target, and show what it asked"),
    entry("/done", "/done [3]", "strike #3, or the current target, off the list of those who wait"),
    entry("/show", "/show 3 [N]  /show all", "show the last messages of #3; all: end /mute and /focus"),
    entry("/name", "/name 3 [lab-a]", "give #3 a name; take it away"),
    entry("/eof", "/eof 3", "finish sending to #3 (FIN after what is queued); it is still heard"),
    entry("/kick", "/kick 3 [reason]", "close #3 politely; a reason is sent to it as its last line"),
    entry("/rst", "/rst 3", "reset #3; what is queued for it is lost"),
    entry("/hex", "/hex [@3] 0d 0a ff", "send these bytes; blanks, colons and 0x may stand between them"),
    entry("/send", "/send [@3] a\\r\\n\\0", "send this text exactly, no ending; \\r \\n \\t \\0 \\\\ \\xNN"),
    entry("/file", "/file [@3] PATH", "send what this file has in it"),
    entry("/dial", "/dial ADDRESS [NAME]", "connect out: a new connection, like any other"),
    entry("/link", "/link 3 4", "pass what #3 says on to #4, and back; the end of one ends the other"),
    entry("/unlink", "/unlink 3", "stop passing bytes between #3 and whom it is linked to"),
    entry("/mute", "/mute 3", "hide what #3 says; /show all undoes it"),
    entry("/focus", "/focus 3,7", "show only what #3 and #7 say; /show all undoes it"),
    entry("/view", "/view [3] text|hex", "show messages as text, or as bytes"),
    entry("/every", "/every 5s LINE  /every  /every off 2|all", "repeat LINE, which sends; list; stop"),
    entry(
        "/fault",
        "/fault 3|new [SPEC|off]",
        "break #3, or newcomers, on purpose; end that; show it. SPEC: in: (what it sends) or out: in front of \
         latency=200ms,50ms bandwidth=10K slicer=1,5ms limit_data=1000,rst blackhole=5s stall corrupt=0.001; \
         reset_peer=5s slow_close=2s no_close for=30s; new: down toxicity=0.1 seed=7",
    ),
    entry(
        "/learn",
        "/learn",
        "answer from now on as I just did: the same message gets the same answer (--reply-file keeps it)",
    ),
    entry("/stats", "/stats", "show the counters"),
    entry("/help", "/help [command]", "explain the commands, or one"),
    entry(
        "/quit",
        "/quit  exit",
        "send what is queued, close everything, end; exit at an attached desk leaves that alone",
    ),
];

/// What the keys do where lines are edited here, for whoever asks what there is to type.
pub const KEYS: &[Help] = &[
    entry("Tab", "Tab", "complete a command, a number, a name, a path"),
    entry("Up", "Up  Down  Ctrl-R", "go through what was typed before; search it"),
    entry("Ctrl-C", "Ctrl-C", "clear the line; twice on an empty one: exit"),
    entry("Ctrl-L", "Ctrl-L  Ctrl-Z", "draw anew; suspend"),
];

/// The help on a command, named with or without its slash.
pub fn help(name: &str) -> Option<&'static Help> {
    let name = if name == "exit" { "/quit" } else { name };
    HELP.iter().find(|help| help.name == name || help.name.strip_prefix('/') == Some(name))
}
