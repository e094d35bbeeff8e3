//! What is served in HTTP: where, and how whoever starts the server gets there.

use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use switchboard::cli::{self, ServerArgs, check_reach};
use switchboard::desk::http::{Access, Holder, Hosts, Kind, Site, Tokens};
use switchboard::hub::{METRICS, Visitors, WEB};
use switchboard::internals::cannot;
use switchboard::process::control;
use switchboard::process::secret::SecretFile;
use switchboard::{Address, Endpoint, Reactor, Role};

/// The sites that are open.
#[derive(Default)]
pub struct Sites {
    sites: Vec<(Role, Site)>,
    bound: Vec<Address>,
    /// What is said of them.
    told: Vec<String>,
    /// Where the tokens are, where no person has seen them.
    file: Option<SecretFile>,
}

impl Sites {
    /// Opens what was asked for.
    pub fn open<M: Send + 'static>(args: &ServerArgs, reactor: &mut Reactor<M>) -> Result<Sites, String> {
        let mut sites = Sites::default();
        if let Some(place) = &args.web.web {
            sites.open_desk(args, place, reactor)?;
        }
        if let Some(place) = &args.web.metrics {
            let (bound, url) = sites.listen(METRICS, place, "serve metrics", reactor)?;
            if !bound.ip().is_loopback() {
                sites
                    .told
                    .push(format!("{bound} is open to the network: anybody may read the metrics there"));
            }
            sites.told.push(format!("metrics at {url}metrics"));
            reactor.board().time_turns();
            let hosts = Hosts::new(bound, place.is_tls(), &args.web.web_host);
            sites.sites.push((METRICS, Site::new(Kind::Metrics, hosts)));
        }
        Ok(sites)
    }

    fn open_desk<M: Send + 'static>(
        &mut self,
        args: &ServerArgs,
        place: &Endpoint,
        reactor: &mut Reactor<M>,
    ) -> Result<(), String> {
        let (bound, mut url) = self.listen(WEB, place, "serve the web desk", reactor)?;
        let scheme = if place.is_tls() { "https" } else { "http" };
        match args.web.web_host.first() {
            Some(host) if bound.ip().is_unspecified() => {
                url = format!("{scheme}://{}/", host.with_port(bound.port()))
            }
            None if bound.ip().is_unspecified() => {
                url = format!("{scheme}://localhost:{}/", bound.port());
                self.told.push(format!(
                    "the web desk at {bound} can be asked for by the names of loopback alone: --web-host adds one"
                ));
            }
            _ => {}
        }
        let tokens = Tokens::random().map_err(cannot("make a token"))?;
        let [acts, looks] =
            [Holder::Acts, Holder::Looks].map(|holder| format!("{url}#{}", tokens.of(holder)));
        if io::stderr().is_terminal() {
            self.told.push(format!("web desk at {acts}"));
            self.told.push(format!("only to look: {looks}"));
        } else {
            // What is no terminal may be a log, which others read.
            let file = keep(bound, &format!("{acts}\n{looks}\n"))?;
            self.told.push(format!("web desk at {url}, with its token in {}", file.path().display()));
            self.file = Some(file);
        }
        let hosts = Hosts::new(bound, place.is_tls(), &args.web.web_host);
        self.sites.push((WEB, Site::new(Kind::Desk(Access::new(tokens)), hosts)));
        Ok(())
    }

    fn listen<M: Send + 'static>(
        &mut self,
        role: Role,
        place: &Endpoint,
        what: &str,
        reactor: &mut Reactor<M>,
    ) -> Result<(SocketAddr, String), String> {
        let cannot_serve = || cannot(format!("{what} at {place}"));
        let found = place.resolve().map_err(cannot_serve())?;
        if role == WEB {
            // A name may lead anywhere.
            let reached = found[0].socket().map(|at| Endpoint::Host(at.ip().to_string(), at.port()));
            let reached = reached.map(|at| if place.is_tls() { at.over_tls() } else { at });
            reached.as_ref().map_or(Ok(()), check_reach)?;
        }
        let address = reactor.listen_as(role, &found[0]).map_err(cannot_serve())?;
        let bound =
            address.socket().ok_or_else(|| format!("cannot {what} at {place}: that is no address of TCP"))?;
        self.bound.push(address);
        let scheme = if place.is_tls() { "https" } else { "http" };
        Ok((bound, format!("{scheme}://{bound}/")))
    }

    /// Where they are.
    pub fn bound(&self) -> &[Address] {
        &self.bound
    }

    /// Says where they are.
    pub fn tell(&self) {
        self.told.iter().for_each(|line| cli::tell::<ServerArgs>(line));
    }

    /// Has them served. What is returned is to be kept for as long as they are.
    pub fn serve(self, args: &ServerArgs, visitors: &mut Visitors) -> Option<SecretFile> {
        visitors.web_is_full = args.web.web_full;
        self.sites.into_iter().for_each(|(role, site)| visitors.serve(role, site));
        self.file
    }
}

/// Puts the tokens where nobody else can read them.
fn keep(bound: SocketAddr, text: &str) -> Result<SecretFile, String> {
    let directory = control::directory(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
    // Two servers may have the same port, each at an address of its own.
    let at = match bound.ip() {
        IpAddr::V4(Ipv4Addr::LOCALHOST) => bound.port().to_string(),
        ip => format!("{}-{}", ip.to_string().replace(':', "."), bound.port()),
    };
    let path = directory.join(format!("switchboard-web-{at}"));
    let cannot_keep = || cannot(format!("keep the token of the web desk in {}", path.display()));
    control::check_directory(&path, true).map_err(cannot_keep())?;
    SecretFile::write(path.clone(), text).map_err(cannot_keep())
}
