//! What a server holds, as plain maps: keys of databases, their values and their deadlines.

use super::wire::{Words, shown};
use solod::{
    commands::context::text,
    data::{
        entry::{Entry, NEVER, Value},
        list::NodeView,
        object::Object,
        pair,
        pieces::Element,
    },
    keyspace::Keyspace,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Text(Vec<u8>),
    List(VecDeque<Vec<u8>>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    /// The workload's scores are whole numbers.
    Zset(BTreeMap<Vec<u8>, i64>),
}

impl From<Vec<u8>> for Content {
    fn from(text: Vec<u8>) -> Self {
        Self::Text(text)
    }
}

impl Content {
    /// Adds what a walk hands over. `false`: that is of another kind, or was there already.
    pub fn add(&mut self, element: Element<'_>) -> bool {
        match (self, element) {
            (Self::Set(set), Element::Member(member)) => set.insert(member.to_vec()),
            (Self::Hash(hash), Element::Field(field)) => hash.insert(field.key().to_vec(), bytes(field.value())).is_none(),
            (Self::Zset(zset), Element::Scored(member, score)) => zset.insert(member.to_vec(), score as i64).is_none(),
            (Self::List(list), Element::Node(NodeView::Packed(pack))) => {
                list.extend(pack.iter().map(|item| item.to_vec()));
                true
            }
            (Self::List(list), Element::Node(NodeView::Plain(item))) => {
                list.push_back(item.to_vec());
                true
            }
            // The workload's lists are not compressed.
            _ => false,
        }
    }

    /// Number of elements of a collection.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::List(list) => list.len(),
            Self::Hash(hash) => hash.len(),
            Self::Set(set) => set.len(),
            Self::Zset(zset) => zset.len(),
        }
    }

    /// A list's first element.
    pub fn first(&self) -> Option<&[u8]> {
        match self {
            Self::List(list) => list.front().map(Vec::as_slice),
            _ => None,
        }
    }

    /// For a person.
    fn shown(&self) -> String {
        if let Self::Text(text) = self {
            return shown(text);
        }
        let mut all = format!("{self:?}");
        if all.len() > 200 {
            all.truncate(200);
            all += "...";
        }
        format!("{} elements {all}", self.len())
    }
}

/// A value with its deadline (Unix ms, [`NEVER`] for none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub value: Content,
    pub deadline: i64,
}

impl Held {
    /// A string's bytes. The workload's commands for strings know no other keys.
    pub fn text(&self) -> &[u8] {
        let Content::Text(text) = &self.value else { panic!("a collection where a string is asked for") };
        text
    }
}

pub type Key = Vec<u8>;

/// Every key of every database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State(pub Vec<BTreeMap<Key, Held>>);

impl State {
    /// What a keyspace holds, keys past their deadline that have not been reclaimed among it.
    pub fn of(keyspace: &Keyspace) -> Self {
        let held = |e: &Entry| (e.key().to_vec(), hold(e));
        Self(keyspace.iter().map(|(_, db)| db.dict().iter().map(held).collect()).collect())
    }

    /// Without what is past its deadline at this moment.
    pub fn live_at(mut self, now_ms: i64) -> Self {
        self.0.iter_mut().for_each(|db| db.retain(|_, held| held.deadline >= now_ms));
        self
    }

    /// Commands that make it.
    pub fn commands(&self) -> Vec<Words> {
        let mut all = Vec::new();
        for (i, db) in self.0.iter().enumerate() {
            all.push(vec![b"SELECT".to_vec(), i.to_string().into_bytes()]);
            for (key, held) in db {
                let (name, elements): (&str, Words) = match &held.value {
                    Content::Text(text) => ("SET", vec![text.clone()]),
                    Content::List(list) => ("RPUSH", list.iter().cloned().collect()),
                    Content::Hash(hash) => ("HSET", hash.iter().flat_map(|(k, v)| [k.clone(), v.clone()]).collect()),
                    Content::Set(set) => ("SADD", set.iter().cloned().collect()),
                    Content::Zset(zset) => ("ZADD", zset.iter().flat_map(|(k, v)| [v.to_string().into_bytes(), k.clone()]).collect()),
                };
                all.push([name.as_bytes().to_vec(), key.clone()].into_iter().chain(elements).collect());
                if held.deadline != NEVER {
                    all.push(vec![b"PEXPIREAT".to_vec(), key.clone(), held.deadline.to_string().into_bytes()]);
                }
            }
        }
        all
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.iter().map(BTreeMap::len).sum()
    }

    /// Where two states differ, in a few words.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let show = |held: Option<&Held>| held.map_or("nothing".to_owned(), |h| format!("{} until {}", h.value.shown(), h.deadline));
        let mut found = Vec::new();
        for (i, (a, b)) in self.0.iter().zip(&other.0).enumerate() {
            let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
            let differing = keys.filter(|k| a.get(*k) != b.get(*k));
            found.extend(differing.map(|k| format!("db {i} {}: {} | {}", shown(k), show(a.get(k)), show(b.get(k)))));
        }
        let (count, keys) = (found.len(), (self.len(), other.len()));
        found.truncate(8);
        Some(format!("{count} keys of {keys:?} differ:\n  {}", found.join("\n  ")))
    }
}

/// An entry's value and deadline.
pub fn hold(entry: &Entry) -> Held {
    Held { value: content(entry.value()), deadline: entry.deadline() }
}

/// The content of a large collection to which elements will be added ([`Content::add`]).
pub fn emptied(entry: &Entry) -> Held {
    let value = match entry.value() {
        Value::Object(Object::List(_)) => Content::List(VecDeque::new()),
        Value::Object(Object::Hash(_)) => Content::Hash(BTreeMap::new()),
        Value::Object(Object::Set(_)) => Content::Set(BTreeSet::new()),
        Value::Object(Object::Zset(_)) => Content::Zset(BTreeMap::new()),
        value => Content::Text(bytes(value)),
    };
    Held { value, deadline: entry.deadline() }
}

fn bytes<O: pair::Held>(value: pair::Value<'_, O>) -> Vec<u8> {
    text(value).map_or_else(Vec::new, |t| t.with(<[u8]>::to_vec))
}

fn content(value: Value<'_>) -> Content {
    match value {
        Value::Object(Object::List(list)) => {
            let mut all = VecDeque::new();
            list.for_each(|element| all.push_back(element.item().to_vec()));
            Content::List(all)
        }
        Value::Object(Object::Hash(hash)) => Content::Hash(hash.iter().map(|field| (field.name.to_vec(), bytes(field.value))).collect()),
        Value::Object(Object::Set(set)) => Content::Set(set.iter().map(|member| member.to_vec()).collect()),
        Value::Object(Object::Zset(zset)) => Content::Zset(zset.iter().map(|(member, score)| (member.to_vec(), score as i64)).collect()),
        value => Content::Text(bytes(value)),
    }
}
