//! The flags of TLS.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::address::Endpoint;
use crate::reactor::tls::setup::{
    Accepting, Dialling, Fingerprint, Own, Pair, Settings, Trust, check_built, check_name,
};

use super::some_duration;

/// Those of a server.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS")]
pub struct ServerTlsArgs {
    /// Speak TLS with this certificate (PEM; those between it and an authority behind it): at the addresses with tls: in
    /// front, or where there are none at all of TCP; read again on SIGUSR1
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's key (PEM, without a passphrase); read again on SIGUSR1
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// The same with a certificate that is made at the start; peers know it by the fingerprint that is printed
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    pub tls_self_signed: bool,

    /// Let in only whoever shows a certificate of these authorities, or one that stands in the file itself (PEM); read
    /// again on SIGUSR1
    #[arg(long, value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,

    /// How long a handshake may take, once somebody is there; 1ms to 8760h
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = some_duration)]
    pub tls_handshake: Duration,

    /// Speak TLS with whatever is dialled (--dial, --tap, /dial), also without tls: in front of it
    #[arg(long)]
    pub tls: bool,

    /// See `TrustArgs`.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Those of a program that dials one address.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "TLS")]
pub struct DialTlsArgs {
    /// Speak TLS, as with tls: in front of the address; each of the others implies it
    #[arg(long)]
    pub tls: bool,

    /// Show this certificate to a server that demands one (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's key (PEM, without a passphrase)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// See `TrustArgs`.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Whom to believe that is dialled.
#[derive(Clone, Debug, Args)]
pub struct TrustArgs {
    /// Believe who is dialled by these authorities, not by the system's, or by its own certificate, if that stands in
    /// the file itself (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// Believe who has the certificate with this fingerprint, with or without colons, whatever its name and authority
    #[arg(long, value_name = "SHA256", value_parser = Fingerprint::parse, conflicts_with = "tls_ca")]
    pub tls_fingerprint: Option<Fingerprint>,

    /// The name that its certificate has to have [default: the host of the address]
    #[arg(long, value_name = "NAME", value_parser = check_name)]
    pub tls_name: Option<String>,

    /// Believe anybody: whoever is in between can read and change everything
    #[arg(long, conflicts_with_all = ["tls_ca", "tls_fingerprint"])]
    pub tls_insecure: bool,
}

impl TrustArgs {
    fn is_given(&self) -> bool {
        let TrustArgs { tls_ca, tls_fingerprint, tls_name, tls_insecure } = self;
        tls_ca.is_some() || tls_fingerprint.is_some() || tls_name.is_some() || *tls_insecure
    }

    /// Whether the system's authorities are what is believed.
    pub fn is_of_system(&self) -> bool {
        self.tls_ca.is_none() && self.tls_fingerprint.is_none() && !self.tls_insecure
    }

    fn dialling(&self, own: Option<Pair>) -> Dialling {
        let trust = match (&self.tls_ca, &self.tls_fingerprint) {
            _ if self.tls_insecure => Trust::Anybody,
            (_, Some(fingerprint)) => Trust::Fingerprint(fingerprint.clone()),
            (Some(path), None) => Trust::Listed(path.clone()),
            (None, None) => Trust::System,
        };
        Dialling { trust, name: self.tls_name.clone(), own }
    }
}

impl DialTlsArgs {
    /// Whether it goes together with this address.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self, address: &Endpoint) -> Result<(), String> {
        let is_asked_for = self.is_asked_for();
        if is_asked_for && matches!(address, Endpoint::Unix(_)) {
            return Err(format!("a Unix socket speaks no TLS: {address}"));
        }
        if is_asked_for || address.is_tls() { check_built() } else { Ok(()) }
    }

    /// The address, for TLS if that is asked for.
    pub fn place(&self, address: &Endpoint) -> Endpoint {
        let address = address.clone();
        if self.is_asked_for() { address.over_tls() } else { address }
    }

    /// What is asked for.
    pub fn settings(&self) -> Settings {
        Settings { accepting: None, dialling: self.trust.dialling(pair(&self.tls_cert, &self.tls_key)) }
    }

    fn is_asked_for(&self) -> bool {
        self.tls || self.tls_cert.is_some() || self.trust.is_given()
    }
}

impl ServerTlsArgs {
    /// Whether it goes together with where to listen, and with whom to dial.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(
        &self,
        addresses: &[Endpoint],
        mut dialled: impl Iterator<Item = Endpoint>,
    ) -> Result<(), String> {
        if let Some(place) = addresses.iter().find(|place| place.is_tls() && !self.has_certificate()) {
            check_built()?;
            return Err(format!(
                "{place} takes a certificate: --tls-cert FILE with --tls-key FILE, or --tls-self-signed"
            ));
        }
        if self.tls_client_ca.is_some() && !self.has_certificate() {
            return Err(
                "--tls-client-ca takes a certificate of our own: --tls-cert FILE with --tls-key FILE, or \
                 --tls-self-signed"
                    .into(),
            );
        }
        let is_plain = |place: &Endpoint| matches!(place, Endpoint::Unix(_));
        if (self.tls_self_signed || self.tls_client_ca.is_some()) && addresses.iter().all(is_plain) {
            return Err("a Unix socket speaks no TLS, and there is no other address to listen at".into());
        }
        let is_asked_for = self.has_certificate() || self.tls || self.trust.is_given();
        let is_dialled = dialled.any(|place| place.is_tls());
        if is_asked_for || is_dialled { check_built() } else { Ok(()) }
    }

    /// What may not be what was meant, in a line: flags that are about `tls:` addresses where there are none.
    pub fn doubt(&self, addresses: &[Endpoint], dialled: &[Endpoint]) -> Option<String> {
        if self.tls && !self.has_certificate() && dialled.is_empty() {
            let place = addresses.first()?;
            let how = "--tls-self-signed or --tls-cert";
            return Some(format!("--tls is about what is dialled: {place} speaks no TLS ({how})"));
        }
        let plain = dialled.iter().find(|place| !place.is_tls() && !matches!(place, Endpoint::Unix(_)))?;
        let is_meant = self.trust.is_given() && !self.tls && !dialled.iter().any(Endpoint::is_tls);
        is_meant.then(|| format!("{plain} is dialled without TLS: write tls: in front of it"))
    }

    /// Where to listen for peers: with a certificate all addresses of TCP speak TLS, unless it is said of some that they
    /// do, among all that are listened at.
    pub fn places(&self, addresses: &[Endpoint], listened: &[Endpoint]) -> Vec<Endpoint> {
        let all = self.has_certificate() && !listened.iter().any(Endpoint::is_tls);
        let place = |place: &Endpoint| if all { place.clone().over_tls() } else { place.clone() };
        addresses.iter().map(place).collect()
    }

    /// Whom to dial, for TLS if that is asked for.
    pub fn dialled(&self, address: &Endpoint) -> Endpoint {
        let address = address.clone();
        if self.tls { address.over_tls() } else { address }
    }

    /// What is asked for, where it is listened at these addresses, and by these names.
    pub fn settings(&self, addresses: &[Endpoint], names: impl Iterator<Item = String>) -> Settings {
        let pair = pair(&self.tls_cert, &self.tls_key);
        let own = match &pair {
            Some(pair) => Some(Own::Files(pair.clone())),
            None => self.tls_self_signed.then(|| Own::SelfSigned(hosts(addresses, names))),
        };
        let accepting = own.map(|own| Accepting { own, client_ca: self.tls_client_ca.clone() });
        // Who asks for a certificate of one that dials is shown the one there is.
        Settings { accepting, dialling: self.trust.dialling(pair) }
    }

    /// Whether there is a certificate to speak TLS with.
    pub fn has_certificate(&self) -> bool {
        self.tls_self_signed || self.tls_cert.is_some()
    }
}

fn pair(certificates: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<Pair> {
    let both = certificates.clone().zip(key.clone());
    both.map(|(certificates, key)| Pair { certificates, key })
}

/// What a certificate that is made has to be good for: this machine, by the names it is reached by.
fn hosts(addresses: &[Endpoint], names: impl Iterator<Item = String>) -> Vec<String> {
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let system = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let typed = addresses.iter().filter_map(Endpoint::host).map(str::to_owned);
    for host in std::iter::once(system).chain(typed).chain(names) {
        let is_any = matches!(host.as_str(), "0.0.0.0" | "::");
        if !is_any && check_name(&host).is_ok() && !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use clap::Parser;

    use super::super::{ClientArgs, ServerArgs};

    fn places(arguments: &[&str]) -> Result<Vec<String>, String> {
        let args = ServerArgs::try_parse_from([&["switchboard"], arguments].concat());
        let args = args.map_err(|error| error.to_string())?;
        args.check()?;
        Ok(args.tls.places(&args.addresses, &args.listened()).iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_certificate_is_for_all_addresses_of_tcp_or_for_those_that_say_so() {
        for (arguments, expected) in [
            (&["80", "unix:/a"][..], &["127.0.0.1:80", "unix:/a"][..]),
            (
                &["--tls-self-signed", "80", "a.org:81", "unix:/a"],
                &["tls:127.0.0.1:80", "tls:a.org:81", "unix:/a"],
            ),
            (&["--tls-cert=c", "--tls-key=k", "80", "tls:81"], &["127.0.0.1:80", "tls:127.0.0.1:81"]),
            (&["--tls-insecure", "--dial", "tls:90", "80"], &["127.0.0.1:80"]),
        ] {
            assert_eq!(
                places(arguments).as_deref(),
                Ok(&expected.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()[..]),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn what_does_not_go_together_is_wrong_usage() {
        for (arguments, told) in [
            (&["tls:80"][..], "tls:127.0.0.1:80 takes a certificate: --tls-cert FILE"),
            (&["--tls-cert=c"], "--tls-key"),
            (&["--tls-key=k"], "--tls-cert"),
            (&["--tls-cert=c", "--tls-key=k", "--tls-self-signed"], "cannot be used with"),
            (&["--tls-client-ca=c"], "--tls-client-ca takes a certificate of our own"),
            (&["--tls-self-signed", "unix:/a"], "a Unix socket speaks no TLS"),
            (&["--tls-insecure", "--tls-ca=c"], "cannot be used with"),
            (&["--tls-fingerprint", "ab:cd"], "64 hexadecimal digits"),
            (&["--tls-name", "a b"], "not a name such as"),
            (&["--tls-handshake", "0s"], "has to be from 1ms to 8760h"),
        ] {
            let wrong = places(arguments).expect_err("refused");
            assert!(wrong.contains(told), "{arguments:?}: {wrong}");
        }
    }

    #[test]
    fn each_flag_of_tls_implies_it_where_one_address_is_dialled() {
        let digits = "0".repeat(64);
        let parsed =
            |arguments: &[&str]| ClientArgs::try_parse_from([&["client"], arguments].concat()).unwrap();
        for flags in [
            &["--tls"][..],
            &["--tls-ca=a"],
            &["--tls-fingerprint", &digits],
            &["--tls-name=a.org"],
            &["--tls-insecure"],
            &["--tls-cert=c", "--tls-key=k"],
        ] {
            assert_eq!(parsed(flags).place().to_string(), "tls:127.0.0.1:5000", "{flags:?}");
            let wrong = parsed(&[flags, &["unix:/a"]].concat()).check().expect_err("no TLS there");
            assert!(wrong.contains("a Unix socket speaks no TLS"), "{wrong}");
        }
        assert_eq!(parsed(&[]).place().to_string(), "127.0.0.1:5000");
    }
}
