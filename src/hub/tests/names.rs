//! Hazard 42: whatever a peer or an operator calls somebody, nobody speaks in another's name. One thing happens at a
//! time, so whoever did it is known, and each line that others get has to say so.

use proptest::prelude::*;

use super::*;
use crate::desk::folded;
use crate::modes::Chat;

const PEERS: usize = 4;

/// What somebody does.
#[derive(Clone, Debug)]
enum Deed {
    /// A peer takes a name for itself.
    Nick(usize, String),
    /// A peer says something.
    Says(usize, String),
    /// A peer leaves, and another one comes.
    Leaves(usize),
    /// The operator gives a name, or takes it away.
    Name(usize, Option<String>),
    /// The operator speaks to all, or to one by its name.
    Speaks(String),
    SpeaksTo(String),
}

/// Names, words that are none, and what may be taken for another's.
fn names() -> impl Strategy<Value = String> {
    const ODD: &[&str] = &[
        "operator",
        "Operator",
        "OPERATOR",
        "оperator",
        "operatoｒ",
        "all",
        "ALL",
        "last",
        "me",
        "new",
        "off",
        "oﬀ",
        "laſt",
        "#1",
        "#2",
        "ann#2",
        "ann>",
        "ann> <#2",
        "<#2>",
        "#2> hi",
        "lab",
        "LAB",
        "Lab",
        "lаb",
        "lab.2",
        "k",
        "K",
        "\u{212a}",
        "ss",
        "ß",
        "ẞ",
        "SS",
        "i",
        "I",
        "ı",
        "İ",
        "σας",
        "ΣΑΣ",
        "שלום",
        "א1",
        "x٣",
        "٣x",
        "3",
        "2",
        "-",
        "a\u{200b}",
        "a\u{202e}b",
        "a\u{301}",
        "\u{3164}",
        "a\u{a0}b",
        "joined",
        "left",
        "is",
        "now",
        "you",
        "private",
        "a\u{1b}[2J",
        "a\tb",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    prop_oneof![
        3 => proptest::sample::select(ODD).prop_map(str::to_owned),
        1 => "[a-cA-C]{1,2}",
        1 => "\\PC{1,12}",
        1 => "[\\p{L}0-9._-]{1,6}",
    ]
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let peer = || 0..PEERS;
    let text = prop_oneof![
        Just("hi"),
        Just("> <#1> hi"),
        Just("<operator> hi"),
        Just("* #1 left"),
        Just("\r<#1> hi"),
        Just("\u{202e}<#1>")
    ];
    let deed = prop_oneof![
        4 => (peer(), names()).prop_map(|(peer, name)| Deed::Nick(peer, name)),
        3 => (peer(), text.clone()).prop_map(|(peer, text)| Deed::Says(peer, text.to_owned())),
        1 => peer().prop_map(Deed::Leaves),
        2 => (peer(), proptest::option::weighted(0.8, names())).prop_map(|(peer, name)| Deed::Name(peer, name)),
        1 => text.prop_map(|text| Deed::Speaks(text.to_owned())),
        2 => names().prop_map(Deed::SpeaksTo),
    ];
    proptest::collection::vec(deed, 1..40)
}

/// Who did something, as whoever reads a line has to take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
    Peer(u64),
    Operator,
}

/// Whom a reader takes for the speaker: what stands between the first `<` and the next `>`, by its number; or whom
/// an announcement is about.
fn speaker(line: &str) -> Option<Actor> {
    let numbered = |label: &str| {
        let (name, serial) = label.split_once('#')?;
        assert!(name.is_empty() || crate::desk::check_name(name).is_ok(), "{label:?} has a name in front");
        serial.parse().ok().map(Actor::Peer)
    };
    match line.strip_prefix('<') {
        Some(rest) => match rest.split_once("> ")?.0 {
            "operator" => Some(Actor::Operator),
            label => numbered(label),
        },
        None => numbered(line.strip_prefix("* ")?.split(' ').next()?),
    }
}

/// A chat, and what has to be known of it.
struct World {
    rig: Rig<Chat>,
    here: Vec<u64>,
    read: BTreeMap<u64, usize>,
    /// Names that an operator has given at some time, folded.
    ever_given: Vec<String>,
    /// Those that are in force.
    given: BTreeMap<String, u64>,
}

impl World {
    fn new() -> World {
        let options = DeskOptions { voice: Voice::Participant, tracks_pending: false, ..DeskOptions::PIPE };
        let spelling = Spelling::Text(Format::Human);
        let mut rig = Rig::new(Chat::new(false, 0), spelling, options, Limits::default());
        let here = (0..PEERS).map(|_| rig.connect()).collect();
        let mut world =
            World { rig, here, read: BTreeMap::new(), ever_given: Vec::new(), given: BTreeMap::new() };
        world.new_lines();
        world
    }

    /// What each has got since the last look.
    fn new_lines(&mut self) -> Vec<(u64, String)> {
        self.rig.settle();
        let mut lines = Vec::new();
        for serial in &self.here {
            let got = self.rig.got(*serial);
            let read = self.read.insert(*serial, got.len()).unwrap_or_default();
            let text = String::from_utf8_lossy(&got[read..]).into_owned();
            lines.extend(text.lines().map(|line| (*serial, line.to_owned())));
        }
        lines
    }

    fn happens(&mut self, deed: &Deed) {
        self.rig.shown();
        let actor = match deed {
            Deed::Nick(peer, name) => {
                self.rig.says(self.here[*peer], format!("/nick {name}\n").as_bytes());
                Actor::Peer(self.here[*peer])
            }
            Deed::Says(peer, text) => {
                self.rig.says(self.here[*peer], format!("{text}\n").as_bytes());
                Actor::Peer(self.here[*peer])
            }
            Deed::Leaves(peer) => {
                let serial = self.here.remove(*peer);
                self.rig.resets(serial);
                self.rig.settle();
                self.given.retain(|_, holder| *holder != serial);
                Actor::Peer(serial)
            }
            Deed::Name(peer, name) => return self.name(self.here[*peer], name.as_deref()),
            Deed::Speaks(text) => {
                self.rig.type_line(format!("@all {text}"));
                Actor::Operator
            }
            Deed::SpeaksTo(name) => return self.speak_to(name),
        };
        for (hearer, line) in self.new_lines() {
            // What it is told itself is no line of the chat's.
            if actor != Actor::Peer(hearer) {
                assert_eq!(speaker(&line), Some(actor), "{line:?} came of {deed:?}");
            }
        }
        for line in self.rig.shown().events {
            self.check_shown(&line, actor);
        }
        if matches!(deed, Deed::Leaves(_)) {
            let serial = self.rig.connect();
            self.here.push(serial);
            let stranger = Actor::Peer(serial);
            for (hearer, line) in self.new_lines() {
                assert!(hearer == serial || speaker(&line) == Some(stranger), "{line:?} came of a newcomer");
            }
        }
    }

    /// On the operator's own screen it is the number that comes first.
    fn check_shown(&self, line: &str, actor: Actor) {
        let Actor::Peer(serial) = actor else { return };
        let number = format!("#{serial}");
        let rest = line.strip_prefix("* ").unwrap_or(line).strip_prefix(&number);
        assert!(rest.is_some_and(|rest| rest.starts_with([' ', '>'])), "{line:?} is {number}'s");
    }

    fn name(&mut self, serial: u64, name: Option<&str>) {
        let line = format!("/name {serial} {}", name.unwrap_or_default());
        let (reply, _) = self.rig.reply_to(line);
        self.new_lines();
        if !reply.starts_with("-> ") {
            return;
        }
        self.given.retain(|_, holder| *holder != serial);
        // It is the first word that was read.
        if let Some(name) = name.and_then(|name| name.split_ascii_whitespace().next()) {
            self.ever_given.push(folded(name));
            let before = self.given.insert(folded(name), serial);
            assert_eq!(before, None, "{name:?} was another's");
        }
    }

    /// A name reaches whom the operator has given it, and nobody else.
    fn speak_to(&mut self, name: &str) {
        let meant = self.given.get(&folded(name)).copied();
        if crate::desk::check_name(name).is_err() {
            return;
        }
        self.rig.type_line(format!("@{name} probe"));
        let got = self.new_lines();
        let expected: Vec<(u64, String)> =
            meant.into_iter().map(|serial| (serial, "<operator> (private) probe".to_owned())).collect();
        assert_eq!(got, expected, "@{name}");
        self.rig.shown();
    }

    fn check_names(&mut self) {
        let names = &self.rig.hub.desks.names;
        let mut all: Vec<String> = Vec::new();
        for serial in &self.here {
            let Some(name) = names.of(*serial) else { continue };
            let is_given = self.given.get(&folded(name)) == Some(serial);
            assert!(is_given || !self.ever_given.contains(&folded(name)), "#{serial} has taken {name:?}");
            assert!(folded(name) != "operator");
            all.push(folded(name));
        }
        all.sort_unstable();
        assert!(all.is_sorted_by(|one, next| one < next), "two have one name: {all:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn h42_no_name_makes_a_line_that_another_connection_could_have_made(deeds in deeds()) {
        let mut world = World::new();
        for deed in &deeds {
            world.happens(deed);
            world.check_names();
        }
    }
}

#[test]
fn h42_who_takes_the_name_of_one_who_has_gone_is_not_reached_by_it() {
    let mut world = World::new();
    let (named, stranger) = (world.here[0], world.here[1]);
    world.happens(&Deed::Name(0, Some("lab".to_owned())));
    world.rig.reply_to("@lab");
    world.happens(&Deed::Leaves(0));

    world.rig.says(stranger, b"/nick LAB\n");
    world.rig.settle();
    let (to_name, to_target) = (world.rig.reply_to("@lab secret").0, world.rig.reply_to("secret").0);

    assert_eq!(speaker(&format!("* #{named} left")), Some(Actor::Peer(named)));
    for reply in [to_name, to_target] {
        assert!(reply.starts_with("unknown target @lab: "), "{reply}");
    }
    let got = String::from_utf8(world.rig.got(stranger)).unwrap();
    assert!(got.ends_with("* the name LAB is not yours to take or to leave\n"), "{got}");
}
