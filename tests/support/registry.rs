//! A container registry that another project wrote, on a port of its own.

use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Of the user `ada` with the password `hunter2`.
const HTPASSWD: &str = "ada:$2y$05$doxI/vgKeKqxRenkwH2aPOlg9LxDRou.AbU6FwwXAEiP2dxIqYWuK\n";

/// A registry that ends with this value, and what was stored in it.
pub struct Registry {
    server: Child,
    port: u16,
    folder: TempDir,
}

/// Who may use a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Everybody.
    Open,
    /// Whoever has a login.
    Locked,
}

/// What a raw request came to.
pub struct Response {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Registry {
    pub fn start(door: Door) -> Self {
        let program = std::env::var_os("FLOWMONKEY_REGISTRY")
            .expect("FLOWMONKEY_REGISTRY names no docker-registry: run `cargo xtask test`");
        let folder = TempDir::new().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("htpasswd"), HTPASSWD).unwrap();
        let mut settings = format!(
            "version: 0.1\nlog: {{level: info}}\nhttp: {{addr: '127.0.0.1:0'}}\n\
             storage: {{filesystem: {{rootdirectory: '{}'}}}}\n",
            file("stored").display()
        );
        if door == Door::Locked {
            let htpasswd = file("htpasswd");
            settings += &format!("auth: {{htpasswd: {{realm: tests, path: '{}'}}}}\n", htpasswd.display());
        }
        std::fs::write(file("config.yml"), settings).unwrap();
        let mut command = Command::new(program);
        command.arg("serve").arg(file("config.yml")).stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map(Result::unwrap);
        let port = lines.find_map(|line| {
            let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        });
        // What it goes on to say must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Registry { server, port: port.expect("it does not listen"), folder }
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A reference to what stands behind its address.
    pub fn reference(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.address())
    }

    /// Overwrites a blob's bytes where they are stored.
    pub fn damage(&self, digest: &str) {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let stored = format!("stored/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
        let path = self.folder.path().join(stored);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    /// Stores bytes as another client would, and returns their digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        let begun = self.request("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"");
        let (_, place) = begun.header("location").split_once(&self.address()).unwrap();
        let stored = self.request("PUT", &format!("{place}&digest={digest}"), "", bytes);
        assert_eq!(stored.status, 201, "{}", stored.body);
        digest
    }

    /// Stores a manifest of any kind, as another client would.
    pub fn put_manifest(&self, repository: &str, tag: &str, media_type: &str, manifest: &str) {
        let header = format!("content-type: {media_type}\r\n");
        let stored =
            self.request("PUT", &format!("/v2/{repository}/manifests/{tag}"), &header, manifest.as_bytes());
        assert_eq!(stored.status, 201, "{}", stored.body);
    }

    /// A manifest as it is stored.
    pub fn manifest(&self, repository: &str, name: &str) -> String {
        let accept = "accept: application/vnd.oci.image.manifest.v1+json\r\n";
        self.request("GET", &format!("/v2/{repository}/manifests/{name}"), accept, b"").body
    }

    pub fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let address = self.address();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\
             content-length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Response {
    fn header(&self, name: &str) -> &str {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).unwrap().1
    }
}

/// As registries name bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
