//! Where the server listens: at the addresses it was given, or on the sockets that were handed over to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use switchboard::cli::{self, DEFAULT_ADDRESS, ServerArgs};
use switchboard::desk::text::plural;
use switchboard::hub::{DESK, Doors, Own};
use switchboard::internals::cannot;
use switchboard::process::control;
use switchboard::process::manager::{Manager, Progress};
use switchboard::{Address, Endpoint, Reactor, Role};

use super::sites::Sites;

/// Where to listen.
pub enum Ways<'a> {
    /// At these, each with the addresses that were found for it.
    Given(Vec<(&'a Endpoint, Vec<Address>)>),
    /// On these.
    HandedOver {
        sockets: Vec<OwnedFd>,
        /// With TLS, where they are of TCP.
        over_tls: bool,
    },
}

impl<'a> Ways<'a> {
    /// Looks up what has to be looked up. Where sockets were handed over, nothing else is bound, and said so.
    pub fn find(given: &'a [Endpoint], handed: Vec<OwnedFd>, over_tls: bool) -> Result<Ways<'a>, String> {
        if handed.is_empty() {
            let found = given.iter().map(|place| Ok((place, place.resolve().map_err(cannot_listen(place))?)));
            return found.collect::<Result<_, String>>().map(Ways::Given);
        }
        let default = Endpoint::parse(DEFAULT_ADDRESS).map(Endpoint::over_tls);
        let is_default = |place: &Endpoint| default.as_ref() == Ok(&place.clone().over_tls());
        for place in given.iter().filter(|place| !is_default(place)) {
            let (sockets, were) = (handed.len() as u64, if handed.len() == 1 { "was" } else { "were" });
            let sockets = plural(sockets, "socket");
            cli::tell::<ServerArgs>(&format!("{sockets} {were} handed over, so {place} is not bound"));
        }
        Ok(Ways::HandedOver { sockets: handed, over_tls })
    }

    /// Listens, and returns where.
    pub fn open<M: Send + 'static>(self, reactor: &mut Reactor<M>) -> Result<Own, String> {
        match self {
            Ways::Given(found) => {
                let bind = |(place, found): (&Endpoint, Vec<Address>)| {
                    reactor.listen(&found[0]).map_err(cannot_listen(place))
                };
                found.into_iter().map(bind).collect::<Result<_, String>>().map(Own::of)
            }
            Ways::HandedOver { sockets, over_tls } => {
                let (mut bound, mut beside) = (Vec::new(), Vec::new());
                for socket in sockets {
                    let what = "listen on a socket that was handed over";
                    let handed =
                        reactor.listen_on_socket(Role::PEER, socket, over_tls).map_err(cannot(what))?;
                    if let Some(address) = handed.address.socket().filter(|_| handed.takes_ipv4) {
                        // A link to there would lead back here all the same.
                        beside.push(Address::Tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()))));
                    }
                    bound.push(handed.address);
                }
                Ok(Own::of(bound).and(beside))
            }
        }
    }
}

fn cannot_listen(place: &Endpoint) -> impl Fn(std::io::Error) -> String {
    cannot(format!("listen on {place}"))
}

/// Lets desks attach at a control socket, if that is asked for. Returns where it is.
fn open_desk<M: Send + 'static>(
    args: &ServerArgs,
    reactor: &mut Reactor<M>,
) -> Result<Option<PathBuf>, String> {
    let Some(asked) = &args.desk else { return Ok(None) };
    let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let path = asked.clone().unwrap_or_else(|| control::default_path(runtime_dir));
    let cannot_open = || cannot(format!("open a desk at {}", path.display()));
    if asked.is_none() {
        control::check_directory(&path, true).map_err(cannot_open())?;
    }
    reactor.listen_for_owner(DESK, &path).map_err(cannot_open())?;
    Ok(Some(path))
}

/// Where it listens: nobody is let in before the loop runs.
pub struct Open {
    /// All of it.
    pub own: Own,
    /// The control socket.
    desk: Option<PathBuf>,
    sites: Sites,
}

impl Open {
    /// Opens what was asked for: for peers, for desks, and for those who come with HTTP.
    pub fn all<M: Send + 'static>(
        args: &ServerArgs,
        ways: Ways<'_>,
        reactor: &mut Reactor<M>,
    ) -> Result<Open, String> {
        let own = ways.open(reactor)?;
        let desk = open_desk(args, reactor)?;
        let sites = Sites::open(args, reactor)?;
        let own = own.and_beside(desk.clone().map(Address::Unix)).and_beside(sites.bound().iter().cloned());
        Ok(Open { own, desk, sites })
    }

    /// Says where it listens, and which of that anybody on the network may connect to, where nobody has said who may.
    pub fn announce(self, doors: Doors) -> House {
        let Open { own, desk, sites } = self;
        if let Some(path) = desk {
            cli::tell::<ServerArgs>(&format!("desks may attach at {}", path.display()));
        }
        sites.tell();
        for address in own.bound().iter().filter(|_| !doors.are_listed()) {
            if let Address::Tcp(tcp) = address
                && !tcp.ip().to_canonical().is_loopback()
            {
                let open = format!("{address} is open to the network: --allow names who may connect");
                cli::tell::<ServerArgs>(&open);
            }
        }
        for address in own.bound() {
            cli::tell::<ServerArgs>(&format!("listening on {address}"));
        }
        let manager = Manager::of_environment();
        manager.iter().for_each(|manager| manager.tell(Progress::Ready));
        House { own, sites, doors, manager }
    }
}

/// A server that listens.
pub struct House {
    /// Where.
    pub own: Own,
    /// What is served in HTTP.
    pub sites: Sites,
    /// Who may come in.
    pub doors: Doors,
    /// Who wants to know how far it is.
    pub manager: Option<Manager>,
}
