//! A name server made of lines.

use simple_dns::rdata::{A, AAAA, CNAME, NAPTR, RData, SOA, SRV};
use simple_dns::{CLASS, CharacterString, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord};
use std::net::IpAddr;

/// One record: `name ttl TYPE data…`, as in a zone file.
type Line = String;

/// How a name server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    Well,
    /// It says nothing.
    Silent,
    /// It answers this to everything.
    Says(RCODE),
    /// It knows no EDNS.
    Old,
    /// What is asked by a datagram never fits.
    Large,
}

pub(crate) struct NameServer {
    pub(crate) zone: Vec<Line>,
    pub(crate) mood: Mood,
    /// What it was asked: `name TYPE`.
    pub(crate) asked: Vec<String>,
}

impl NameServer {
    pub(crate) fn new(zone: &[&str]) -> Self {
        Self { zone: zone.iter().map(|l| (*l).to_owned()).collect(), mood: Mood::Well, asked: Vec::new() }
    }

    pub(crate) fn answer(&mut self, query: &[u8], stream: bool) -> Option<Vec<u8>> {
        let query = Packet::parse(query).unwrap();
        let question = query.questions[0].clone();
        let QTYPE::TYPE(kind) = question.qtype else { panic!() };
        self.asked.push(format!("{} {kind:?}", question.qname));
        let mut reply = Packet::new_reply(query.id());
        reply.questions.push(question.clone());
        let known = self.zone.iter().any(|l| l.split(' ').next() == Some(&question.qname.to_string()));
        match self.mood {
            Mood::Silent => return None,
            Mood::Says(code) => *reply.rcode_mut() = code,
            Mood::Old if query.opt().is_some() => *reply.rcode_mut() = RCODE::FormatError,
            Mood::Large if !stream => reply.set_flags(PacketFlag::TRUNCATION),
            _ if !known => *reply.rcode_mut() = RCODE::NameError,
            _ => {
                let mut name = question.qname.to_string();
                // The chain of aliases, as a resolver gives it.
                for _ in 0..4 {
                    let own: Vec<_> =
                        self.zone.iter().filter(|l| l.split(' ').next() == Some(&name)).cloned().collect();
                    let alias = own.iter().find(|l| l.contains(" CNAME "));
                    let lines =
                        own.iter().filter(|l| l.contains(&format!(" {kind:?} ")) || Some(*l) == alias);
                    reply.answers.extend(lines.map(|l| record(l).into_owned()));
                    match alias {
                        Some(alias) => name = alias.split(' ').next_back().unwrap().to_owned(),
                        None => break,
                    }
                }
            }
        }
        if reply.answers.is_empty() {
            reply.name_servers.push(record("example 600 SOA").into_owned());
        }
        Some(reply.build_bytes_vec_compressed().unwrap())
    }
}

fn record(line: &str) -> ResourceRecord<'_> {
    let words: Vec<_> = line.split(' ').collect();
    let name = |at: usize| Name::new(words[at]).unwrap();
    let number = |at: usize| words[at].parse().unwrap();
    let word = |at: usize| CharacterString::new(words[at].as_bytes()).unwrap();
    let data = match words[2] {
        "A" => match words[3].parse().unwrap() {
            IpAddr::V4(v4) => RData::A(A { address: v4.into() }),
            IpAddr::V6(_) => panic!(),
        },
        "AAAA" => match words[3].parse().unwrap() {
            IpAddr::V6(v6) => RData::AAAA(AAAA { address: v6.into() }),
            IpAddr::V4(_) => panic!(),
        },
        "SRV" => RData::SRV(SRV { priority: number(3), weight: number(4), port: number(5), target: name(6) }),
        "NAPTR" => RData::NAPTR(NAPTR {
            order: number(3),
            preference: number(4),
            flags: word(5),
            services: word(6),
            regexp: CharacterString::new(b"").unwrap(),
            replacement: name(7),
        }),
        "CNAME" => RData::CNAME(CNAME(name(3))),
        "SOA" => RData::SOA(SOA {
            mname: Name::new("ns.example").unwrap(),
            rname: Name::new("root.example").unwrap(),
            serial: 1,
            refresh: 1,
            retry: 1,
            expire: 1,
            minimum: 60,
        }),
        other => panic!("{other}"),
    };
    ResourceRecord::new(name(0), CLASS::IN, words[1].parse().unwrap(), data)
}
