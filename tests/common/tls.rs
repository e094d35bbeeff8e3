//! Certificates for tests of TLS, and servers that have them.

// Each test file uses what it needs.
#![allow(dead_code)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::common::{Program, Server};

/// A folder of files that is there as long as the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(test: &str) -> Folder {
        let name = format!("tls-{test}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// Writes a file; returns its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A certificate and its key, in PEM.
pub struct Made {
    pub certificate: String,
    pub key: String,
}

impl Made {
    /// Writes both; returns their paths.
    pub fn write(&self, folder: &Folder, name: &str) -> (String, String) {
        let certificate = folder.write(&format!("{name}.pem"), &self.certificate);
        (certificate, folder.write(&format!("{name}.key"), &self.key))
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "made for a test");
    params
}

/// One that has signed itself; as an authority, as `openssl req -x509` makes it.
pub fn self_signed(names: &[&str]) -> Made {
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Made { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Somebody who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    pub fn sign(&self, names: &[&str]) -> Made {
        self.sign_with(names, |_| {})
    }

    /// Signs one that is made another way.
    pub fn sign_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Made {
        let mut params = params(names);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Made { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// What most tests need: a server's certificate for this machine, and who has signed it.
pub struct House {
    pub folder: Folder,
    pub authority: Authority,
    /// Paths.
    pub ca: String,
    pub certificate: String,
    pub key: String,
}

impl House {
    pub fn new(test: &str) -> House {
        let folder = Folder::new(test);
        let authority = Authority::new("an authority");
        let ca = folder.write("ca.pem", &authority.certificate);
        let (certificate, key) = authority.sign(&["localhost", "127.0.0.1"]).write(&folder, "server");
        House { folder, authority, ca, certificate, key }
    }

    /// A server with that certificate, on one port.
    #[track_caller]
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let own = ["--tls-cert", &self.certificate, "--tls-key", &self.key];
        Server::start(&[&own, arguments].concat())
    }

    /// The client, which believes the authority.
    pub fn client(&self, server: &Server, arguments: &[&str]) -> Program {
        let address = format!("localhost:{}", server.port());
        Program::client(&[&["--tls-ca", &self.ca], arguments, &[&address]].concat())
    }
}

/// Runs a server that is not expected to serve; returns its exit status and what it said.
#[track_caller]
pub fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.args(arguments);
    let mut program = Program::start(command);
    let status = program.exit_status().code();
    let told = String::from_utf8(program.err.to_end()).unwrap();
    (status, told)
}

/// What a program has shown, once it has been given this on its stdin and has ended.
#[track_caller]
pub fn told(mut program: Program, typed: &str) -> (String, String) {
    // One that was refused does not read it.
    let _ = program.take_stdin().write_all(typed.as_bytes());
    program.exit_status();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&program.out.to_end()), text(&program.err.to_end()))
}
