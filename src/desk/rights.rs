//! What may be done at which kind of desk. Asked in one place, before a command is carried out.

use super::command::{Command, Every, Fault, Whose};

/// What whoever is at a desk may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything: stdin, the control socket.
    Full,
    /// The web with `--web-full`: everything but what leads to the files of this machine.
    WebFull,
    /// The web: what is about those who are here, and nothing that goes on without it or reaches further.
    Web,
    /// Only looking.
    Looks,
}

impl Rights {
    /// Whether a command may be carried out.
    pub fn allow(self, command: &Command<'_>) -> bool {
        let reaches_files = |address: &str| address.starts_with("unix:");
        match (self, command) {
            // What anybody may do: look, and say who it is.
            (
                _,
                Command::Who(_)
                | Command::Pending
                | Command::Show(..)
                | Command::Stats
                | Command::Help(_)
                | Command::Filter(_)
                | Command::View(..)
                | Command::Desk(_)
                | Command::NotYet(_),
            )
            | (Rights::Full, _) => true,
            (Rights::WebFull | Rights::Web, Command::File(..)) => false,
            (Rights::WebFull, Command::Dial(address, _)) => !reaches_files(address),
            (Rights::WebFull, _) => true,
            (
                Rights::Web,
                Command::Dial(..)
                | Command::Link(..)
                | Command::Fault(Whose::Newcomers, Fault::Add(_) | Fault::Off)
                | Command::Every(Every::Begin(..) | Every::Off(_))
                | Command::Learn
                | Command::Quit,
            ) => false,
            (Rights::Web, _) => true,
            (Rights::Looks, _) => false,
        }
    }

    /// Whether something may be sent from there.
    pub fn may_send(self) -> bool {
        self != Rights::Looks
    }

    /// For programs.
    pub fn word(self) -> &'static str {
        match self {
            Rights::Full => "all",
            Rights::WebFull => "web-full",
            Rights::Web => "web",
            Rights::Looks => "look",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::json;

    /// Which of the four may do it.
    fn who_may(line: &str) -> String {
        let request = json::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        let all = [Rights::Full, Rights::WebFull, Rights::Web, Rights::Looks];
        let may = all.into_iter().filter(|rights| rights.allow(&request.command));
        may.map(Rights::word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_command_is_allowed_to_whom_the_table_says() {
        for (line, may) in [
            (r#"{"cmd":"who"}"#, "all web-full web look"),
            (r#"{"cmd":"pending"}"#, "all web-full web look"),
            (r#"{"cmd":"show","id":1}"#, "all web-full web look"),
            (r#"{"cmd":"stats"}"#, "all web-full web look"),
            (r#"{"cmd":"help"}"#, "all web-full web look"),
            (r#"{"cmd":"desk","name":"ann"}"#, "all web-full web look"),
            (r#"{"cmd":"send","to":1,"text":"x"}"#, "all web-full web"),
            (r#"{"cmd":"close","to":1}"#, "all web-full web"),
            (r#"{"cmd":"name","id":1,"name":"x"}"#, "all web-full web"),
            (r#"{"cmd":"done","id":1}"#, "all web-full web"),
            (r#"{"cmd":"next"}"#, "all web-full web"),
            (r#"{"cmd":"typing","to":1}"#, "all web-full web"),
            (r#"{"cmd":"unlink","id":1}"#, "all web-full web"),
            (r#"{"cmd":"fault","to":1,"spec":"stall"}"#, "all web-full web"),
            (r#"{"cmd":"fault","to":"new"}"#, "all web-full web"),
            (r#"{"cmd":"fault","to":"new","spec":"stall"}"#, "all web-full"),
            (r#"{"cmd":"fault","to":"new","spec":"off"}"#, "all web-full"),
            (r#"{"cmd":"dial","addr":"localhost:1"}"#, "all web-full"),
            (r#"{"cmd":"dial","addr":"unix:/run/docker.sock"}"#, "all"),
            (r#"{"cmd":"link","ids":[1,2]}"#, "all web-full"),
            (r#"{"cmd":"every"}"#, "all web-full web"),
            (r#"{"cmd":"every","every":"1s","to":1,"text":"x"}"#, "all web-full"),
            (r#"{"cmd":"every","off":"all"}"#, "all web-full"),
            (r#"{"cmd":"learn"}"#, "all web-full"),
            (r#"{"cmd":"quit"}"#, "all web-full"),
        ] {
            assert_eq!(who_may(line), may, "{line}");
        }
    }

    #[test]
    fn docs_web_and_docs_scripting_say_the_same_of_whoever_only_looks() {
        for (page, docs) in [
            ("web", include_str!("../../docs/web.md")),
            ("scripting", include_str!("../../docs/scripting.md")),
        ] {
            let row = docs.lines().find(|line| line.contains("| `look` |")).expect("a row");
            let may = "| `look` | `who`, `pending`, `show`, `stats`, `help`, `desk`";
            assert!(row.contains(may), "docs/{page}.md: {row}");
        }
    }
}
