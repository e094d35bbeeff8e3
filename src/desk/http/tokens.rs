//! The two tokens of a web desk: 128 random bits each. One opens it, with the other one may only look. They are nowhere
//! but in this process, in what it has printed, and in the browser's tab.

use std::fmt;
use std::io;

use subtle::ConstantTimeEq;

const BYTES: usize = 16;

/// What the holder of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Look and act.
    Acts,
    /// Look.
    Looks,
}

/// Both of them, in hexadecimal.
pub struct Tokens {
    acts: String,
    looks: String,
}

impl Tokens {
    /// New ones.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> io::Result<Tokens> {
        Ok(Tokens { acts: random()?, looks: random()? })
    }

    /// The one of whoever may do this.
    pub fn of(&self, holder: Holder) -> &str {
        match holder {
            Holder::Acts => &self.acts,
            Holder::Looks => &self.looks,
        }
    }

    /// Whose token this is. It takes as long for one that is nearly right as for any other of its length.
    pub fn holder(&self, offered: &str) -> Option<Holder> {
        let is = |token: &str| bool::from(token.as_bytes().ct_eq(offered.as_bytes()));
        match (is(&self.acts), is(&self.looks)) {
            (true, _) => Some(Holder::Acts),
            (false, true) => Some(Holder::Looks),
            (false, false) => None,
        }
    }
}

/// They are in no log.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

fn random() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_another_and_says_what_its_holder_may_do() {
        let (one, other) = (Tokens::random().unwrap(), Tokens::random().unwrap());

        assert_eq!(one.holder(one.of(Holder::Acts)), Some(Holder::Acts));
        assert_eq!(one.holder(one.of(Holder::Looks)), Some(Holder::Looks));
        assert_eq!(one.of(Holder::Acts).len(), 32);
        for wrong in [
            "",
            "0",
            other.of(Holder::Acts),
            &one.of(Holder::Acts)[..31],
            &one.of(Holder::Acts).to_uppercase(),
        ] {
            // A token without a letter is the same in capitals.
            assert!(one.holder(wrong).is_none() || wrong == one.of(Holder::Acts), "{wrong}");
        }
        assert_eq!(format!("{one:?}"), "Tokens");
    }
}
