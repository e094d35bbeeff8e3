//! A rule that was learnt, written down and read again.

use proptest::prelude::*;

use super::*;

/// Bytes such as a peer may say to forge a rule.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        "[\\t\\n\\r#=$\\\\{}x0a \u{0}\u{202e}\u{2066}\u{2028}\u{85}é你]*".prop_map(String::into_bytes),
    ]
}

fn of_file(text: &[u8]) -> Vec<(Pattern, Template)> {
    let rules = parse_rules(text).unwrap();
    rules.into_iter().map(|rule| (rule.pattern, (*rule.text).clone())).collect()
}

proptest! {
    #[test]
    fn whatever_was_said_and_answered_the_file_has_this_rule_more_and_no_other(
        message in bytes(),
        answer in bytes(),
        old in proptest::sample::select(vec!["", "# a\n^x$\ty${1}\n=a\tb\n", "=a\tb", "\r\n#"]),
    ) {
        let old = old.as_bytes();
        let rule = Spelt::learnt(&message, &answer);
        let line = rule.line();
        let end: &[u8] = if old.is_empty() || old.ends_with(b"\n") { b"" } else { b"\n" };

        let mut expected = of_file(old);
        let read = of_file(&[old, end, &line].concat());

        expected.push((Pattern::Exact(message.clone().into()), Template::of_bytes(&answer)));
        prop_assert_eq!(read, expected);
        let spelt = str::from_utf8(&line).unwrap();
        let is_seen = |char: char| char == '\t' || crate::terminal::is_visible(char);
        prop_assert!(spelt.strip_suffix('\n').unwrap().chars().all(is_seen));
        prop_assert_eq!(spelt.matches('\t').count(), 1);
    }

    #[test]
    fn a_rule_that_was_added_is_as_if_it_had_been_there_and_behind_all_others(
        message in bytes(),
        asked in bytes(),
    ) {
        let given = [
            Spelt::given("^[a-m]", Template::of_bytes(b"one")),
            Spelt::learnt(b"known", b"two"),
            Spelt::given("x", Template::of_bytes(b"three")),
        ];
        let learnt = Spelt::learnt(&message, b"four");
        let mut added = RuleSet::new(given.iter()).unwrap();
        added.add_exact(&message, Rc::clone(&learnt.text));
        let anew = RuleSet::new(given.iter().chain([&learnt])).unwrap();

        for asked in [&asked, &message] {
            let texts = |set: &RuleSet| set.find(asked).map(|rule| set.texts(rule)[0].spelt().to_vec());
            prop_assert_eq!(texts(&added), texts(&anew));
        }
        prop_assert!(added.find(&message).is_some());
    }
}
