//! Messages to and from name servers, by the crate `simple-dns`, behind our own types. What it would reserve for a
//! hostile count is bounded here before it reads.

use super::record::{self, Kind, Naptr, Question, Records, Srv};
use simple_dns::rdata::{OPT, RData};
use simple_dns::{
    CLASS, Name, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE, header_buffer,
};
use std::net::IpAddr;

/// The largest datagram that we ask for: what passes every path without fragments.
const UDP_SIZE: u16 = 1232;
/// Records in all sections of an answer that is read. Ours have a handful.
const MAX_RECORDS: u16 = 256;
/// Records of one answer that are kept.
const MAX_KEPT: usize = 32;
/// Aliases that are followed within an answer.
const MAX_ALIASES: usize = 8;

/// What a name server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It knows: these records, good for so many seconds.
    Records {
        /// Them.
        records: Records,
        /// For how long.
        ttl_s: u32,
    },
    /// There is no such name, or nothing of this kind: so many seconds long, if it says.
    None {
        /// For how long.
        ttl_s: Option<u32>,
    },
    /// It did not fit: to be asked by a stream.
    Truncated,
    /// It does not understand what was added to the plain question (RFC 6891 7).
    NoExtensions,
    /// It refuses, or could not find out.
    Refused,
}

/// Why bytes are no answer to a question: they are passed over, as somebody else may have sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// Not a message that can be read.
    Unreadable,
    /// Another number, another question, or a question itself.
    Other,
}

/// Writes a question. `None` when the name is none.
pub fn question(id: u16, question: &Question, extended: bool) -> Option<Vec<u8>> {
    if !record::is_name(&question.name) {
        return None;
    }
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let (name, kind) = (Name::new(&question.name).ok()?, QTYPE::TYPE(code(question.kind)));
    packet.questions.push(simple_dns::Question::new(name, kind, QCLASS::CLASS(CLASS::IN), false));
    if extended {
        *packet.opt_mut() = Some(OPT { opt_codes: Vec::new(), udp_packet_size: UDP_SIZE, version: 0 });
    }
    packet.build_bytes_vec().ok()
}

/// The number of a message, to find its question by.
pub fn number(bytes: &[u8]) -> Option<u16> {
    header_buffer::id(bytes).ok()
}

/// Reads what should answer `question` under the number `id`.
///
/// # Errors
/// [`NotOurs`] when it does not.
pub fn read(id: u16, question: &Question, bytes: &[u8]) -> Result<Answer, NotOurs> {
    let sections = [
        header_buffer::questions(bytes),
        header_buffer::answers(bytes),
        header_buffer::name_servers(bytes),
        header_buffer::additional_records(bytes),
    ];
    let mut count = 0u16;
    for section in sections {
        count = count.saturating_add(section.map_err(|_| NotOurs::Unreadable)?);
    }
    if count > MAX_RECORDS {
        return Err(NotOurs::Unreadable);
    }
    let packet = Packet::parse(bytes).map_err(|_| NotOurs::Unreadable)?;
    let asked = packet.questions.first().is_some_and(|q| {
        q.qtype == QTYPE::TYPE(code(question.kind)) && text(&q.qname).as_deref() == Some(&question.name)
    });
    // A server that understands nothing of the question may leave it out of its answer.
    let blank = packet.questions.is_empty() && packet.rcode() == RCODE::FormatError;
    let answers = packet.has_flags(PacketFlag::RESPONSE) && packet.opcode() == OPCODE::StandardQuery;
    if packet.id() != id || !answers || !(asked || blank) {
        return Err(NotOurs::Other);
    }
    Ok(answer(&packet, question))
}

fn answer(packet: &Packet<'_>, question: &Question) -> Answer {
    match packet.rcode() {
        RCODE::NoError if packet.has_flags(PacketFlag::TRUNCATION) => Answer::Truncated,
        RCODE::NoError => match records(&packet.answers, question) {
            Some((records, ttl_s)) if !records.is_none() => Answer::Records { records, ttl_s },
            _ => Answer::None { ttl_s: none_for(packet) },
        },
        RCODE::NameError => Answer::None { ttl_s: none_for(packet) },
        RCODE::FormatError => Answer::NoExtensions,
        _ => Answer::Refused,
    }
}

/// The records that belong to the question's name, or to the one that it is an alias of.
fn records(answers: &[ResourceRecord<'_>], question: &Question) -> Option<(Records, u32)> {
    let mut name = question.name.clone();
    let mut ttl_s = u32::MAX;
    for _ in 0..MAX_ALIASES {
        let own: Vec<_> =
            answers.iter().filter(|r| text(&r.name).as_deref() == Some(name.as_str())).collect();
        let ttl = own.iter().filter(|r| r.rdata.type_code() == code(question.kind)).map(|r| r.ttl).min();
        if let Some(ttl) = ttl {
            return Some((kept(&own, question.kind), ttl_s.min(ttl)));
        }
        let alias = own.iter().find_map(|r| match &r.rdata {
            RData::CNAME(alias) => Some((text(&alias.0)?, r.ttl)),
            _ => None,
        });
        match alias {
            Some((alias, ttl)) => (name, ttl_s) = (alias, ttl_s.min(ttl)),
            None => break,
        }
    }
    (name != question.name).then_some((Records::Alias(name), ttl_s))
}

fn kept(own: &[&ResourceRecord<'_>], kind: Kind) -> Records {
    let data = || own.iter().map(|r| &r.rdata);
    match kind {
        Kind::A | Kind::Aaaa => Records::Addrs(data().filter_map(addr).take(MAX_KEPT).collect()),
        Kind::Srv => Records::Srv(data().filter_map(srv).take(MAX_KEPT).collect()),
        Kind::Naptr => Records::Naptr(data().filter_map(naptr).take(MAX_KEPT).collect()),
    }
}

fn addr(data: &RData<'_>) -> Option<IpAddr> {
    let addr = match data {
        RData::A(a) => IpAddr::V4(a.address.into()),
        RData::AAAA(a) => IpAddr::V6(a.address.into()),
        _ => return None,
    };
    (!addr.is_unspecified() && !addr.is_multicast()).then_some(addr)
}

fn srv(data: &RData<'_>) -> Option<Srv> {
    let RData::SRV(srv) = data else { return None };
    // A target of "." says: decidedly not here (RFC 2782). It is no name, and goes with the port 0.
    let target = text(&srv.target).filter(|_| srv.port != 0)?;
    Some(Srv { priority: srv.priority, weight: srv.weight, target, port: srv.port })
}

fn naptr(data: &RData<'_>) -> Option<Naptr> {
    let RData::NAPTR(naptr) = data else { return None };
    let word = |s: &simple_dns::CharacterString<'_>| String::try_from(s.clone()).ok();
    Some(Naptr {
        order: naptr.order,
        preference: naptr.preference,
        flags: word(&naptr.flags)?.to_ascii_lowercase(),
        service: word(&naptr.services)?.to_ascii_uppercase(),
        replacement: text(&naptr.replacement)?,
    })
}

/// RFC 2308 5: how long "none" holds.
fn none_for(packet: &Packet<'_>) -> Option<u32> {
    packet.name_servers.iter().find_map(|r| match &r.rdata {
        RData::SOA(soa) => Some(r.ttl.min(soa.minimum)),
        _ => None,
    })
}

fn text(name: &Name<'_>) -> Option<String> {
    let text = record::plain(&name.to_string());
    record::is_name(&text).then_some(text)
}

const fn code(kind: Kind) -> TYPE {
    match kind {
        Kind::A => TYPE::A,
        Kind::Aaaa => TYPE::AAAA,
        Kind::Srv => TYPE::SRV,
        Kind::Naptr => TYPE::NAPTR,
    }
}
