//! What the guest can reach outside of the contract: through the standard library, as any code it might
//! link would try.

use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

pub(crate) fn look() -> Value {
    // By kind: a connection nobody takes is an error too, but no denial.
    let answer = |name: &str, error: Option<std::io::Error>| match error {
        Some(error) => json!({name: format!("{:?}", error.kind())}),
        None => json!({name: "ALLOWED"}),
    };
    json!({
        "arguments": std::env::args().count(),
        "environment": std::env::vars().count(),
        "attempts": [
            answer("list the root", std::fs::read_dir("/").err()),
            answer("list here", std::fs::read_dir(".").err()),
            answer("read a file", std::fs::read("/etc/passwd").err()),
            answer("write a file", std::fs::write("/tmp/probe", "x").err()),
            answer("connect", TcpStream::connect("127.0.0.1:5432").err()),
            answer("connect out", TcpStream::connect("93.184.216.34:80").err()),
            answer("listen", TcpListener::bind("127.0.0.1:0").err()),
            answer("udp", UdpSocket::bind("127.0.0.1:0").err()),
            answer("resolve a name", "localhost:80".to_socket_addrs().err()),
        ],
        "stdin": std::io::read_to_string(std::io::stdin()).map(|text| text.len()).unwrap_or(0),
    })
}

/// So many random bytes in one call of the host.
pub(crate) fn random(bytes: u64) -> Vec<u8> {
    let mut buffer = vec![0; bytes as usize];
    // The seed of a hash map comes from `wasi:random` too; this asks for as much as is wanted.
    getrandom(&mut buffer);
    buffer
}

fn getrandom(buffer: &mut [u8]) {
    unsafe extern "C" {
        fn getentropy(buffer: *mut u8, len: usize) -> i32;
        fn arc4random_buf(buffer: *mut u8, len: usize);
    }
    // POSIX bounds `getentropy` at 256 bytes; wasi-libc's other call passes any length on.
    unsafe {
        if buffer.len() <= 256 {
            getentropy(buffer.as_mut_ptr(), buffer.len());
        } else {
            arc4random_buf(buffer.as_mut_ptr(), buffer.len());
        }
    }
}
