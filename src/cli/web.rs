//! The flags of what is served in HTTP.

use clap::Args;

use crate::address::Endpoint;
use crate::desk::http::WebHost;

/// What is served in HTTP, and by which names.
#[derive(Debug, Args)]
#[command(next_help_heading = "Web")]
pub struct WebArgs {
    /// Serve the desk as a web page, too; off loopback only with tls: in front [default: 127.0.0.1:0]
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "127.0.0.1:0",
        value_parser = over_tcp
    )]
    pub web: Option<Endpoint>,

    /// Let the page, or the metrics, be asked for by this name, too, such as a proxy's; repeatable
    #[arg(long, value_name = "HOST[:PORT]", value_parser = WebHost::parse)]
    pub web_host: Vec<WebHost>,

    /// Let whoever has the page's token do what reaches further, too: dial, link, break newcomers, repeat, learn, quit
    #[arg(long, requires = "web")]
    pub web_full: bool,

    /// Serve /metrics, for Prometheus, and /healthz at this address, to anybody who can reach it
    #[arg(long, value_name = "ADDRESS", value_parser = over_tcp)]
    pub metrics: Option<Endpoint>,
}

impl WebArgs {
    /// Where it is to be listened.
    pub fn places(&self) -> impl Iterator<Item = &Endpoint> {
        self.web.iter().chain(&self.metrics)
    }

    /// Whether what was given goes together.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&self) -> Result<(), String> {
        if !self.web_host.is_empty() && self.places().next().is_none() {
            return Err("--web-host names what --web and --metrics serve, and neither is given".into());
        }
        self.web.as_ref().map_or(Ok(()), check_reach)
    }
}

/// Whether a page may be served there: off loopback the token would be read by whoever is in between.
///
/// # Errors
/// That it may not, where that can be told before a name is looked up.
pub fn check_reach(place: &Endpoint) -> Result<(), String> {
    let is_far =
        place.literal().and_then(|address| address.socket()).is_some_and(|at| !at.ip().is_loopback());
    if is_far && !place.is_tls() {
        return Err(format!(
            "cannot serve the web desk at {place}: off loopback it takes TLS: --web=tls:{place} with a certificate"
        ));
    }
    Ok(())
}

fn over_tcp(text: &str) -> Result<Endpoint, String> {
    match Endpoint::parse(text)? {
        Endpoint::Unix(_) => Err("a browser comes over TCP: write host:port, :port or port".into()),
        place => Ok(place),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::ServerArgs;

    fn check(arguments: &[&str]) -> Result<Option<String>, String> {
        let args = ServerArgs::try_parse_from([&["switchboard"], arguments].concat());
        let args = args.map_err(|error| error.to_string())?;
        args.check().map(|()| args.web.web.map(|place| place.to_string()))
    }

    #[test]
    fn a_page_is_served_on_loopback_or_over_tls() {
        for (arguments, place) in [
            (&["--web"][..], "127.0.0.1:0"),
            (&["--web=8080"], "127.0.0.1:8080"),
            (&["--web=[::1]:80", "--web-host=a.org"], "[::1]:80"),
            (&["--web=localhost:80"], "localhost:80"),
        ] {
            assert_eq!(check(arguments), Ok(Some(place.to_owned())), "{arguments:?}");
        }
        for (arguments, told) in [
            (&["--web=0.0.0.0:80"][..], "off loopback it takes TLS: --web=tls:0.0.0.0:80"),
            (&["--web=192.0.2.1:80"], "off loopback it takes TLS"),
            (&["--web=[::]:80"], "off loopback it takes TLS"),
            (&["--web=unix:/a"], "a browser comes over TCP"),
            (&["--web-full"], "--web"),
            (&["--web-host=a.org"], "neither is given"),
            (&["--web", "--web-host=a/b"], "not a host such as"),
            (&["--metrics=unix:/a"], "a browser comes over TCP"),
        ] {
            let wrong = check(arguments).expect_err("refused");
            assert!(wrong.contains(told), "{arguments:?}: {wrong}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn where_the_page_alone_speaks_tls_the_peers_do_not() {
        let wrong = check(&["--web=tls:8443"]).expect_err("refused");
        assert!(wrong.contains("takes a certificate"), "{wrong}");

        let args = ["switchboard", "--tls-self-signed", "--web=tls:8443", "5001"];
        let args = ServerArgs::try_parse_from(args).unwrap();
        assert_eq!(args.check(), Ok(()));
        let places = args.tls.places(&args.addresses, &args.listened());
        let places: Vec<_> = places.iter().map(ToString::to_string).collect();
        assert_eq!(places, ["127.0.0.1:5001"]);
    }
}
