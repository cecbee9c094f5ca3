//! A small telephone: one dialog at a time, messages written out, RTP on a socket of its own.

use super::authority::Authority;
use super::office::{PATIENCE, free};
use offhook_sip_rtp::media::packet::{PacketHeader, PacketView};
use offhook_sip_rtp::sip::message::{Message, Request, Response};
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use offhook_units::{PayloadType, RtpTime, SeqNo, Ssrc};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

/// How the telephone talks SIP.
enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
    /// With our own address.
    Tls(Box<dyn Duplex>, SocketAddr, Vec<u8>),
}

/// Either side of TLS.
trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}

/// Stream connections read what comes, and it ends where the far end ends it, politely or not.
fn read(stream: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> std::io::Result<usize> {
    match stream.read(buffer) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(0),
        read => read,
    }
}

pub(crate) struct Phone {
    wire: Wire,
    to: SocketAddr,
    pub(crate) rtp: UdpSocket,
    branches: u32,
    call_id: String,
    /// The tag of the far end of the present call.
    tag: Option<String>,
    cseq: u32,
    seq: u16,
    /// Where the far end takes RTP.
    pub(crate) media: Option<SocketAddr>,
}

impl Phone {
    /// A telephone that talks UDP to `to`.
    pub(crate) fn udp(to: SocketAddr) -> Self {
        Self::at(free(), to)
    }

    /// One at an address of its own.
    pub(crate) fn at(here: SocketAddr, to: SocketAddr) -> Self {
        let socket = UdpSocket::bind(here).expect("a free port");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self::new(Wire::Udp(socket), to)
    }

    /// One that talks TCP.
    pub(crate) fn tcp(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).expect("a listener");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self::new(Wire::Tcp(stream, Vec::new()), to)
    }

    /// One that talks TLS, and trusts `authority` only.
    pub(crate) fn tls(to: SocketAddr, authority: &Authority) -> Self {
        let stream = TcpStream::connect(to).expect("a listener");
        let name = ServerName::from(to.ip());
        let side = ClientConnection::new(authority.client(), name).expect("a side");
        Self::encrypted(&stream.try_clone().expect("a copy"), StreamOwned::new(side, stream), to)
    }

    /// One that was called by TLS, at `listener`.
    pub(crate) fn called_by_tls(listener: &TcpListener, authority: &Authority) -> Self {
        let (stream, from) = listener.accept().expect("a connection");
        let side = ServerConnection::new(authority.server()).expect("a side");
        Self::encrypted(&stream.try_clone().expect("a copy"), StreamOwned::new(side, stream), from)
    }

    /// Where somebody may call by TLS.
    pub(crate) fn listen() -> TcpListener {
        TcpListener::bind(free()).expect("a free port")
    }

    fn encrypted(stream: &TcpStream, side: impl Duplex + 'static, to: SocketAddr) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let local = stream.local_addr().expect("connected");
        Self::new(Wire::Tls(Box::new(side), local, Vec::new()), to)
    }

    fn new(wire: Wire, to: SocketAddr) -> Self {
        let rtp = UdpSocket::bind(free()).expect("a free port");
        rtp.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let call_id = format!("call-{}", rtp.local_addr().expect("bound").port());
        Self { wire, to, rtp, branches: 0, call_id, tag: None, cseq: 0, seq: 0, media: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match &self.wire {
            Wire::Udp(socket) => socket.local_addr(),
            Wire::Tcp(stream, _) => stream.local_addr(),
            Wire::Tls(_, local, _) => Ok(*local),
        }
        .expect("bound")
    }

    /// Talks to `to` from now on.
    pub(crate) const fn set_peer(&mut self, to: SocketAddr) {
        self.to = to;
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        match &mut self.wire {
            Wire::Udp(socket) => socket.send_to(bytes, self.to).map(drop),
            Wire::Tcp(stream, _) => stream.write_all(bytes),
            Wire::Tls(stream, ..) => stream.write_all(bytes),
        }
        .expect("loopback takes it");
    }

    /// The next bytes that are there; for what is no message.
    pub(crate) fn read_some(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 65_536];
        let length = match &mut self.wire {
            Wire::Udp(socket) => socket.recv(&mut buffer),
            Wire::Tcp(stream, _) => read(stream, &mut buffer),
            Wire::Tls(stream, ..) => read(stream, &mut buffer),
        }
        .expect("something in time");
        buffer.truncate(length);
        buffer
    }

    /// The next message.
    pub(crate) fn read(&mut self) -> Message {
        loop {
            if let Wire::Tcp(_, waiting) | Wire::Tls(_, _, waiting) = &mut self.wire
                && let Some(message) = cut(waiting)
            {
                return message;
            }
            let bytes = self.read_some();
            assert!(!bytes.is_empty(), "the connection was closed");
            match &mut self.wire {
                Wire::Udp(_) if bytes.iter().all(u8::is_ascii_whitespace) => {}
                Wire::Udp(_) => return message(&bytes),
                Wire::Tcp(_, waiting) | Wire::Tls(_, _, waiting) => waiting.extend(bytes),
            }
        }
    }

    /// Whether the connection comes to nothing.
    pub(crate) fn fails(&mut self) -> bool {
        let Wire::Tls(stream, ..) = &mut self.wire else { return false };
        !matches!(stream.read(&mut [0; 16]), Ok(1..))
    }

    /// Whether nothing comes for a while: what would come, comes within microseconds.
    pub(crate) fn is_left_alone(&mut self) -> bool {
        let Wire::Udp(socket) = &self.wire else { return false };
        socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out");
        let silent = socket.recv(&mut [0; 16]).is_err();
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        silent
    }

    /// The final answer to what was asked last; provisional ones are passed over.
    pub(crate) fn response(&mut self) -> Response {
        loop {
            match self.read() {
                Message::Response(response) if response.status.is_provisional() => {}
                Message::Response(response) if response.ident.cseq.number == self.cseq => return response,
                _ => {}
            }
        }
    }

    /// The next request of the far end.
    pub(crate) fn request(&mut self) -> Request {
        loop {
            if let Message::Request(request) = self.read() {
                return request;
            }
        }
    }

    /// Asks, outside a call or within the present one.
    pub(crate) fn ask(&mut self, method: &str, user: &str, extra: &str, body: &str) {
        let text = self.request_text(method, user, extra, body);
        self.send_bytes(text.as_bytes());
    }

    /// A request that is not sent yet.
    pub(crate) fn request_text(&mut self, method: &str, user: &str, extra: &str, body: &str) -> String {
        if method != "ACK" {
            self.cseq += 1;
        }
        self.branches += 1;
        let (me, to, cseq, branch) = (self.address(), self.to, self.cseq, self.branches);
        let transport = match self.wire {
            Wire::Udp(_) => "UDP",
            Wire::Tcp(..) => "TCP",
            Wire::Tls(..) => "TLS",
        };
        let tag = self.tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let kind = match body {
            "" => "",
            _ if extra.contains("Content-Type") => "",
            _ => "Content-Type: application/sdp\r\n",
        };
        format!(
            "{method} sip:{user}@{to} SIP/2.0\r\nVia: SIP/2.0/{transport} {me};branch=z9hG4bK{}-{branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:phone@{me}>;tag=phone\r\nTo: <sip:{user}@{to}>{tag}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:phone@{me};transport={transport}>\r\n{extra}{kind}Content-Length: {}\r\n\r\n{body}",
            me.port(),
            self.call_id,
            body.len()
        )
    }

    /// Our SDP: PCMU on the RTP socket, and what `lines` add.
    pub(crate) fn sdp(&self, formats: &str, lines: &str) -> String {
        let port = self.rtp.local_addr().expect("bound").port();
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} {formats}\r\n{lines}"
        )
    }

    /// Calls `user` with this SDP, acknowledges the answer, and returns it.
    pub(crate) fn call(&mut self, user: &str, sdp: &str) -> Response {
        self.ask("INVITE", user, "", sdp);
        let answer = self.response();
        if answer.status.is_success() {
            self.tag = answer.ident.to.tag().map(str::to_owned);
            self.ask("ACK", user, "", "");
            self.media = media_of(&answer.body);
        }
        answer
    }

    /// Calls `user` in plain PCMU with telephone events.
    pub(crate) fn call_plainly(&mut self, user: &str) -> Response {
        let sdp = self.sdp("RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000\r\n");
        self.call(user, &sdp)
    }

    /// Hangs up, and waits for the answer.
    pub(crate) fn hang_up(&mut self) -> Response {
        self.ask("BYE", "1", "", "");
        let answer = self.response();
        self.tag = None;
        answer
    }

    /// Answers a request of the far end.
    pub(crate) fn answer(&mut self, request: &Request, code: u16, body: &str) {
        let bytes = self.answer_to(request, code, body);
        self.send_bytes(&bytes);
    }

    /// The answer to a request; it names us as the one to ask from then on.
    pub(crate) fn answer_to(&self, request: &Request, code: u16, body: &str) -> Vec<u8> {
        let status = offhook_sip_rtp::sip::status::Status::new(code).expect("a status");
        let mut response = request.response(status).with_to_tag("phone");
        let contact = format!("<sip:phone@{}>", self.address());
        response.headers.push(offhook_sip_rtp::sip::header::Name::Contact, contact);
        if !body.is_empty() {
            response = response.with_body("application/sdp", body.as_bytes().to_vec());
        }
        response.to_bytes()
    }

    /// The next RTP packet of our stream.
    pub(crate) fn rtp_packet(
        &mut self,
        payload_type: u8,
        time: u32,
        marker: bool,
        payload: &[u8],
    ) -> Vec<u8> {
        let header = PacketHeader {
            seq: SeqNo(self.seq),
            time: RtpTime(time),
            ssrc: Ssrc(0x0F0F_0F0F),
            payload_type: PayloadType::new(payload_type).expect("seven bits"),
            marker,
        };
        self.seq += 1;
        let mut packet = vec![0; 12 + payload.len()];
        header.write(payload, &mut packet).expect("room");
        packet
    }

    pub(crate) fn send_rtp(&mut self, packet: &[u8]) {
        let to = self.media.expect("a call stands");
        self.rtp.send_to(packet, to).expect("loopback takes it");
    }

    /// Whether no RTP comes for a while.
    pub(crate) fn hears_nothing(&self) -> bool {
        self.rtp.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out");
        self.rtp.recv(&mut [0; 16]).is_err()
    }

    /// The next RTP packet that comes, as it is.
    pub(crate) fn hear(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 2_048];
        let length = self.rtp.recv(&mut buffer).expect("RTP in time");
        buffer.truncate(length);
        buffer
    }
}

/// The payload of a plain packet.
pub(crate) fn payload(packet: &[u8]) -> &[u8] {
    PacketView::parse(packet).expect("RTP").payload
}

fn message(bytes: &[u8]) -> Message {
    parse(bytes, Framing::Datagram, &Limits::default())
        .unwrap_or_else(|fault| panic!("{fault:?}: {}", String::from_utf8_lossy(bytes)))
}

/// The first whole message of a stream.
fn cut(waiting: &mut Vec<u8>) -> Option<Message> {
    let head = waiting.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&waiting[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let end = head + length.map_or(0, |length| length.trim().parse::<usize>().expect("a length"));
    (waiting.len() >= end).then(|| message(&waiting.drain(..end).collect::<Vec<_>>()))
}

fn media_of(body: &[u8]) -> Option<SocketAddr> {
    let text = String::from_utf8_lossy(body);
    let port =
        text.lines().find_map(|line| line.strip_prefix("m=audio "))?.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::from(([127, 0, 0, 1], port)))
}
