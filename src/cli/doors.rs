//! Who may come in, and by which door, as flags.

use clap::Args;

use crate::address::Nets;
use crate::limits::Limits;

/// Who may come in.
#[derive(Debug, Args)]
pub struct DoorArgs {
    /// Let in only these addresses; @FILE has one a line, and is read again on SIGUSR1
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',', value_parser = Nets::parse)]
    pub allow: Vec<Nets>,

    /// Let in none of these addresses; wins over --allow
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',', value_parser = Nets::parse)]
    pub deny: Vec<Nets>,

    /// The permissions of a Unix socket that is made here: whoever may write to it may connect; 0000 to 0777
    #[arg(long, value_name = "MODE", default_value = "0600", value_parser = mode)]
    unix_mode: u32,
}

impl DoorArgs {
    /// Puts what was asked for among the limits.
    pub fn limit(&self, limits: &mut Limits) {
        limits.unix_mode = self.unix_mode;
    }
}

/// Permissions as chmod takes them in digits. What is above them (setuid and the like) means nothing for a socket.
fn mode(text: &str) -> Result<u32, String> {
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mode = is_octal.then(|| u32::from_str_radix(text, 8).ok()).flatten();
    mode.filter(|mode| *mode <= 0o777)
        .ok_or_else(|| "not permissions in octal such as 0660; up to 0777".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_three_octal_digits_perhaps_behind_a_zero() {
        assert_eq!((mode("0660"), mode("600"), mode("0000")), (Ok(0o660), Ok(0o600), Ok(0)));
        for wrong in ["", "66", "0888", "1777", "00660", "+660", "0o660", "rw-rw----"] {
            assert!(mode(wrong).is_err(), "{wrong:?}");
        }
    }
}
