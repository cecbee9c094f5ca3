//! A name server that knows one address.

use super::office::free;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// Type A, class IN (RFC 1035 3.2).
const ADDRESS: [u8; 4] = [0, 1, 0, 1];

/// Answers questions for addresses with 127.0.0.1, and any other with nothing, for as long as the test runs.
pub(crate) fn open() -> SocketAddr {
    let socket = UdpSocket::bind(free()).expect("a free port");
    let addr = socket.local_addr().expect("bound");
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let answer = answer(&question[..length]);
            socket.send_to(&answer, from).expect("loopback takes it");
        }
    });
    addr
}

fn answer(question: &[u8]) -> Vec<u8> {
    let name = 12 + question[12..].iter().position(|byte| *byte == 0).expect("the end of the name");
    let end = name + 5;
    let known = question[name + 1..end] == ADDRESS;
    let mut answer = question[..end].to_vec();
    // An answer, recursion available, no error; one question, one answer or none, nothing else (RFC 1035 4.1.1).
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(known), 0, 0, 0, 0]);
    if known {
        // The name by reference, a minute to live, four bytes.
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(Ipv4Addr::LOCALHOST.octets());
    }
    answer
}
