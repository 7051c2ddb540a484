//! The values of a manifest's keys: each with its forms, and an error that names them.

use std::fmt;

use std::path::PathBuf;

use bootstrapper::plan::{Escalation, Limit, Programs, Restart, RestartWhen, What};
use il::ranges;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A size: a number of bytes, or text such as `16 MiB`.
pub struct Bytes(pub u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, or text such as \"64 KiB\", \"16 MiB\", \"1 GiB\"")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Bytes, E> {
                u64::try_from(value).map(Bytes).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                parse_bytes(text).map(Bytes).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let scale: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// How memory accesses are checked, by its name.
pub struct Checks(pub compiler::Bounds);

impl<'de> Deserialize<'de> for Checks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Checks, D::Error> {
        String::deserialize(deserializer)?.parse().map(Checks).map_err(de::Error::custom)
    }
}

/// One name, or a list of names.
pub struct OneOrMore(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OneOrMore, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = OneOrMore;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name such as \"display\", or a list of names")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_string()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OneOrMore, A::Error> {
                Deserialize::deserialize(de::value::SeqAccessDeserializer::new(list)).map(OneOrMore)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// `restart`: a policy's name, or a table.
pub struct RestartTable(pub Restart);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RestartKeys {
    policy: RestartWhen,
    backoff_ms: Option<u32>,
    limit: Option<u32>,
    within_ms: Option<u32>,
    then: Option<Escalation>,
    keep_clients: Option<bool>,
}

impl<'de> Deserialize<'de> for RestartTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RestartTable, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = RestartTable;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"never\", \"on-fault\", \"always\", or a table such as { policy = \"on-fault\", limit = 5 }",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RestartTable, E> {
                let policy = RestartWhen::deserialize(de::value::StrDeserializer::new(text))?;
                Ok(RestartTable(Restart { policy, ..Restart::default() }))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RestartTable, A::Error> {
                let keys = RestartKeys::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let default = Restart::default();
                Ok(RestartTable(Restart {
                    policy: keys.policy,
                    backoff_ms: keys.backoff_ms.unwrap_or(default.backoff_ms),
                    limit: keys.limit.unwrap_or(default.limit),
                    within_ms: keys.within_ms.unwrap_or(default.within_ms),
                    then: keys.then.unwrap_or(default.then),
                    keep_clients: keys.keep_clients.unwrap_or(default.keep_clients),
                }))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// `programs`: bounds of the device programs that a VM sends.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramsTable {
    ms: Option<u32>,
    memory: Option<Bytes>,
}

impl ProgramsTable {
    pub fn bounds(&self) -> Programs {
        let default = Programs::default();
        Programs {
            ms: self.ms.unwrap_or(default.ms),
            memory_bytes: self.memory.as_ref().map_or(default.memory_bytes, |memory| memory.0),
        }
    }
}

/// What a grant covers: `"all"`, a list of names, or a table of both and limits.
pub struct Grant {
    pub what: What,
    pub limits: Vec<Limit>,
}

/// `allow`, and a grant without limits.
struct Allow(What);

impl<'de> Deserialize<'de> for Allow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Allow, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Allow;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"all\", or a list of instructions and events such as [\"read\", \"write\"]")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Allow, E> {
                match text {
                    "all" => Ok(Allow(What::All)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Allow, A::Error> {
                Deserialize::deserialize(de::value::SeqAccessDeserializer::new(list))
                    .map(|names| Allow(What::Only(names)))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// The bounds of a limit, whose name is the key.
struct Interval(Limit);

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Interval, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Interval;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a range such as \"0..4096\", or \"320x200\" for several axes")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Interval, E> {
                ranges::Limit::parse("", text).map(|limit| Interval(limit.into())).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Read)
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Grant, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Grant;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"all\", a list of instructions and events such as [\"read\", \"write\"], or a table such as { allow = [\"read\"], sectors = \"0..4096\" }",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Grant, E> {
                match text {
                    "all" => Ok(Grant { what: What::All, limits: Vec::new() }),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Grant, A::Error> {
                let names = Deserialize::deserialize(de::value::SeqAccessDeserializer::new(list))?;
                Ok(Grant { what: What::Only(names), limits: Vec::new() })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Grant, A::Error> {
                let mut grant = Grant { what: What::All, limits: Vec::new() };
                while let Some(key) = map.next_key::<String>()? {
                    if key == "allow" {
                        grant.what = map.next_value::<Allow>()?.0;
                    } else {
                        let limit: Interval = map.next_value()?;
                        grant.limits.push(Limit { name: key, ..limit.0 });
                    }
                }
                Ok(grant)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// Where a directory of a WASI program is: a folder, or a table.
pub struct DirValue {
    pub place: DirPlace,
    pub read_only: bool,
}

/// Where it is.
pub enum DirPlace {
    Host(PathBuf),
    Memory(u64),
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct DirKeys {
    host: Option<PathBuf>,
    memory: Option<Bytes>,
    #[serde(default)]
    read_only: bool,
}

impl<'de> Deserialize<'de> for DirValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DirValue, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = DirValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a folder, or a table such as { host = \"data\", read_only = true } or { memory = \"16 MiB\" }",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<DirValue, E> {
                Ok(DirValue { place: DirPlace::Host(text.into()), read_only: false })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DirValue, A::Error> {
                let keys = DirKeys::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let place = match (keys.host, keys.memory) {
                    (Some(host), None) => DirPlace::Host(host),
                    (None, Some(memory)) => DirPlace::Memory(memory.0),
                    _ => return Err(de::Error::custom("a directory is either `host` or `memory`")),
                };
                Ok(DirValue { place, read_only: keys.read_only })
            }
        }
        deserializer.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_bytes("2 GiB"), Some(2 << 30));
        assert_eq!(parse_bytes("512"), Some(512));
        assert_eq!(parse_bytes("99999999999999999999 GiB"), None);
        assert_eq!(parse_bytes("-1"), None);
    }
}
