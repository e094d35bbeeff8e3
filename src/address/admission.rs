//! Which addresses may come in: nets, as typed and as listed in files.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::parse_net;

/// Which addresses may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// These alone; where there is no such list, whoever is not denied. An empty list shuts everybody out.
    pub allow: Option<Vec<IpNet>>,
    /// None of these, whatever is allowed.
    pub deny: Vec<IpNet>,
}

/// Nets as they are typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nets {
    /// One.
    Net(IpNet),
    /// Those that a file lists.
    File(PathBuf),
}

impl Admission {
    /// Whether somebody from this address may come in. An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) is the IPv4
    /// address.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_in = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&address));
        !is_in(&self.deny) && self.allow.as_deref().is_none_or(is_in)
    }
}

impl Nets {
    /// Reads an address, a net, or `@FILE`.
    ///
    /// # Errors
    /// What it is not.
    pub fn parse(text: &str) -> Result<Nets, String> {
        match text.strip_prefix('@') {
            Some("") => Err("the name of a file is missing behind the @".into()),
            Some(path) => Ok(Nets::File(path.into())),
            None => parse_net(text).map(Nets::Net),
        }
    }
}

/// Reads a list of nets: one a line, `#` and what follows it left out.
///
/// # Errors
/// Which line is none, and why.
pub(crate) fn parse_list(text: &str) -> Result<Vec<IpNet>, String> {
    let lines =
        text.lines().enumerate().map(|(at, line)| (at + 1, line.split('#').next().unwrap_or_default()));
    let nets = lines.filter(|(_, line)| !line.trim().is_empty()).map(|(number, line)| {
        parse_net(line.trim()).map_err(|why| format!("line {number}: {:?} is {why}", line.trim()))
    });
    nets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allow: Option<&str>, deny: &str, address: &str) -> bool {
        let nets = |text: &str| parse_list(text).unwrap();
        Admission { allow: allow.map(nets), deny: nets(deny) }.admits(address.parse().unwrap())
    }

    #[test]
    fn a_list_has_a_net_a_line_and_names_the_line_that_is_none() {
        let nets = parse_list("# the lab\n10.0.0.0/8\n\n192.0.2.7 # one of them\n  fe80::/10\r\n").unwrap();
        assert_eq!(nets.len(), 3);
        let why = parse_list("10.0.0.0/8\n10.0.0.0/33\n").unwrap_err();
        assert_eq!(why, "line 2: \"10.0.0.0/33\" is not an address or CIDR such as 10.0.0.0/8");
    }

    #[test]
    fn what_is_denied_stays_out_and_an_empty_list_of_the_allowed_shuts_everybody_out() {
        assert!(admits(None, "", "192.0.2.1"));
        assert!(admits(Some("192.0.2.0/24"), "", "192.0.2.1"));
        assert!(!admits(Some("192.0.2.0/24"), "192.0.2.1", "192.0.2.1"));
        assert!(!admits(Some("192.0.2.0/24"), "", "198.51.100.1"));
        assert!(!admits(Some(""), "", "192.0.2.1"));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_the_ipv4_address() {
        assert!(admits(Some("10.0.0.0/8"), "", "::ffff:10.1.2.3"));
        assert!(!admits(None, "::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(!admits(Some("::/0"), "", "::ffff:10.1.2.3"));
    }
}
