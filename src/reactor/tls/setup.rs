//! TLS as it is configured: certificates and keys in files, whom to believe, and reading all of that again. How it is
//! spoken is said beside this folder.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod clients;
#[cfg(feature = "tls")]
mod files;
mod fingerprint;
#[cfg(feature = "tls")]
mod identity;
#[cfg(feature = "tls")]
mod loaded;
#[cfg(feature = "tls")]
mod servers;
mod settings;

#[cfg(not(feature = "tls"))]
pub use absent::{
    Keeper, Loaded, check_built, check_name, read_system_authorities, system_authorities_are_read,
};
pub use fingerprint::Fingerprint;
#[cfg(feature = "tls")]
pub use loaded::{Keeper, Loaded, check_built, check_name};
#[cfg(feature = "tls")]
pub use servers::{read_system_authorities, system_authorities_are_read};
pub use settings::{Accepting, Dialling, Own, Pair, Settings, Trust};
